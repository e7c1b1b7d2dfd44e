"""`celesta reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import each_file, out
from celesta.errors import UsageError


def reconstruct(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    model: Annotated[str, typer.Option("--model", "-m", help="A model's name or a run folder.")] = "cel-silu",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for pages and sounds.")] = Path(
        "reconstructed"
    ),
) -> None:
    """Encode and decode any song: a page with figures, sounds and figures of merit for each.

    Example: `celesta reconstruct song.mp3 -m cel-3`
    """
    from celesta import codec as codecs
    from celesta.audio import find_audio
    from celesta.report.reconstruct import reconstruct_page

    codec = codecs.load(model)
    files = [file for source in sources for file in find_audio(source)]
    if not files:
        raise UsageError(f"{sources[0]}: no sound files")
    each_file(files, "reconstruct", lambda file, _: out.print(str(reconstruct_page(codec, file, output)), markup=False))
