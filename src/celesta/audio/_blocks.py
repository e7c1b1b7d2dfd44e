"""Blocks of equal size out of blocks of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def reblock(parts: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Cut (channels, n) blocks of any length anew, into blocks of ``size`` samples and a last, shorter one."""
    held: list[np.ndarray] = []
    n = 0
    for part in parts:
        held.append(part)
        n += part.shape[1]
        if n < size:
            continue
        joined = np.concatenate(held, axis=1)
        full = n - n % size
        for i in range(0, full, size):
            yield joined[:, i : i + size]
        held, n = [joined[:, full:]], n - full
    if n:
        yield np.concatenate(held, axis=1)
