"""Save what a study computes in the feature cache, under a hash of all that it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

import numpy as np

from celesta.features.cache import FeatureCache, Key
from celesta.features.fusion import Blocks
from celesta.probes.cross_validation import Task

PROBES_VERSION = "3"
"""Increase it when probes predict differently, so that older entries are not used."""
_CHOICE = "choice:"


def remember(cache: FeatureCache, key: Key, compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the arrays of an entry; compute and save them where there is none.

    They are read back after saving, so that a cold and a cached run give the same numbers.
    """
    arrays = cache.get(key)
    if arrays is None:
        cache.put(key, compute())
        arrays = cache.get(key)
        assert arrays is not None  # it was just written
    return arrays


def digest(task: Task, X: np.ndarray, blocks: Blocks) -> str:
    """Compute the SHA-256 of vectors, labels, groups, folds and blocks."""
    sha = hashlib.sha256(np.ascontiguousarray(X).tobytes())
    sha.update(json.dumps([task.labels.tolist(), task.groups.tolist(), blocks]).encode())
    for split in task.splits:
        sha.update(json.dumps([split.train.tolist(), split.test.tolist(), split.seed]).encode())
    return sha.hexdigest()


def pack_choices(choices: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Turn counts by name into arrays that the cache can save."""
    return {f"{_CHOICE}{name}": np.array([count]) for name, count in choices.items()}


def unpack_choices(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the counts that :func:`pack_choices` put among arrays."""
    return {name.removeprefix(_CHOICE): int(a[0]) for name, a in arrays.items() if name.startswith(_CHOICE)}
