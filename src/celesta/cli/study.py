"""`celesta study`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta import _extras
from celesta.cli import console
from celesta.cli.checks import check_compute, check_features
from celesta.cli.files import free, output_folder
from celesta.cli.options import FEATURES, Cache, Data, Device, Encoding, Folds, Force, Json, Lists, Strict, cache_of
from celesta.cli.progress import working

if TYPE_CHECKING:
    from celesta.study.result import Study


def study(
    data: Data,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for study.html, study.json and figures.")
    ] = Path("study"),
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            "-f",
            metavar="NAME",
            help=f"Only this feature extractor; repeat it for several: {FEATURES}",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Repetitions of the folds.")] = 5,
    classifier: Annotated[
        bool, typer.Option("--classifier/--no-classifier", help="Also train the classifier of the 2024 report.")
    ] = True,
    folds: Folds = None,
    cache: Cache = None,
    lists: Lists = None,
    encoding: Encoding = None,
    workers: Annotated[int, typer.Option(min=0, metavar="N", help="Processes; 0 for one a processor core.")] = 0,
    device: Device = "auto",
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Measure what features say about labelled music: classifiers, boosted trees, clusters, with controls.

    A study that was interrupted continues where it was: features and probes are saved in the cache. What needs
    PyTorch is left out where that is not installed.

    Example: `celesta study --data gtzan --data 4qaed -o study`

    Example: `celesta study --data music/ -f handcrafted -f latent:cel-3`
    """
    _extras.require("sklearn", "celesta study")
    from celesta.report.figures import png
    from celesta.report.study import cluster_figure, summary_figure, write_page
    from celesta.study import DEFAULT_FEATURES
    from celesta.study import study as run_study
    from celesta.study.methods import CLASSIFIED

    console.be_strict(strict)
    for name in features or ():
        check_features(name)
    check_compute(device)
    with working("study", "loading", parts=True) as meter:
        output_folder(output)
        free(output / "study.html", force)
        made = run_study(
            data,
            features=features or DEFAULT_FEATURES,
            cache=cache_of(cache),
            lists=lists,
            seeds=range(seeds),
            classifier=CLASSIFIED if classifier else (),
            folds=folds,
            encoding=encoding,
            workers=workers,
            device=device,
            progress=meter.steps,
        )
        json_file = made.to_json(output / "study.json")
        page = write_page(made, output / "study.html")
        (output / "scores.png").write_bytes(png(summary_figure(made)))
        if (songs := cluster_figure(made)) is not None:
            (output / "clusters.png").write_bytes(png(songs))
    console.left_out(made.failures)
    if as_json:
        console.emit({"page": page, **json.loads(json_file.read_text(encoding="utf-8"))}, indent=1)
    else:
        _print(made)
        console.say(f"data: {json_file}")
        console.say(f"report: {page}")


def _print(made: Study) -> None:
    """Print the scores of each feature, and what was left out."""
    rows = [r.row() for r in made.results if r.probe == "chosen"]
    console.say("The better of LR and SVM, chosen inside the training folds; 95 % intervals over artists")
    console.table(
        "", ["features", "protocol", "metric", "score", "interval"], [_cells(r) for r in rows], spare=("metric",)
    )
    for name, reason in made.skipped.items():
        console.say(f"left out: {name}: {reason}")


def _cells(row: dict[str, Any]) -> list[str]:
    interval = f"{row['low']:.3f} to {row['high']:.3f}"
    return [row["features"], row["protocol"], row["metric"], f"{row['score']:.3f}", interval]
