"""`celesta demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import bar, out
from celesta.cli.scores import print_scores


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page.")] = Path("demo-report"),
    models: Annotated[list[str] | None, typer.Option("--model", "-m", help="Only these models.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Only so much of each clip.")] = None,
) -> None:
    """Take the music that ships with Celesta through every model; write one HTML page to look at and listen to.

    Example: `celesta demo -o demo-report`
    """
    from celesta.report.demo import build_demo

    with bar() as progress:
        task = progress.add_task("demo", total=None)

        def told(text: str, done: int, total: int) -> None:
            progress.update(task, description=text[:50], completed=done, total=total)

        result = build_demo(output, models or None, seconds=seconds, progress=told)
    print_scores("Means over the clips", result.rows)
    out.print(f"report: {result.page}", markup=False, soft_wrap=True)
