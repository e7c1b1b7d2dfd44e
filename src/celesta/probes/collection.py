"""Songs of folders or lists with the feature vectors of all that can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta import datasets
from celesta._files import printable
from celesta.datasets import Track
from celesta.errors import DataError
from celesta.features import FeatureCache, cache_folder, extract
from celesta.features.fusion import blocks, needed
from celesta.probes.scaling import Blocks

DEFAULT_FEATURES = "celesta-features"
NO_LABEL = "no label: not in a sub-folder, or an empty label in the CSV"
NOT_IN_LISTS = "left out by the lists of the data set (faulty, a replica, or an artist that another set holds out)"


@dataclass(frozen=True, eq=False)
class Collection:
    """Songs with one vector each.

    Attributes:
        tracks: songs that could be read, in order.
        features: name of the features.
        X: ``(songs, D)`` float32 vectors.
        blocks: sizes and weights of the blocks of the vectors.
        left_out: path of every other song to the reason.
    """

    tracks: list[Track]
    features: str
    X: np.ndarray
    blocks: Blocks
    left_out: dict[Path, str]

    def __repr__(self) -> str:
        """Count songs in one short line."""
        return f"<Collection: {len(self.tracks)} songs, {self.features}, {len(self.left_out)} left out>"

    @property
    def labels(self) -> np.ndarray:
        """``(songs,)`` names, "" where a song has none."""
        return np.array([t.label for t in self.tracks])

    @property
    def groups(self) -> np.ndarray:
        """``(songs,)`` names of what folds keep whole, such as artists."""
        return np.array([t.group for t in self.tracks])


def collect(
    data: Sequence[str | Path],
    features: str = DEFAULT_FEATURES,
    *,
    cache: str | Path | None = None,
    lists: str | Path | None = None,
    encoding: str | None = None,
    labelled: bool = True,
    faulty: bool = True,
    workers: int = 1,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Collection:
    """Extract one feature of every song of folders, files or CSV lists.

    Args:
        data: see :func:`celesta.datasets.load`.
        features: see :func:`celesta.features.names`.
        cache: folder of features; None for the user's, see :func:`celesta.features.cache_folder`.
        lists: folder of GTZAN's lists.
        encoding: of CSV files; None for UTF-8, or UTF-16 with a byte order mark.
        labelled: leave songs without a label out, with that reason.
        faulty: take songs that GTZAN's lists leave out.
        workers: number of threads or processes.
        device: of the networks, see :func:`celesta.features.extract`.
        progress: called with songs done and their number.

    Raises:
        DataError: no song is left, or a folder or list is missing.
        UsageError, ModelError: the feature is unknown or its weights are missing.
    """
    tracks = datasets.load(data, lists=lists, encoding=encoding)
    left_out: dict[Path, str] = {}
    if labelled:
        left_out = {t.path: NO_LABEL for t in tracks if not t.label}
        if len(left_out) == len(tracks):
            where = printable(data[0])
            raise DataError(f"{where}: no song has a label; give one sub-folder a class, or a CSV of path and label")
    if not faulty:
        left_out |= {t.path: NOT_IN_LISTS for t in tracks if t.split == "faulty"}
    tracks = [t for t in tracks if t.path not in left_out]
    if not tracks:
        raise DataError(f"{printable(data[0])}: every song is left out; the first: {next(iter(left_out.values()))}")
    found = extract(
        [t.path for t in tracks],
        needed([features]),
        FeatureCache(cache or cache_folder()),
        progress,
        workers,
        device=device,
    )
    readable = set(found.paths)
    tracks = [t for t in tracks if t.path in readable]
    X, sizes = blocks(found, features, [t.path for t in tracks])
    return Collection(tracks, features, X, sizes, left_out | found.failures)
