"""`celesta compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import bar, out
from celesta.cli.scores import print_scores


def compare(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Names or run folders.", show_default=False)],
    data: Annotated[list[Path], typer.Option("--data", help="Folder of music; several.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page and JSON.")] = Path("comparison"),
    seconds: Annotated[float, typer.Option(min=1, help="Seconds taken of each file.")] = 15,
    limit: Annotated[int, typer.Option(min=1, help="At most so many files, spread evenly.")] = 20,
    rate_distortion: Annotated[
        bool, typer.Option("--rates/--no-rates", help="Also draw quality against kbit/s.")
    ] = True,
) -> None:
    """Compare models on music: table, quality against floats a second and against kbit/s, waveforms.

    On GTZAN with its lists only test tracks are taken.

    Example: `celesta compare cel-3 linear-64 sparse-64 runs/mine --data music/`
    """
    from celesta.report.compare import compare as run_compare

    with bar() as progress:
        task = progress.add_task("compare", total=None)

        def told(text: str, done: int, total: int) -> None:
            progress.update(task, description=text[:50], completed=done, total=total)

        result = run_compare(models, data, seconds=seconds, limit=limit, rate_distortion=rate_distortion, progress=told)
    output.mkdir(parents=True, exist_ok=True)
    result.to_json(output / "compare.json")
    page = result.to_html(output / "compare.html")
    print_scores("Means over the files", result.rows)
    out.print(f"report: {page or output / 'compare.html'}", markup=False, soft_wrap=True)
