"""What a study computes once: results in the cache, under a hash of all that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

import numpy as np

from celesta.features.cache import FeatureCache, Key
from celesta.features.fusion import Blocks
from celesta.probes.protocols import Protocol

PROBES_VERSION = "3"
"""Goes up when probes answer differently, so that what is cached is not used."""


def kept(cache: FeatureCache, key: Key, make: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of an entry; made and put where there is none, so that both ways give the same numbers."""
    arrays = cache.get(key)
    if arrays is None:
        cache.put(key, make())
        arrays = cache.get(key)
        assert arrays is not None  # it was just written
    return arrays


def asked(protocol: Protocol, X: np.ndarray, weighed: Blocks) -> str:
    """SHA-256 of vectors, labels, groups, folds and blocks."""
    digest = hashlib.sha256(np.ascontiguousarray(X).tobytes())
    digest.update(json.dumps([protocol.labels.tolist(), protocol.groups.tolist(), weighed]).encode())
    for split in protocol.splits:
        digest.update(json.dumps([split.train.tolist(), split.test.tolist(), split.seed]).encode())
    return digest.hexdigest()


def with_choices(choices: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Counts by name as arrays to keep."""
    return {f"choice:{name}": np.array([count]) for name, count in choices.items()}


def choices_in(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """What :func:`with_choices` put among arrays."""
    return {n.removeprefix("choice:"): int(a[0]) for n, a in arrays.items() if n.startswith("choice:")}
