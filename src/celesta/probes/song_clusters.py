"""Clusters of the songs of any folder of music, with names, places on a map, and scores where there are labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta._files import atomic, printable
from celesta.datasets import Track
from celesta.errors import CelestaError, DataError, UsageError
from celesta.probes import clustering
from celesta.probes.cluster_methods import METHODS
from celesta.probes.clustering import Clustering
from celesta.probes.collection import DEFAULT_FEATURES, Collection, collect

MOST_LABELS = 20
"""Labels up to which their number is the default number of clusters; with more they are artists, not classes."""
_MOST_UNLABELLED = 0.5
"""Share of songs without a label up to which the number of labels counts."""
_SPECTRAL_SONGS = 4_000
"""Songs up to which spectral clustering is run: its memory grows with their square."""


@dataclass(frozen=True)
class Song:
    """A clustered song.

    Attributes:
        path: the file.
        title: from its tags or the data set; else the file's name without suffix.
        artist: from its tags or the data set, "" where unknown.
        label: "" where there is none.
    """

    path: Path
    title: str
    artist: str
    label: str


@dataclass(frozen=True, eq=False)
class SongClusters:
    """Songs, and all clusterings of them.

    Attributes:
        features: name of the features.
        songs: in the order of every assignment.
        clusterings: all methods in all spaces.
        groups: number of clusters.
        chosen_by: how this number was chosen: ``given``, ``labels`` or ``silhouette``.
        left_out: path of songs that could not be used, with the reason.
        skipped: method or space that was not run, with the reason.
    """

    features: str
    songs: list[Song]
    clusterings: list[Clustering]
    groups: int
    chosen_by: str
    left_out: dict[Path, str]
    skipped: dict[str, str]

    def __repr__(self) -> str:
        """Count songs and clusters in one short line."""
        return f"<SongClusters: {len(self.songs)} songs in {self.groups} clusters by {self.features}>"

    @property
    def labelled(self) -> bool:
        """Whether songs have labels of two classes or more, and clusterings therefore scores."""
        return self.main.ari is not None

    @property
    def classes(self) -> set[str]:
        """The labels."""
        return {song.label for song in self.songs} - {""}

    @property
    def main(self) -> Clustering:
        """The clustering that maps and lists show: K-Means in the largest space of principal components."""
        return max((c for c in self.clusterings if c.method == "kmeans" and c.pca), key=lambda c: c.pca or 0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON: every song with its cluster in each clustering."""
        names = [c.name for c in self.clusterings]
        table = np.stack([c.assignment for c in self.clusterings], axis=1)
        return {
            "features": self.features,
            "groups": self.groups,
            "groups_chosen_by": self.chosen_by,
            "main": self.main.name,
            "songs": [
                {
                    "path": printable(song.path),
                    "artist": song.artist,
                    "title": song.title,
                    "label": song.label,
                    "cluster": int(self.main.assignment[i]),
                    "coordinates": [round(float(x), 4) for x in self.main.coordinates[i]],
                    "clusters": dict(zip(names, table[i].tolist(), strict=True)),
                }
                for i, song in enumerate(self.songs)
            ],
            "clusters": [c.row() for c in self.clusterings],
            "left_out": {printable(path): reason for path, reason in self.left_out.items()},
            "skipped": self.skipped,
        }

    def to_csv(self, path: str | Path) -> Path:
        """Write a line for each song: cluster, artist, title, label, path, then its cluster in every clustering.

        Raises:
            UsageError: it cannot be written.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["cluster", "artist", "title", "label", "path", *(c.name for c in self.clusterings)])
        for i, song in enumerate(self.songs):
            columns = [song.artist, song.title, song.label, printable(song.path)]
            writer.writerow([self.main.assignment[i], *columns, *(c.assignment[i] for c in self.clusterings)])
        with atomic(path, UsageError) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
        return Path(path)


def cluster_songs(
    data: Sequence[str | Path],
    *,
    features: str = DEFAULT_FEATURES,
    groups: int | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
    lists: str | Path | None = None,
    encoding: str | None = None,
    workers: int = 1,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> SongClusters:
    """Cluster the songs of any folder of music; labels are optional and only score the clusters.

    Args:
        data: folders, files or CSV lists, see :func:`celesta.datasets.load`.
        features: see :func:`celesta.features.names`.
        groups: number of clusters; None for as many as there are labels (2 to 20), otherwise for the number of 2 to
            10 with the largest silhouette.
        seed: of the methods' random starts.
        cache: folder of features; None for the user's, see :func:`celesta.features.cache_folder`.
        lists: folder of GTZAN's lists.
        encoding: of CSV files, see :func:`celesta.datasets.load`.
        workers: number of threads or processes that extract features.
        device: of the networks, see :func:`celesta.features.extract`.
        progress: called with songs done and their number.

    Raises:
        DataError: fewer than 3 songs can be read, or as few as there are clusters.
        UsageError, ModelError: the feature is unknown or its weights are missing.
    """
    songs = collect(
        data, features, cache=cache, lists=lists, encoding=encoding, labelled=False, faulty=False, workers=workers,
        device=device, progress=progress,
    )  # fmt: skip
    if len(songs.tracks) < clustering.LEAST_SONGS:
        unreadable = f" ({len(songs.left_out)} left out)" if songs.left_out else ""
        raise DataError(
            f"cluster: songs that can be read: {len(songs.tracks)}{unreadable}; "
            f"at least {clustering.LEAST_SONGS} are needed"
        )
    return group(songs, groups=groups, seed=seed)


def group(songs: Collection, *, groups: int | None = None, seed: int = 0) -> SongClusters:
    """Cluster a collection by every method in every space; arguments as for :func:`cluster_songs`."""
    labels = songs.labels
    if np.allclose(songs.X, songs.X[0], rtol=1e-6, atol=1e-9):
        raise DataError(f"cluster: the {len(labels)} songs have the same features, as copies do; give different songs")
    classes = len(set(labels.tolist()) - {""})
    number, chosen_by = groups, "given"
    if number is None:
        number, chosen_by = classes, "labels"
        if not 2 <= classes <= min(MOST_LABELS, len(labels) // 2) or np.mean(labels == "") > _MOST_UNLABELLED:
            number, chosen_by = clustering.choose_groups(songs.X, seed=seed, blocks=songs.blocks), "silhouette"
    skipped = {}
    for pca in clustering.SPACES:
        if pca and pca > min(songs.X.shape):
            reason = f"needs that many songs and features; here are {songs.X.shape[0]} songs"
            skipped[f"PCA({pca})"] = reason
    methods = list(METHODS)
    if len(labels) > _SPECTRAL_SONGS:
        methods.remove("spectral")
        skipped["spectral"] = f"needs memory for the square of {len(labels)} songs; it is run up to {_SPECTRAL_SONGS}"
    found = clustering.sweep(
        songs.X, labels if classes > 1 else None, methods=methods, groups=number, seeds=(seed,), blocks=songs.blocks
    )  # fmt: skip
    named = [_song(track) for track in songs.tracks]
    return SongClusters(songs.features, named, found, number, chosen_by, songs.left_out, skipped)


def _song(track: Track) -> Song:
    try:
        tags = audio.info(track.path).tags
    except CelestaError:
        tags = {}
    title = track.extra.get("title") or tags.get("title") or printable(track.path.stem)
    artist = track.extra.get("artist") or tags.get("artist", "")
    if not artist and track.dataset == "gtzan" and track.group != track.id:
        artist = track.group
    return Song(track.path, printable(title), printable(artist), track.label)
