"""A tagger's late layers trained further inside every training fold, alone and averaged with the chosen probe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import joblib
import numpy as np

from celesta._device import threads
from celesta.features.cache import FeatureCache, Key
from celesta.features.extract import song_arrays
from celesta.features.musicnn import load_musicnn
from celesta.features.parallel import all_songs
from celesta.features.registry import extractor
from celesta.probes.cross_validation import Result, joined
from celesta.probes.late_layers import LateConfig, train_late
from celesta.probes.protocols import Protocol
from celesta.probes.splits import Split
from celesta.study.memo import remember
from celesta.study.methods import PATCHES, TAGGER, Method

CONFIG = LateConfig()


def results(protocol: Protocol, chosen: Result, cache: FeatureCache, workers: int = 1) -> list[Result]:
    """Return two results: the late layers, and the mean of their probabilities and the chosen probe's.

    Args:
        protocol: with one class a song.
        chosen: result of the chosen probe on the study's leading features.
        cache: of patches, and of results computed before.
        workers: number of processes.
    """
    paths = [t.path for t in protocol.tracks]
    key = _key(protocol, [cache.content(path) for path in paths])

    def compute() -> dict[str, np.ndarray]:
        all_songs(song_arrays, paths, [PATCHES], cache, workers)
        shares = [protocol.splits[i::workers] for i in range(workers) if protocol.splits[i::workers]]
        parts = joblib.Parallel(len(shares))(
            joblib.delayed(_predictions)(paths, protocol.labels, protocol.classes, share, cache.folder)
            for share in shares
        )
        return {str(i + workers * n): fold for i, part in enumerate(parts) for n, fold in enumerate(part)}

    arrays = remember(cache, key, compute)
    folds = [(np.asarray(arrays[str(i)], np.float64), str(Method.LATE)) for i in range(len(protocol.splits))]
    late = joined(protocol, TAGGER, Method.LATE, folds)
    both = (late.probabilities + chosen.probabilities) / 2
    return [late, Result(protocol, chosen.features, Method.LATE_AND_CHOSEN, late.rows, both, {})]


def _predictions(
    paths: Sequence[Path], labels: np.ndarray, classes: Sequence[str], share: Sequence[Split], folder: Path
) -> list[np.ndarray]:
    """Probabilities ``(test, classes)`` of each split."""
    cache, reader = FeatureCache(folder), [extractor(PATCHES)]
    with threads(1):
        songs = [song_arrays(path, reader, cache)[0] for path in paths]
        tagger = load_musicnn(TAGGER.removeprefix("musicnn-").upper())
        folds = []
        for split in share:
            model = train_late(tagger, [songs[i] for i in split.train], labels[split.train], CONFIG)
            folds.append(columns(model.predict_proba([songs[i] for i in split.test]), model.classes, classes))
    return folds


def columns(probabilities: np.ndarray, have: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Order columns by the protocol's classes; a class that was not trained on has probability 0."""
    ordered = np.zeros((len(probabilities), len(wanted)))
    ordered[:, [list(wanted).index(name) for name in have]] = probabilities
    return ordered


def _key(protocol: Protocol, contents: Sequence[str]) -> Key:
    splits = [[split.train.tolist(), split.test.tolist()] for split in protocol.splits]
    settings = json.dumps([contents, protocol.labels.tolist(), splits, asdict(CONFIG)])
    reader = extractor(PATCHES)
    return Key(hashlib.sha256(settings.encode()).hexdigest(), f"late:{protocol.name}", reader.weights, reader.version)
