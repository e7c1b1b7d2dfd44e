"""Train on one collection and score another: augmented copies, late layers, and standardisation by collection.

Everything is trained on the training side alone. Settings were ranked there, by folds that keep artists whole, on the
clips and on augmented copies of them (scripts/rank_choices.py). Only the transductive result sees the other
collection, without its labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from celesta.features.augmented import altered_arrays, altered_features
from celesta.features.cache import FeatureCache, Key
from celesta.features.extract import Features, song_arrays
from celesta.features.fusion import Blocks, blocks, needed
from celesta.features.musicnn import load_musicnn
from celesta.features.parallel import all_songs
from celesta.features.registry import extractor
from celesta.predict import training as predictors
from celesta.probes.cross_validation import Result, run
from celesta.probes.late_layers import LateConfig, train_late
from celesta.probes.protocols import Protocol
from celesta.study.late_layers import columns
from celesta.study.memo import PROBES_VERSION, digest, pack_choices, remember, unpack_choices
from celesta.study.methods import PATCHES, TAGGER, Method

_CONSTANT = 1e-6
"""Standard deviation below which a feature of a collection counts as constant."""


def results(protocol: Protocol, features: Features, name: str, cache: FeatureCache, workers: int = 1) -> list[Result]:
    """Return four results: a regression and late layers trained with copies, their mean, and the transductive probe.

    Args:
        protocol: ``cross``, with one split.
        features: that hold ``name`` of all its tracks.
        name: of the features, such as ``celesta-features``.
        cache: of the copies' features, and of results computed before.
        workers: number of processes.
    """
    paths = [t.path for t in protocol.tracks]
    X, sizes = blocks(features, name, paths)
    version = f"{PROBES_VERSION} {LateConfig()}"
    key = Key(digest(protocol, X, sizes), "cross", extractor(PATCHES).weights, version)
    arrays = remember(cache, key, lambda: _predictions(protocol, paths, X, sizes, name, cache, workers))
    regression, late = (arrays[part].astype(np.float64) for part in ("regression", "late"))
    test = protocol.splits[0].test
    strength, transductive = {f"lr C={arrays['strength'][0]:g}": 1}, arrays["transductive"].astype(np.float64)
    return [
        Result(protocol, name, Method.COPIES, test, regression[None], strength),
        Result(protocol, TAGGER, Method.LATE_COPIES, test, late[None], {}),
        Result(protocol, name, Method.LATE_AND_COPIES, test, ((regression + late) / 2)[None], {}),
        Result(protocol, name, Method.TRANSDUCTIVE, np.unique(test), transductive, unpack_choices(arrays)),
    ]


def _predictions(
    protocol: Protocol,
    paths: Sequence[Path],
    X: np.ndarray,
    sizes: Blocks,
    name: str,
    cache: FeatureCache,
    workers: int,
) -> dict[str, np.ndarray]:
    split = protocol.splits[0]
    mine = [paths[i] for i in split.train]
    labels, groups = protocol.labels[split.train], protocol.groups[split.train]
    copies, _ = blocks(altered_features(mine, needed([name]), cache, workers), name)
    extra = (copies, np.arange(len(mine)))
    predictor = predictors.train(X[split.train], labels, groups, features=name, blocks=sizes, extra=extra)
    regression = columns(predictor.predict_proba(X[split.test]), predictor.classes, protocol.classes)
    late = columns(*_late(mine, labels, [paths[i] for i in split.test], cache, workers), protocol.classes)
    collections = np.array([t.dataset for t in protocol.tracks])
    transductive = run(protocol, standardised_by(X, collections), "chosen", features=name, blocks=sizes)
    arrays = {"regression": regression, "late": late, "transductive": transductive.probabilities}
    return arrays | {"strength": np.array([predictor.about["strength"]])} | pack_choices(transductive.choices)


def standardised_by(X: np.ndarray, collections: np.ndarray) -> np.ndarray:
    """Standardise each feature of ``(n, D)`` within its own collection ``(n,)``; no label is read."""
    standard = np.zeros(X.shape)
    for name in np.unique(collections):
        rows = collections == name
        deviation = X[rows].std(axis=0)
        standard[rows] = (X[rows] - X[rows].mean(axis=0)) / np.where(deviation > _CONSTANT, deviation, np.inf)
    return standard


def _late(
    train: Sequence[Path], labels: np.ndarray, test: Sequence[Path], cache: FeatureCache, workers: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Probabilities ``(test, classes)`` of late layers trained on songs and their copies, and the classes."""
    clips = all_songs(song_arrays, train, [PATCHES], cache, workers)
    copies = all_songs(altered_arrays, train, [PATCHES], cache, workers)
    songs = [arrays[0] for arrays in (*clips, *copies)]
    scored = [arrays[0] for arrays in all_songs(song_arrays, test, [PATCHES], cache, workers)]
    tagger = load_musicnn(TAGGER.removeprefix("musicnn-").upper())
    model = train_late(tagger, songs, np.concatenate([labels, labels]))
    return model.predict_proba(scored), model.classes
