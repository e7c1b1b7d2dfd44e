"""The fixed window grid: cut a stream of audio into windows, and join decoded windows without seams.

Window ``i`` codes the samples from ``i * stride`` on, ``stride = window - overlap``, whatever the size of the blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """One window with its surroundings.

    Attributes:
        samples: ``(channels, left + window + right)`` float32, zeros behind the end of the song.
        left, right: samples of context on either side; 0 at the ends of the song, where there is none.
    """

    samples: np.ndarray
    left: int
    right: int


def count_windows(n_samples: int, window: int, overlap: int) -> int:
    """Count the windows that ``n_samples`` need: at least one."""
    stride = window - overlap
    return max(1, -(-(n_samples - overlap) // stride))


def cut(blocks: Iterable[np.ndarray], window: int, context: int, overlap: int) -> Iterator[Window]:
    """Cut a stream of ``(channels, n)`` blocks into windows; holds about one window and its context.

    Context is only given where a neighbouring window codes it too, so that the ends of the song have no artificial
    context.
    """
    stride = window - overlap
    held: np.ndarray | None = None  # from the left context of the next window on
    left = 0
    for block in blocks:
        held = block if held is None else np.concatenate([held, block], axis=1)
        # One sample more than the window shows that a neighbour follows.
        while held.shape[1] >= left + window + max(context, 1):
            yield Window(held[:, : left + window + context], left, context)
            held = held[:, left + stride - context :] if context else held[:, stride:]
            left = context
    while held is not None and held.shape[1] > left + window:
        yield Window(_pad(held, left + window + context), left, context)
        held = held[:, left + stride - context :] if context else held[:, stride:]
        left = context
    if held is not None:
        yield Window(_pad(held, left + window), left, 0)


def join(windows: Iterable[np.ndarray], overlap: int) -> Iterator[np.ndarray]:
    """Join decoded ``(channels, window)`` arrays: cross-faded over ``overlap`` samples, or one after the other.

    The outer eighth of each side of an overlap gets no weight: the zero padding of convolutions is audible there.
    """
    fade = crossfade(overlap)
    tail: np.ndarray | None = None
    for window in windows:
        if tail is not None:
            window = window.copy()
            window[:, :overlap] = tail * (1 - fade) + window[:, :overlap] * fade
        if overlap:
            tail = window[:, -overlap:]
            yield window[:, :-overlap]
        else:
            yield window
    if tail is not None:
        yield tail


def crossfade(overlap: int) -> np.ndarray:
    """Return the weights of the later window over the overlap, ``(overlap,)`` float32 from 0 to 1."""
    edge = overlap // 8
    ramp = np.linspace(0, 1, max(overlap - 2 * edge, 0), dtype=np.float32)
    return np.concatenate([np.zeros(edge, np.float32), ramp, np.ones(overlap - edge - len(ramp), np.float32)])


def skip(blocks: Iterable[np.ndarray], n_samples: int) -> Iterator[np.ndarray]:
    """Leave out the first ``n_samples`` of a stream of ``(channels, n)`` blocks."""
    for block in blocks:
        if n_samples >= block.shape[1]:
            n_samples -= block.shape[1]
            continue
        yield block[:, n_samples:]
        n_samples = 0


def limit(blocks: Iterable[np.ndarray], n_samples: int) -> Iterator[np.ndarray]:
    """Keep the first ``n_samples`` of a stream of ``(channels, n)`` blocks."""
    left = n_samples
    for block in blocks:
        if left <= 0:
            return
        yield block[:, :left]
        left -= block.shape[1]


def _pad(x: np.ndarray, length: int) -> np.ndarray:
    short = length - x.shape[1]
    return np.pad(x, ((0, 0), (0, short))) if short > 0 else x[:, :length]
