"""Features made of others: blocks side by side, which probes scale to equal weight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from celesta.errors import UsageError
from celesta.features.extract import Features
from celesta.features.registry import names

Blocks = list[tuple[int, float]]
"""Size of each block and its weight."""

FUSED: dict[str, dict[str, float]] = {
    "celesta-features": {
        "musicnn-msd/penultimate.mean": 1.0,
        "musicnn-msd/mean_pool.mean": 0.5,
        "musicnn-msd/max_pool.mean": 0.5,
        "musicnn-mtt/penultimate.mean": 0.5,
        "musicnn-mtt/mean_pool.mean": 0.25,
        "musicnn-mtt/max_pool.mean": 0.25,
        "handcrafted": 0.35,
        "rhythm": 0.35,
    },
    # No labels and no outside weights. The spread over a song's windows tells more of its form than of its kind, and
    # is left out: chosen by clusters of GTZAN's train list alone (AMI .63 without, .56 with; .67 with hand-crafted).
    "celesta-unlabelled": {"celesta-ssl/mean": 1.0, "handcrafted": 1.0},
    "musicnn": {"musicnn-msd/mean": 1.0},
}
"""Name to its blocks (a kind of feature, or one part of it behind a slash) and their weights in a probe's distance."""


def needed(kinds: Iterable[str]) -> list[str]:
    """The kinds to extract for these, fused ones taken apart.

    Raises:
        UsageError: there is no such kind.
    """
    found: dict[str, None] = {}
    for kind in kinds:
        if kind not in FUSED and ":" not in kind and kind not in names():
            raise UsageError(f"unknown kind of feature {kind!r}; there are {', '.join((*FUSED, *names()))}")
        for block in FUSED.get(kind, {kind: 1.0}):
            found[block.partition("/")[0]] = None
    return list(found)


def blocks(features: Features, kind: str, paths: Sequence[Path] | None = None) -> tuple[np.ndarray, Blocks]:
    """Vectors ``(n, D)`` of a kind, fused or not, and its blocks.

    Args:
        features: that hold what :func:`needed` says.
        kind: its name.
        paths: which songs, in order; None for all.

    Raises:
        UsageError: a part or a song is not there.
    """
    parts, weights = [], FUSED.get(kind, {kind: 1.0})
    for block in weights:
        of, slash, part = block.partition("/")
        if of not in features.matrices:
            raise UsageError(f"{kind}: its block {of} was not extracted")
        parts.append(features.part(of, part) if slash else features[of])
    X = np.concatenate(parts, axis=1)
    if paths is not None:
        row = {path: i for i, path in enumerate(features.paths)}
        missing = [path for path in paths if path not in row]
        if missing:
            raise UsageError(f"{missing[0]}: no features of it")
        X = X[[row[path] for path in paths]]
    return X, [(part.shape[1], weight) for part, weight in zip(parts, weights.values(), strict=True)]
