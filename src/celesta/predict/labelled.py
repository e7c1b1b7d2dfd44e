"""Train predictors on folders of labelled music, and score them on other folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from celesta.errors import DataError
from celesta.features import FeatureCache, cache_folder
from celesta.predict.predictor import Predictor, song_hash
from celesta.predict.training import evaluate, train
from celesta.probes import splits
from celesta.probes.collection import DEFAULT_FEATURES, Collection, collect
from celesta.probes.cross_validation import Result, cross_validate

FOLDS = 5
SEEDS = (0, 1)
"""Repetitions of the folds: two show whether a score depends on them."""
Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done, and their number."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A predictor with the scores of its kind of classifier in cross-validation.

    Attributes:
        predictor: trained on all songs.
        result: predictions of songs by classifiers that were not trained on their group.
        songs: that were used, and those that were left out with the reason.
        folds: number of folds.
        note: why there are fewer folds than usual, or that groups are unknown; "" otherwise.
    """

    predictor: Predictor
    result: Result
    songs: Collection
    folds: int
    note: str

    def __repr__(self) -> str:
        """Name classes and score in one short line."""
        return f"<Trained: {self.predictor!r}, macro-F1 {self.result.score:.3f}>"


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Scores of a predictor on labelled music.

    Attributes:
        result: predictions and scores.
        songs: that were scored, and those that were left out with the reason.
        trained_on: number of these songs that the predictor was trained on; their scores say nothing.
    """

    result: Result
    songs: Collection
    trained_on: int

    def __repr__(self) -> str:
        """Count songs and name the score in one short line."""
        return f"<Evaluated: {len(self.songs.tracks)} songs, macro-F1 {self.result.score:.3f}>"


def train_on(
    data: Sequence[str | Path],
    *,
    features: str = DEFAULT_FEATURES,
    cache: str | Path | None = None,
    lists: str | Path | None = None,
    encoding: str | None = None,
    folds: int | None = None,
    workers: int = 1,
    device: str = "auto",
    progress: Progress | None = None,
) -> Trained:
    """Train a predictor on labelled music, and score its kind of classifier by folds that keep groups whole.

    Args:
        data: folders with one sub-folder a class, or CSV files, see :func:`celesta.datasets.load`.
        features: see :func:`celesta.features.names`.
        cache: folder of features; None for the user's, see :func:`celesta.features.cache_folder`.
        lists: folder of GTZAN's lists.
        encoding: of CSV files.
        folds: number of folds; None for 5, or as many as the class with the fewest groups allows.
        workers: number of threads or processes that extract features.
        device: of the networks, see :func:`celesta.features.extract`.
        progress: see :data:`Progress`.

    Raises:
        DataError: a class has fewer groups than there are folds, or no song has a label.
        UsageError, ModelError: the feature is unknown or its weights are missing.
    """
    tell = progress or (lambda *_: None)
    songs = _collect(data, features, cache, lists, encoding, workers, device, tell)
    labels, groups = songs.labels, songs.groups
    count = splits.fitting_folds(labels, groups, FOLDS) if folds is None else folds
    tell(f"scoring {len(labels)} songs", 0, 1)
    result = cross_validate(
        songs.X, labels, groups, probe="lr", folds=count, seeds=SEEDS, blocks=songs.blocks, features=features
    )  # fmt: skip
    tell(f"training on {len(labels)} songs", 0, 1)
    row = result.row()
    about: dict[str, Any] = {"data": [Path(path).name for path in data], "songs": len(labels), "folds": count}
    about |= {"macro-F1, folds": row["score"], "accuracy, folds": row["accuracy"]}
    predictor = train(
        songs.X, labels, groups, features=features, blocks=songs.blocks, about=about, contents=_contents(songs, cache)
    )
    return Trained(predictor, result, songs, count, _note(groups, folds, count))


def evaluate_on(
    predictor: Predictor,
    data: Sequence[str | Path],
    *,
    cache: str | Path | None = None,
    lists: str | Path | None = None,
    encoding: str | None = None,
    workers: int = 1,
    device: str = "auto",
    progress: Progress | None = None,
) -> Evaluated:
    """Score a predictor on labelled music; songs that it was trained on are counted.

    Args:
        predictor: of one class a song.
        data: folders with one sub-folder a class, or CSV files, see :func:`celesta.datasets.load`.
        cache: folder of features; None for the user's, see :func:`celesta.features.cache_folder`.
        lists: folder of GTZAN's lists.
        encoding: of CSV files.
        workers: number of threads or processes that extract features.
        device: of the networks, see :func:`celesta.features.extract`.
        progress: see :data:`Progress`.

    Warns:
        UserWarning: songs were trained on.

    Raises:
        DataError: a label is none of the predictor's classes, it predicts several labels a song, or no song has one.
    """
    if not predictor.exclusive:
        raise DataError("this predictor gives several labels a song; only predictors of one class are scored")
    tell = progress or (lambda *_: None)
    songs = _collect(data, predictor.features, cache, lists, encoding, workers, device, tell)
    contents = _contents(songs, cache)
    result = evaluate(predictor, songs.X, songs.labels, songs.groups, contents)
    return Evaluated(result, songs, sum(song_hash(content) in predictor.trained_on for content in contents))


def _collect(
    data: Sequence[str | Path],
    features: str,
    cache: str | Path | None,
    lists: str | Path | None,
    encoding: str | None,
    workers: int,
    device: str,
    tell: Progress,
) -> Collection:
    def report(done: int, total: int) -> None:
        tell("features", done, total)

    return collect(
        data, features, cache=cache, lists=lists, encoding=encoding, workers=workers, device=device, progress=report
    )


def _contents(songs: Collection, cache: str | Path | None) -> list[str]:
    """SHA-256 of each song's file, which the cache remembers from the extraction."""
    store = FeatureCache(cache or cache_folder())
    return [store.content(track.path) for track in songs.tracks]


def _note(groups: np.ndarray, asked: int | None, count: int) -> str:
    notes = []
    if asked is None and count < FOLDS:
        notes.append(f"{count} folds instead of {FOLDS}, because a class has no more than {count} groups")
    if len(np.unique(groups)) == len(groups):
        notes.append("groups are unknown: songs of one artist may train and be scored at once, which overstates scores")
    return "; ".join(notes)
