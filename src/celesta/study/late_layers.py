"""A tagger's late layers trained further inside every training fold, alone and beside the chosen probe."""

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
from celesta.study.memo import kept

PROTOCOLS = ("P4", "P10", "mood")
LATE = "late layers"
BOTH = "mean of chosen and late layers"
TAGGER = "musicnn-msd"
PATCHES = f"patches:{TAGGER}"
CONFIG = LateConfig()


def results(protocol: Protocol, chosen: Result, cache: FeatureCache, workers: int = 1) -> list[Result]:
    """Two rows: the late layers, and the mean of their probabilities and the chosen probe's, with nothing to choose.

    Args:
        protocol: with one class a song.
        chosen: the better of two probes on the features that lead.
        cache: of patches, and of what was trained before.
        workers: processes.
    """
    paths = [t.path for t in protocol.tracks]
    key = _key(protocol, [cache.content(path) for path in paths])

    def make() -> dict[str, np.ndarray]:
        all_songs(song_arrays, paths, [PATCHES], cache, workers)
        shares = [protocol.splits[i::workers] for i in range(workers) if protocol.splits[i::workers]]
        made = joblib.Parallel(len(shares))(
            joblib.delayed(_answers)(paths, protocol.labels, protocol.classes, share, cache.folder) for share in shares
        )
        return {f"{i + workers * n}": found for i, share in enumerate(made) for n, found in enumerate(share)}

    arrays = kept(cache, key, make)
    found = [(np.asarray(arrays[str(i)], np.float64), LATE) for i in range(len(protocol.splits))]
    late = joined(protocol, TAGGER, LATE, found)
    both = (late.probabilities + chosen.probabilities) / 2
    return [late, Result(protocol, chosen.features, BOTH, late.rows, both, {})]


@threads(1)
def _answers(
    paths: Sequence[Path], labels: np.ndarray, classes: Sequence[str], share: Sequence[Split], folder: Path
) -> list[np.ndarray]:
    """Probabilities ``(test, classes)`` of each split."""
    cache, reader = FeatureCache(folder), [extractor(PATCHES)]
    songs = [song_arrays(path, reader, cache)[0] for path in paths]
    tagger = load_musicnn(TAGGER.removeprefix("musicnn-").upper())
    made = []
    for split in share:
        model = train_late(tagger, [songs[i] for i in split.train], labels[split.train], CONFIG)
        made.append(columns(model.predict_proba([songs[i] for i in split.test]), model.classes, classes))
    return made


def columns(probabilities: np.ndarray, have: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Columns in the protocol's order; a class that was not trained on has probability 0."""
    made = np.zeros((len(probabilities), len(wanted)))
    made[:, [list(wanted).index(name) for name in have]] = probabilities
    return made


def _key(protocol: Protocol, contents: Sequence[str]) -> Key:
    splits = [[split.train.tolist(), split.test.tolist()] for split in protocol.splits]
    asked = json.dumps([contents, protocol.labels.tolist(), splits, asdict(CONFIG)])
    reader = extractor(PATCHES)
    return Key(hashlib.sha256(asked.encode()).hexdigest(), f"late:{protocol.name}", reader.weights, reader.version)
