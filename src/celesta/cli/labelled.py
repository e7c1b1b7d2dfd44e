"""Features of labelled music, for the verbs that train on it or score it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from celesta.cli.console import bar, err


def labelled_features(
    data: list[Path], kind: str, cache: Path, lists: Path | None, *, faulty: bool = True
) -> tuple[np.ndarray, list[tuple[int, float]], np.ndarray, np.ndarray]:
    """Features, their blocks, labels and groups of every labelled track that can be read; the others are named.

    ``faulty``: whether tracks that GTZAN's lists leave out are taken too.
    """
    from celesta import datasets
    from celesta.errors import DataError
    from celesta.features import FeatureCache, extract
    from celesta.features.fusion import blocks, needed

    tracks = [t for t in datasets.load(data, lists=lists) if t.label and (faulty or t.split != "faulty")]
    if not tracks:
        raise DataError(f"{data[0]}: no track has a label; give one sub-folder a class, or a CSV of path and label")
    with bar() as progress:
        task = progress.add_task("features", total=len(tracks))
        found = extract(
            [t.path for t in tracks],
            needed([kind]),
            FeatureCache(cache),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    for path, reason in found.failures.items():
        err.print(f"left out: {path}: {reason}", soft_wrap=True)
    readable = set(found.paths)
    tracks = [t for t in tracks if t.path in readable]
    X, weighed = blocks(found, kind, [t.path for t in tracks])
    return X, weighed, np.array([t.label for t in tracks]), np.array([t.group for t in tracks])
