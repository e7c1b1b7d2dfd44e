"""`celesta cluster`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import out, table
from celesta.cli.labelled import labelled_features
from celesta.cli.options import FEATURES, Cache, Data, Lists


def cluster(
    data: Data,
    features: Annotated[str, typer.Option("--features", "-f", help=FEATURES)] = "latent:cel-silu",
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
