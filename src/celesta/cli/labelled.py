"""Features of labelled music, for the verbs that train on it or score it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from celesta.cli import console
from celesta.cli.progress import Meter


def labelled_features(
    data: list[Path], kind: str, cache: Path, lists: Path | None, meter: Meter, *, faulty: bool = True
) -> tuple[np.ndarray, list[tuple[int, float]], np.ndarray, np.ndarray]:
    """Extract the features of every labelled track that can be read; the others are reported.

    Args:
        data: folders of labelled music, or CSV files.
        kind: feature extractor.
        cache: folder of saved features.
        lists: folder of GTZAN's lists.
        meter: shows the progress.
        faulty: whether to take tracks that GTZAN's lists leave out.

    Returns:
        Features ``(songs, D)``, sizes and weights of their blocks, labels ``(songs,)``, groups ``(songs,)``.

    Raises:
        DataError: no track has a label.
    """
    from celesta import datasets
    from celesta.errors import DataError
    from celesta.features import FeatureCache, extract
    from celesta.features.fusion import blocks, needed

    meter.doing("looking for files")
    tracks = [t for t in datasets.load(data, lists=lists) if t.label and (faulty or t.split != "faulty")]
    if not tracks:
        raise DataError(f"{data[0]}: no track has a label; give one sub-folder per class, or a CSV of path and label")
    found = extract(
        [t.path for t in tracks],
        needed([kind]),
        FeatureCache(cache),
        lambda done, total: meter.steps("features", done, total),
    )
    for path, reason in found.failures.items():
        console.fail(f"left out: {path}: {reason}")
    readable = set(found.paths)
    tracks = [t for t in tracks if t.path in readable]
    X, weighed = blocks(found, kind, [t.path for t in tracks])
    return X, weighed, np.array([t.label for t in tracks]), np.array([t.group for t in tracks])
