"""Verbs about what latents know: study, cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from celesta.cli.console import bar, err, out, table

Data = Annotated[
    list[Path],
    typer.Option("--data", help="GTZAN, 4QAED, or a folder with one sub-folder a class; several.", show_default=False),
]
KINDS = "Kind of features: celesta-features, musicnn, handcrafted, latent:MODEL, layers:MODEL, ..."
Cache = Annotated[Path, typer.Option(help="Folder of features, kept from run to run.")]
Lists = Annotated[Path | None, typer.Option(help="Folder of GTZAN's filtered lists.", show_default=False)]


def study(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page and study.json.")] = Path("study"),
    features: Annotated[
        list[str] | None, typer.Option("--features", "-f", help=f"{KINDS} Only these.", show_default=False)
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
    from celesta.study import DEFAULT_KINDS
    from celesta.study import study as run_study
    from celesta.study.finetuned_heads import MODELS

    with bar() as progress:
        task = progress.add_task("study", total=None)

        def told(text: str, done: int, total: int) -> None:
            progress.update(task, description=text[:50], completed=done, total=total)

        made = run_study(
            data,
            kinds=features or DEFAULT_KINDS,
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


def cluster(
    data: Data,
    features: Annotated[str, typer.Option("--features", "-f", help=KINDS)] = "latent:cel-silu",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for figures and JSON.")] = Path("clusters"),
    groups: Annotated[int | None, typer.Option(min=2, help="Groups; as many as labels if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Of the methods' starts.")] = 0,
    cache: Cache = Path("cache/features"),
    lists: Lists = None,
) -> None:
    """Group songs without their labels: PCA, K-Means, Gaussian mixture, Ward, spectral; figures and scores.

    Example: `celesta cluster --data music/ -f latent:cel-3`
    """
    from celesta.probes import clustering
    from celesta.report.clusters import scatter
    from celesta.report.page import Page

    X, weighed, labels, _ = labelled_features(data, features, cache, lists, faulty=False)
    made = clustering.sweep(X, labels, groups=groups, seeds=(seed,), blocks=weighed)
    page = Page("Celesta: clusters", f"{features} of {len(labels)} songs; labels only score.")
    head = ["method", "space", "ARI", "AMI", "V-measure"]
    rows = [[c.method, c.space, f"{c.ari:.3f}", f"{c.ami:.3f}", f"{c.v_measure:.3f}"] for c in made]
    page.section("Scores")
    page.table(head, rows)
    page.section("Figures")
    for one in made:
        page.heading(f"{one.method}, {one.space}")
        page.figure(scatter(one.coordinates, labels, one.assignment), f"{one.method} in {one.space}")
    file = page.write(output / "clusters.html")
    document = {"features": features, "songs": len(labels), "clusters": [one.row() for one in made]}
    (output / "clusters.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    table(f"{features}, {len(labels)} songs", head, rows)
    for pca in clustering.SPACES:
        if pca and pca > min(X.shape):
            out.print(f"left out: PCA({pca}), which needs as many songs, and numbers a song; here are {X.shape}")
    out.print(f"data: {output / 'clusters.json'}\nreport: {file}", soft_wrap=True)


def labelled_features(
    data: list[Path], kind: str, cache: Path, lists: Path | None, *, faulty: bool = True
) -> tuple[np.ndarray, list[tuple[int, float]], np.ndarray, np.ndarray]:
    """Features, their blocks, labels and groups of every labelled track that can be read; the others are named.

    ``faulty``: whether tracks that GTZAN's lists leave out are taken too.
    """
    from celesta import datasets
    from celesta.errors import DataError
    from celesta.features import FeatureCache, extract
    from celesta.features.fusion import blocks, needed

    tracks = [t for t in datasets.load(data, lists=lists) if t.label and (faulty or t.split != "faulty")]
    if not tracks:
        raise DataError(f"{data[0]}: no track has a label; give one sub-folder a class, or a CSV of path and label")
    with bar() as progress:
        task = progress.add_task("features", total=len(tracks))
        found = extract(
            [t.path for t in tracks],
            needed([kind]),
            FeatureCache(cache),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    for path, reason in found.failures.items():
        err.print(f"left out: {path}: {reason}", soft_wrap=True)
    readable = set(found.paths)
    tracks = [t for t in tracks if t.path in readable]
    X, weighed = blocks(found, kind, [t.path for t in tracks])
    return X, weighed, np.array([t.label for t in tracks]), np.array([t.group for t in tracks])


def _cells(row: dict[str, Any]) -> list[str]:
    interval = f"{row['low']:.3f} to {row['high']:.3f}"
    return [row["features"], row["protocol"], row["metric"], f"{row['score']:.3f}", interval]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command()(study)
    app.command()(cluster)
