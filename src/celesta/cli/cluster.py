"""`celesta cluster`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from celesta import _extras
from celesta._files import atomic
from celesta.cli import console
from celesta.cli.checks import check_compute, check_features
from celesta.cli.files import free, output_folder
from celesta.cli.options import Cache, Device, Encoding, Features, Force, Json, Lists, Seed, Strict, Workers, cache_of
from celesta.cli.progress import working
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.probes.song_clusters import SongClusters

_SHOWN = 3
"""Songs of each cluster that the terminal names."""


def cluster(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            metavar="FOLDER|CSV",
            help="Music, with or without labels: any folder, a file, or a CSV with the columns path and label. Repeat "
            "it for several.",
            show_default=False,
        ),
    ],
    features: Features = "celesta-features",
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FOLDER", help="Folder for clusters.html, clusters.csv, clusters.json."),
    ] = Path("clusters"),
    groups: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Number of clusters; by default that of the labels, or the one with the largest silhouette.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    cache: Cache = None,
    lists: Lists = None,
    encoding: Encoding = None,
    workers: Workers = 1,
    device: Device = "auto",
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Cluster songs by their features: K-Means, Gaussian mixture, Ward, spectral, each with and without PCA.

    Works with any music from 3 songs on. The page maps the songs, the CSV lists the cluster of each. Labels (the first
    sub-folder, or the CSV's) are optional and only score the clusters.

    Example: `celesta cluster --data music/`

    Example: `celesta cluster --data music/ --groups 8 -f latent:cel-3`
    """
    _extras.require("sklearn", "celesta cluster")
    from celesta.probes.song_clusters import cluster_songs
    from celesta.report.clusters import write_page
    from celesta.report.page import Link

    check_compute(device)
    check_features(features)
    output_folder(output)
    page, table, saved = (free(output / f"clusters.{suffix}", force) for suffix in ("html", "csv", "json"))
    console.be_strict(strict)
    with working("cluster", "looking for files", parts=True) as meter:
        found = cluster_songs(
            data, features=features, groups=groups, seed=seed, cache=cache_of(cache), lists=lists, encoding=encoding,
            workers=workers, device=device, progress=lambda done, total: meter.steps("features", done, total),
        )  # fmt: skip
        meter.doing(f"writing {len(found.songs)} songs")
        document = found.to_dict()
        with atomic(saved, UsageError) as temporary:
            temporary.write_text(json.dumps(document, indent=1), encoding="utf-8")
        found.to_csv(table)
        write_page(found, page, [Link("clusters.csv", "clusters.csv"), Link("clusters.json", "clusters.json")])
    console.left_out(found.left_out)
    if as_json:
        console.emit({"page": page, "csv": table, **document}, indent=1)
    else:
        _print(found)
        console.say(f"songs: {table}")
        console.say(f"data: {saved}")
        console.say(f"report: {page}")


def _print(found: SongClusters) -> None:
    """Print each cluster with a few of its songs, the scores where there are labels, and what was left out."""
    console.say(f"{len(found.songs)} songs in {found.groups} clusters by {found.features} ({found.main.name})")
    for number in range(found.groups):
        mine = [song for song, one in zip(found.songs, found.main.assignment, strict=True) if one == number]
        names = [f"{song.artist} - {song.title}" if song.artist else song.title for song in mine[:_SHOWN]]
        count = "1 song" if len(mine) == 1 else f"{len(mine)} songs"
        console.say(f"cluster {number}: {count}: {'; '.join(names)}{'; ...' if len(mine) > _SHOWN else ''}")
    if found.labelled:
        from celesta.report.clusters import score_table

        console.table("", *score_table(found))
    for name, reason in found.skipped.items():
        console.say(f"left out: {name}: {reason}")
