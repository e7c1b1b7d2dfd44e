"""Minima, maxima and levels of a stream of audio at several resolutions: what a waveform is drawn from."""

from __future__ import annotations

import threading

import numpy as np

from celesta.errors import UsageError

BIN = 256
"""Samples of a bin at the finest resolution."""
FACTOR = 16
"""Bins of one resolution that make a bin of the next one."""
_LEVELS = 3
_SCALE = 32_000.0  # of int16: what exceeds full scale by 0.2 dB is clipped in the picture


class PeakPyramid:
    """Collect the peaks of a stream, which can be read while it grows.

    A bin holds the minimum and the maximum over all channels and the root mean square, as int16.

    Example:
        >>> import numpy as np
        >>> peaks = PeakPyramid()
        >>> peaks.push(np.full((1, 1_000), 0.5, np.float32))
        >>> peaks.finish()
        >>> peaks.samples, peaks.read(0, 1_000, 2).tolist()
        (1000, [[16000, 16000, 16000], [16000, 16000, 16000]])
    """

    def __init__(self) -> None:
        self.samples = 0
        """Samples per channel so far, a rest that fills no bin left out until the end."""
        self._held: np.ndarray | None = None
        self._levels = [np.zeros((1_024, 3), np.int16) for _ in range(_LEVELS)]
        self._counts = [0] * _LEVELS
        self._lock = threading.Lock()

    def push(self, block: np.ndarray) -> None:
        """Take samples ``(channels, n)``."""
        if self._held is not None and self._held.shape[1]:
            block = np.concatenate([self._held, block], axis=1)
        whole = block.shape[1] // BIN * BIN
        self._held = block[:, whole:].copy()
        if whole:
            self._append(_bins(block[:, :whole]), whole)

    def finish(self) -> None:
        """End the stream."""
        if self._held is not None and self._held.shape[1]:
            rest = self._held.shape[1]
            self._append(_bins(np.pad(self._held, ((0, 0), (0, BIN - rest)), mode="edge")), rest)
        self._held = None
        self._close()

    def read(self, first: int, last: int, bins: int) -> np.ndarray:
        """Return ``bins`` bins of the samples from ``first`` to ``last``, ``(bins, 3)`` int16: minimum, maximum, RMS.

        What the stream has not reached is 0. Where a bin is finer than :data:`BIN` samples, neighbours are equal.

        Raises:
            UsageError: the range is empty, or there are no bins.
        """
        if not (0 <= first < last and bins > 0):
            raise UsageError(f"peaks: a range from 0 on and at least one bin are needed, got {first}..{last}, {bins}")
        width = (last - first) / bins
        level = 0
        while level + 1 < _LEVELS and width >= 2 * BIN * FACTOR ** (level + 1):
            level += 1
        size = BIN * FACTOR**level
        with self._lock:
            known, there = self._levels[level], self._counts[level]
        edges = (first + np.arange(bins + 1) * width) / size
        begin = np.floor(edges[:-1] + 1e-9).astype(np.int64)
        end = np.maximum(np.ceil(edges[1:] - 1e-9).astype(np.int64), begin + 1)
        out = np.zeros((bins, 3), np.int16)
        some = begin < there
        if some.any():
            out[some] = _reduced(known, begin[some], np.minimum(end[some], there))
        return out

    def state(self) -> np.ndarray:
        """Return the finest bins ``(n, 3)``, from which :meth:`restored` makes the pyramid again."""
        return self._levels[0][: self._counts[0]].copy()

    @classmethod
    def restored(cls, bins: np.ndarray, samples: int) -> PeakPyramid:
        """Make the pyramid of a stream of so many samples from what :meth:`state` returned.

        Raises:
            ValueError: they do not belong together.
        """
        if bins.dtype != np.int16 or bins.ndim != 2 or bins.shape[1] != 3 or len(bins) != -(-samples // BIN):
            raise ValueError("these are not the peaks of so many samples")
        made = cls()
        made._append(bins, samples)
        made._close()
        return made

    def _append(self, bins: np.ndarray, samples: int) -> None:
        with self._lock:
            self._extend(0, bins)
            self.samples += samples
            for level in range(1, _LEVELS):
                below = self._counts[level - 1] // FACTOR
                fresh = self._levels[level - 1][self._counts[level] * FACTOR : below * FACTOR]
                if not len(fresh):
                    break
                self._extend(level, _joined(fresh.reshape(-1, FACTOR, 3)))

    def _close(self) -> None:
        """Make bins of the groups that are not full at the end."""
        with self._lock:
            for level in range(1, _LEVELS):
                rest = self._levels[level - 1][self._counts[level] * FACTOR : self._counts[level - 1]]
                if len(rest):
                    self._extend(level, _joined(rest[None]))

    def _extend(self, level: int, bins: np.ndarray) -> None:
        needed = self._counts[level] + len(bins)
        if needed > len(self._levels[level]):
            grown = np.zeros((max(needed, 2 * len(self._levels[level])), 3), np.int16)
            grown[: self._counts[level]] = self._levels[level][: self._counts[level]]
            self._levels[level] = grown
        self._levels[level][self._counts[level] : needed] = bins
        self._counts[level] = needed


def _bins(block: np.ndarray) -> np.ndarray:
    """Return bins ``(n, 3)`` int16 of samples ``(channels, n * BIN)``."""
    parts = block.reshape(len(block), -1, BIN)
    low, high = parts.min(axis=(0, 2)), parts.max(axis=(0, 2))
    level = np.sqrt(np.einsum("cnk,cnk->n", parts, parts) / (len(block) * BIN))
    return np.clip(np.rint(np.stack([low, high, level], axis=1) * _SCALE), -32_768, 32_767).astype(np.int16)


def _joined(groups: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
    """Join bins ``(n, k, 3)`` to ``(n, 3)``; of the levels only those ``counted (n, k)`` are averaged."""
    power = groups[..., 2].astype(np.float32) ** 2
    level = np.sqrt(power.mean(axis=1) if counted is None else (power * counted).sum(axis=1) / counted.sum(axis=1))
    return np.stack([groups[..., 0].min(axis=1), groups[..., 1].max(axis=1), np.rint(level)], axis=1).astype(np.int16)


def _reduced(bins: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Join the bins ``begin[i]`` to ``end[i]`` for each i."""
    longest = int((end - begin).max())
    wanted = begin[:, None] + np.arange(longest)
    return _joined(bins[np.minimum(wanted, end[:, None] - 1)], wanted < end[:, None])
