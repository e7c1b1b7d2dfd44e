"""`celesta cluster`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.files import free, ready_folder
from celesta.cli.labelled import labelled_features
from celesta.cli.options import DEFAULT_CACHE, Cache, Data, Features, Force, Json, Lists, Seed
from celesta.cli.progress import working


def cluster(
    data: Data,
    features: Features = "latent:cel-silu",
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for clusters.html and clusters.json.")
    ] = Path("clusters"),
    groups: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Number of clusters; by default that of the labels.", show_default=False),
    ] = None,
    seed: Seed = 0,
    cache: Cache = DEFAULT_CACHE,
    lists: Lists = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Cluster songs by their features: K-Means, Gaussian mixture, Ward, spectral, each with and without PCA.

    Labels only score the clusters.

    Example: `celesta cluster --data music/ -f latent:cel-3`
    """
    from celesta.probes import clustering
    from celesta.report.clusters import scatter
    from celesta.report.page import Page

    ready_folder(output)
    file, saved = free(output / "clusters.html", force), free(output / "clusters.json", force)
    with working("cluster", "loading") as meter:
        X, weighed, labels, _ = labelled_features(data, features, cache, lists, meter, faulty=False)
        meter.doing(f"clustering {len(labels)} songs")
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
    page.write(file)
    document = {"features": features, "songs": len(labels), "clusters": [one.row() for one in made]}
    saved.write_text(json.dumps(console.plain(document), indent=1), encoding="utf-8")
    if as_json:
        console.emit({"page": file, **document}, indent=1)
        return
    console.say(f"{features}, {len(labels)} songs")
    console.table("", head, rows)
    for pca in clustering.SPACES:
        if pca and pca > min(X.shape):
            console.say(f"left out: PCA({pca}) needs that many songs and features; here are {X.shape}")
    console.say(f"data: {saved}")
    console.say(f"report: {file}")
