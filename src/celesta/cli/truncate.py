"""`celesta truncate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import free_target, out
from celesta.cli.options import Force
from celesta.errors import UsageError


def truncate(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A coded .cel file.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The smaller .cel file.", show_default=False)],
    kbps: Annotated[float | None, typer.Option(help="At most so many kbit/s over the song.")] = None,
    channels: Annotated[
        int | None, typer.Option("--channels", "-K", min=1, help="Channels of the base to keep.")
    ] = None,
    force: Force = False,
) -> None:
    """Make a coded .cel file smaller without decoding its sound.

    Example: `celesta truncate song.cel --kbps 3 -o small.cel`
    """
    from celesta.latents import truncate as truncate_file

    if kbps is None and channels is None:
        raise UsageError("truncate: give --kbps or -K")
    free_target(output, force)
    truncate_file(source, output, kbps=kbps, channels=channels)
    out.print(f"{source} {source.stat().st_size:,} -> {output} {output.stat().st_size:,} bytes", soft_wrap=True)
