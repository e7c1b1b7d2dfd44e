"""`celesta decode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import Tell, each_file, out
from celesta.cli.files import find_cel, pairs
from celesta.cli.options import Force, Precision, Sources


def decode(
    sources: Sources,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The sound file, or a folder.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The run folder that made the latent.")] = None,
    sample_rate: Annotated[int | None, typer.Option("--rate", help="Hz; else the source's own.")] = None,
    suffix: Annotated[str, typer.Option("--format", help="wav, flac, ogg, opus or mp3, for folders.")] = "flac",
    precision: Precision = "float32",
    force: Force = False,
) -> None:
    """Decode .cel files to sound of the source's rate and exact length.

    Example: `celesta decode song.cel -o back.flac`
    """
    from celesta import codec as codecs
    from celesta.latents import CelReader

    targets = pairs(sources, output, f".{suffix.lstrip('.')}", find_cel, force)
    loaded: dict[str, codecs.Codec] = {}

    def work(file: Path, tell: Tell) -> None:
        with CelReader(file) as reader:
            name = model or reader.meta.model
        if name not in loaded:
            loaded[name] = codecs.load(name, precision=precision)
        loaded[name].decode_file(file, targets[file], sample_rate=sample_rate, progress=tell)
        out.print(f"{file} -> {targets[file]}", markup=False)

    each_file(list(targets), "decode", work)
