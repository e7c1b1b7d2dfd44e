"""`celesta truncate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.encode import report
from celesta.cli.files import Kind, plan
from celesta.cli.inputs import find_cel
from celesta.cli.options import BaseChannels, Force, Json, Kbps
from celesta.cli.progress import working
from celesta.cli.standard import STANDARD, opened_input, opened_output
from celesta.errors import UsageError


def truncate(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A coded .cel file.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The smaller .cel file.", show_default=False)
    ],
    kbps: Kbps = None,
    channels: BaseChannels = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make a coded .cel file smaller without the original audio.

    The input - is standard input, the output - standard output.

    Example: `celesta truncate song.cel --kbps 3 -o small.cel`
    """
    if kbps is None and channels is None:
        raise UsageError("give --kbps or --channels: how small the file is to be")
    with working("truncate") as meter:
        from celesta.latents import truncate as truncate_file

        targets = plan([source], output, Kind((".cel",), ".cel", find_cel), force=force).targets
        for file, target in targets.items():
            with opened_input(file) as opened, opened_output(target, ".cel") as written:
                made = truncate_file(opened, written, kbps=kbps, channels=channels, progress=meter.seconds)
            before = None if file == STANDARD else file.stat().st_size
            if before is not None and made.n_bytes >= before:
                console.warn(f"{target}: is not smaller than {file}; give a smaller --kbps or --channels")
            report(file, target, made, as_json=as_json, source_bytes=before)
