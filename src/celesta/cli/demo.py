"""`celesta demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.checks import check_model
from celesta.cli.files import free, output_folder
from celesta.cli.options import Force, Json
from celesta.cli.progress import working
from celesta.cli.scores import print_scores


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for the page.")] = Path(
        "demo-report"
    ),
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="Only this model; repeat it for several.", show_default=False
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, metavar="S", help="Only the first S seconds of each clip.", show_default=False),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Encode and decode the clips that ship with Celesta with every model, and write one HTML page.

    Example: `celesta demo -o demo-report`
    """
    for model in models or ():
        check_model(model)
    with working("demo", "loading the models") as meter:
        output_folder(output)
        free(output / "index.html", force)
        from celesta.report.demo import build_demo

        result = build_demo(output, models or None, seconds=seconds, progress=meter.steps)
    if as_json:
        console.emit({"page": result.page, "scores": result.rows}, indent=1)
        return
    print_scores("Means over the clips", result.rows)
    console.say(f"report: {result.page}")
