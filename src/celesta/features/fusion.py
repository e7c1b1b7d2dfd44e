"""Fused features: parts of other features next to each other, which probes scale to their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from celesta._files import printable
from celesta.errors import UsageError
from celesta.features.extract import Features
from celesta.features.registry import TABLE, needed

__all__ = ["FUSED", "Blocks", "blocks", "needed"]
Blocks = list[tuple[int, float]]
"""Size of each block of a vector and its weight."""

FUSED: dict[str, dict[str, float]] = {one.name: one.parts for one in TABLE if one.parts}
"""Name of each fused feature to its parts and their weights."""


def blocks(features: Features, name: str, paths: Sequence[Path] | None = None) -> tuple[np.ndarray, Blocks]:
    """Return the vectors ``(n, D)`` of a feature, fused or not, and its blocks.

    Args:
        features: as :func:`celesta.features.extract` returns them.
        name: of the feature.
        paths: which songs, in order; None for all.

    Raises:
        UsageError: a part or a song is missing.
    """
    X, weights = features[name], features.blocks(name)
    if paths is not None:
        row = {path: i for i, path in enumerate(features.paths)}
        missing = [path for path in paths if path not in row]
        if missing:
            raise UsageError(f"{printable(missing[0])}: no features of it; was it extracted?")
        X = X[[row[path] for path in paths]]
    return X, weights
