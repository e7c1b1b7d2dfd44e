"""`celesta compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.checks import check_model
from celesta.cli.files import free, output_folder
from celesta.cli.options import Force, Json, Strict
from celesta.cli.progress import working
from celesta.cli.scores import print_scores


def compare(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL", help="Names of models, or run folders.", show_default=False)
    ],
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="FOLDER", help="Folder of music; repeat it for several.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for compare.html and compare.json.")
    ] = Path("comparison"),
    seconds: Annotated[float, typer.Option(min=1, metavar="S", help="Seconds taken of each file.")] = 15,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most N files, evenly spaced in the list.")] = 20,
    sample_rate: Annotated[
        int,
        typer.Option(min=8_000, max=192_000, metavar="HZ", help="Sample rate at which all models are compared."),
    ] = 44_100,
    rate_distortion: Annotated[
        bool, typer.Option("--rate-distortion/--no-rate-distortion", help="Also measure quality against kbit/s.")
    ] = True,
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Compare models on music: scores, quality against floats/s and against kbit/s, players.

    On GTZAN with its lists only test tracks are taken.

    Example: `celesta compare cel-3 linear-64 sparse-64 runs/mine --data music/`
    """
    console.be_strict(strict)
    for model in models:
        check_model(model, "MODEL")
    with working("compare", "looking for files") as meter:
        from celesta import datasets

        tracks = datasets.load(data)
        output_folder(output)
        page, file = free(output / "compare.html", force), free(output / "compare.json", force)
        meter.doing("loading the models")
        from celesta.report.compare import compare as run_compare

        result = run_compare(
            models,
            tracks,
            seconds=seconds,
            limit=limit,
            sample_rate=sample_rate,
            rate_distortion=rate_distortion,
            progress=meter.steps,
        )
        meter.doing("writing the page")
        result.to_json(file)
        result.to_html(page)
    console.left_out(result.failures)
    if as_json:
        console.emit({"page": page, **json.loads(file.read_text(encoding="utf-8"))}, indent=1)
        return
    print_scores("Means over the files", result.rows)
    console.say(f"data: {file}")
    console.say(f"report: {page}")
