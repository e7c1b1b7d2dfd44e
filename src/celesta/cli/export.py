"""`celesta export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta import _device
from celesta.cli import console
from celesta.cli.checks import check_model
from celesta.cli.files import output_folder
from celesta.cli.options import Json
from celesta.cli.progress import working


def export(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Name of a model, or the folder of a training run.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for graphs, weights and description.")
    ] = Path("exported"),
    as_json: Json = False,
) -> None:
    """Export the networks of a model as ONNX graphs, which run without PyTorch.

    The folder is a model for every verb: `celesta encode song.mp3 -m FOLDER`.

    Example: `celesta export cel-silu -o exported`
    """
    check_model(model, "MODEL")
    _device.require_torch("celesta export")
    with working("export", f"tracing {model}"):
        from celesta.models.export import export_model

        output_folder(output)
        made = export_model(model, output)
    files = [made.path, made.weights_file, *(made.graph_file(name) for name in made.graphs)]
    if as_json:
        console.emit(
            {"folder": output, "model": made.name, "opset": made.opset, "files": [file.name for file in files]}
        )
        return
    for file in files:
        console.say(f"{file}  {file.stat().st_size:,} bytes")
    console.say(f"use it: celesta encode song.mp3 -m {output}")
