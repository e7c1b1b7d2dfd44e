"""From one collection to another: what altered copies, late layers and collections' own scales are worth.

All is trained on the training side alone. What was tried was ranked there, by folds that keep artists whole, on the
clips and on altered copies of them. Only the row that is called transductive sees the other collection, without labels.
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
from celesta.predict import predictor as predictors
from celesta.probes.cross_validation import Result, run
from celesta.probes.late_layers import LateConfig, train_late
from celesta.probes.protocols import Protocol
from celesta.study.late_layers import PATCHES, TAGGER, columns
from celesta.study.memo import PROBES_VERSION, asked, choices_in, kept, with_choices

COPIES = "lr, altered copies"
LATE = "late layers, altered copies"
BOTH = "mean of lr and late layers"
STANDARDISED = "chosen, transductive"


def results(protocol: Protocol, features: Features, kind: str, cache: FeatureCache, workers: int = 1) -> list[Result]:
    """Four rows: a regression trained on copies too, musicnn's late layers likewise, both, and the transductive one.

    Args:
        protocol: ``cross``, with one split.
        features: that hold ``kind`` of all its tracks.
        kind: such as ``celesta-features``.
        cache: copies' features are kept in it.
        workers: processes.
    """
    paths = [t.path for t in protocol.tracks]
    X, weighed = blocks(features, kind, paths)
    version = f"{PROBES_VERSION} {LateConfig()}"
    key = Key(asked(protocol, X, weighed), "cross", extractor(PATCHES).weights, version)
    arrays = kept(cache, key, lambda: _answers(protocol, paths, X, weighed, kind, cache, workers))
    regression, late = (arrays[name].astype(np.float64) for name in ("regression", "late"))
    test = protocol.splits[0].test
    return [
        Result(protocol, kind, COPIES, test, regression[None], {f"lr C={arrays['strength'][0]:g}": 1}),
        Result(protocol, TAGGER, LATE, test, late[None], {}),
        Result(protocol, kind, BOTH, test, ((regression + late) / 2)[None], {}),
        Result(protocol, kind, STANDARDISED, np.unique(test), arrays["own"].astype(np.float64), choices_in(arrays)),
    ]


def _answers(
    protocol: Protocol,
    paths: Sequence[Path],
    X: np.ndarray,
    weighed: Blocks,
    kind: str,
    cache: FeatureCache,
    workers: int,
) -> dict[str, np.ndarray]:
    split = protocol.splits[0]
    mine = [paths[i] for i in split.train]
    labels, groups = protocol.labels[split.train], protocol.groups[split.train]
    copies, _ = blocks(altered_features(mine, needed([kind]), cache, workers), kind)
    extra = (copies, np.arange(len(mine)))
    predictor = predictors.train(X[split.train], labels, groups, features=kind, blocks=weighed, extra=extra)
    regression = columns(predictor.predict_proba(X[split.test]), predictor.classes, protocol.classes)
    late = columns(*_late(mine, labels, [paths[i] for i in split.test], cache, workers), protocol.classes)
    datasets = np.array([t.dataset for t in protocol.tracks])
    own = run(protocol, standardised_by(X, datasets), "chosen", features=kind, blocks=weighed)
    strength = np.array([predictor.about["strength"]])
    made = {"regression": regression, "late": late, "own": own.probabilities, "strength": strength}
    return made | with_choices(own.choices)


def standardised_by(X: np.ndarray, collections: np.ndarray) -> np.ndarray:
    """Each number of ``(n, D)`` by the mean and spread of its own collection ``(n,)``; no label is read."""
    made = np.zeros(X.shape)
    for name in np.unique(collections):
        rows = collections == name
        spread = X[rows].std(axis=0)
        made[rows] = (X[rows] - X[rows].mean(axis=0)) / np.where(spread > 1e-6, spread, np.inf)
    return made


def _late(
    train: Sequence[Path], labels: np.ndarray, test: Sequence[Path], cache: FeatureCache, workers: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Probabilities ``(test, classes)`` of the tagger's late layers, trained on songs and their copies; the classes."""
    kinds = [PATCHES]
    clips = all_songs(song_arrays, train, kinds, cache, workers)
    copies = all_songs(altered_arrays, train, kinds, cache, workers)
    songs = [arrays[0] for arrays in (*clips, *copies)]
    asked = [arrays[0] for arrays in all_songs(song_arrays, test, kinds, cache, workers)]
    tagger = load_musicnn(TAGGER.removeprefix("musicnn-").upper())
    model = train_late(tagger, songs, np.concatenate([labels, labels]))
    return model.predict_proba(asked), model.classes
