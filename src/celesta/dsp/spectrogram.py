"""Spectrograms to look at: columns of 8-bit levels on an axis that is linear in the bass and logarithmic above."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from celesta.dsp.spectra import spectrum
from celesta.errors import UsageError

ROWS = 192
"""Rows of a column, the lowest frequency first."""
N_FFT = 2_048
FLOOR_DB, CEILING_DB = -120.0, 0.0
"""Levels of the values 0 and 255, relative to a sine of full scale."""
_BREAK = 700.0  # Hz: the mel scale of O'Shaughnessy 1987


class SpectrogramColumns:
    """Compute one column for each ``hop_length`` samples of a mono stream.

    Column k is the spectrum of the 2048 samples around sample ``k * hop_length``. Columns can be read while the stream
    grows.

    Args:
        sample_rate: Hz.
        hop_length: samples from one column to the next.

    Example:
        >>> import numpy as np
        >>> made = SpectrogramColumns(8_000, 1_000)
        >>> made.push(np.zeros(8_000, np.float32))
        >>> made.finish()
        >>> made.columns.shape, int(made.columns.max())
        ((8, 192), 0)
    """

    def __init__(self, sample_rate: int, hop_length: int) -> None:
        if hop_length < 1:
            raise UsageError(f"hop_length must be at least 1, got {hop_length}")
        self.sample_rate, self.hop_length = sample_rate, hop_length
        self._weights = row_weights(sample_rate)
        self._held = np.zeros(N_FFT // 2, np.float32)  # the frame of column 0 begins before the signal
        self._start = -(N_FFT // 2)  # sample at which `_held` begins
        self._samples = 0
        self._parts: list[np.ndarray] = []
        self._next = 0

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        self._samples += len(x)
        self._held = np.concatenate([self._held, x.astype(np.float32, copy=False)])
        self._transform(self._start + len(self._held))

    def finish(self) -> None:
        """End the stream: columns whose frames reach beyond the end are filled up with silence."""
        self._held = np.concatenate([self._held, np.zeros(N_FFT, np.float32)])
        self._transform(self._samples + N_FFT // 2)

    @property
    def columns(self) -> np.ndarray:
        """The columns so far, ``(n, 192)`` uint8."""
        parts = list(self._parts)
        if len(parts) > 1:
            joined = np.concatenate(parts)
            if len(self._parts) == len(parts):
                self._parts[:] = [joined]
            return joined
        return parts[0] if parts else np.zeros((0, ROWS), np.uint8)

    def _transform(self, end: int) -> None:
        """Compute the columns whose frames end before sample ``end`` and whose centre lies in the signal."""
        half = N_FFT // 2
        last = min((end - half) // self.hop_length + 1, -(-self._samples // self.hop_length))
        centres = np.arange(self._next, last) * self.hop_length
        if len(centres):
            begin = centres - half - self._start
            for first in range(0, len(centres), 512):
                frames = self._held[begin[first : first + 512, None] + np.arange(N_FFT)]
                self._parts.append(levels(frames, self._weights))
            self._next = last
        dropped = min(max(0, self._next * self.hop_length - half - self._start), len(self._held))
        self._held, self._start = self._held[dropped:], self._start + dropped


def levels(frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return columns ``(F, 192)`` uint8 of frames ``(F, 2048)``."""
    power = (spectrum(frames, double=False) * np.float32(4 / N_FFT)) ** 2 @ weights
    decibels = 10 * np.log10(power + 1e-13)
    scaled: np.ndarray = (decibels - FLOOR_DB) * (255 / (CEILING_DB - FLOOR_DB))
    made: np.ndarray = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return made


def frequencies(sample_rate: int, rows: int = ROWS) -> np.ndarray:
    """Return the centre frequency of each row in Hz, from 0 to half the sample rate."""
    top = np.log1p(sample_rate / 2 / _BREAK)
    made: np.ndarray = _BREAK * np.expm1(np.linspace(0, top, rows))
    return made


@lru_cache(maxsize=8)
def row_weights(sample_rate: int) -> np.ndarray:
    """Return the triangular weights ``(1025, 192)`` float32 of the bins in each row, at least one bin wide."""
    centres = frequencies(sample_rate) / sample_rate * N_FFT
    width = np.maximum(1.0, np.gradient(centres))
    bins = np.arange(N_FFT // 2 + 1)[:, None]
    made: np.ndarray = np.maximum(0, 1 - np.abs(bins - centres) / width).astype(np.float32)
    return made
