"""`celesta study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from celesta.cli.console import bar, err, out, table
from celesta.cli.options import FEATURES, Cache, Data, Lists


def study(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page and study.json.")] = Path("study"),
    features: Annotated[
        list[str] | None, typer.Option("--features", "-f", help=f"{FEATURES} Only these.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions of the folds.")] = 5,
    classifier: Annotated[
        bool, typer.Option("--classifier/--no-classifier", help="Also train the report's own classifier.")
    ] = True,
    cache: Cache = Path("cache/features"),
    lists: Lists = None,
) -> None:
    """Everything the latents know, honestly: classifiers, boosted trees, clusters, with controls in every table.

    What is stopped goes on where it was: features are kept in the cache.

    Example: `celesta study --data gtzan --data 4qaed -o study`

    Example: `celesta study --data music/ -f latent:cel-3 -f handcrafted --no-classifier`
    """
    from celesta.report.figures import png
    from celesta.report.study import cluster_figure, summary_figure, write_page
    from celesta.study import DEFAULT_FEATURES
    from celesta.study import study as run_study
    from celesta.study.finetuned_heads import MODELS

    with bar() as progress:
        task = progress.add_task("study", total=None)

        def told(text: str, done: int, total: int) -> None:
            progress.update(task, description=text[:50], completed=done, total=total)

        made = run_study(
            data,
            features=features or DEFAULT_FEATURES,
            cache=cache,
            lists=lists,
            seeds=range(seeds),
            classifier=MODELS if classifier else (),
            progress=told,
        )
    json_file = made.to_json(output / "study.json")
    page = write_page(made, output / "study.html")
    (output / "scores.png").write_bytes(png(summary_figure(made)))
    if (songs := cluster_figure(made)) is not None:
        (output / "clusters.png").write_bytes(png(songs))
    rows = [r.row() for r in made.results if r.probe == "chosen"]
    table(
        "The better of LR and SVM, chosen inside the training folds; 95 % intervals over artists",
        ["features", "protocol", "metric", "score", "interval"],
        [_cells(row) for row in rows],
    )
    for name, reason in made.skipped.items():
        out.print(f"left out: {name}: {reason}", soft_wrap=True)
    for path, reason in made.failures.items():
        err.print(f"left out: {path}: {reason}", soft_wrap=True)
    out.print(f"data: {json_file}\nreport: {page}", soft_wrap=True)


def _cells(row: dict[str, Any]) -> list[str]:
    interval = f"{row['low']:.3f} to {row['high']:.3f}"
    return [row["features"], row["protocol"], row["metric"], f"{row['score']:.3f}", interval]
