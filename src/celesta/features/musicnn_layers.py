"""The layers of MusiCNN in NumPy: filters over time and frequency, normalisation, convolution over time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

_BANDS = 96
_TILE = 6  # frames that timbral filters are applied to at once: weights and results fit the processor's cache
_SHARED = 4  # neighbouring frames that one row of a matrix product computes: less to read, little more to multiply


@dataclass(frozen=True, eq=False)
class Norm:
    """Batch normalisation with fixed statistics: ``x * scale + shift``."""

    scale: np.ndarray
    shift: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normalise the last axis of ``(..., channels)``."""
        normed: np.ndarray = x * self.scale + self.shift
        return normed


def front(kernel: np.ndarray, bias: np.ndarray, norm: Norm) -> Front:
    """Return the front layer of filters ``(filters, time, frequency)``: timbral, or temporal where frequency is 1."""
    return (TimbralFront if kernel.shape[2] > 1 else TemporalFront)(kernel, bias, norm)


class Front(ABC):
    """Filters over time and frequency, ReLU, batch normalisation, then the largest over frequency.

    ReLU and normalisation keep or reverse the order, so the largest (or smallest) is taken first.

    Args:
        kernel: ``(filters, time, frequency)``.
        bias: ``(filters,)``.
        norm: behind the ReLU.
    """

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, norm: Norm) -> None:
        self.bias, self.norm = bias, norm
        self.sign = np.where(norm.scale < 0, -1, 1).astype(np.float32)
        self.before = (kernel.shape[1] - 1) // 2
        self.behind = kernel.shape[1] - 1 - self.before
        self._prepare(kernel * self.sign[:, None, None])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """``(T, 96)`` to ``(T, filters)``."""
        return self.norm(np.maximum(self.sign * self._largest(x) + self.bias, 0))

    @abstractmethod
    def _prepare(self, kernel: np.ndarray) -> None:
        """Take the filters ``(filters, time, frequency)``."""

    @abstractmethod
    def _largest(self, x: np.ndarray) -> np.ndarray:
        """The largest correlation ``(T, filters)`` over frequency of each frame of ``(T, 96)``."""


class TemporalFront(Front):
    """Filters over time alone."""

    def _prepare(self, kernel: np.ndarray) -> None:
        filters, time, _ = kernel.shape
        moved = np.zeros((_SHARED, filters, time + _SHARED - 1), np.float32)
        for place in range(_SHARED):
            moved[place, :, place : place + time] = kernel[:, :, 0]
        self._matrix = np.ascontiguousarray(moved.reshape(_SHARED * filters, -1).T)

    def _largest(self, x: np.ndarray) -> np.ndarray:
        frames, rest = len(x), -len(x) % _SHARED
        x = np.pad(x, ((self.before, self.behind + rest), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, len(self._matrix), axis=0)[::_SHARED]
        largest: np.ndarray = (windows @ self._matrix).max(axis=1)
        return largest.reshape(-1, len(self.bias))[:frames]


class TimbralFront(Front):
    """Filters over time and frequency, applied as products of spectra along the frequency axis.

    A filter reaches over most of the 96 bands, so a product of discrete Fourier transforms of length 96, which are
    cyclic, needs a quarter of the multiplications. The inverse transform is a matrix product for the places that lie
    inside only. Their middle is made the origin: at ``+q`` and ``-q`` an even and an odd part are added and
    subtracted, and the larger of both is the even part plus the magnitude of the odd one.
    """

    def _prepare(self, kernel: np.ndarray) -> None:
        places = _BANDS - kernel.shape[2] + 1
        k = np.arange(_BANDS // 2 + 1)
        spectra = np.conj(np.fft.rfft(kernel.astype(np.float64), _BANDS, axis=2))
        spectra = spectra * np.exp(1j * np.pi * k * (places - 1) / _BANDS) * np.where(k % (_BANDS // 2), 2, 1) / _BANDS
        weights = spectra.transpose(2, 1, 0)  # (49, time, filters)
        real = np.concatenate([weights.real, -weights.imag], axis=1)
        imaginary = np.concatenate([weights.imag, weights.real], axis=1)
        self._weights = np.ascontiguousarray(np.stack([real, imaginary]), np.float32)  # (2, 49, 2 time, filters)
        angles = 2 * np.pi * np.outer(np.arange((places + 1) // 2) + 0.5 * (places % 2 == 0), k) / _BANDS
        self._even, self._odd = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        angles = 2 * np.pi * np.outer(k, np.arange(_BANDS)) / _BANDS
        self._transform = np.stack([np.cos(angles), -np.sin(angles)], axis=1).astype(np.float32).reshape(-1, _BANDS)

    def _largest(self, x: np.ndarray) -> np.ndarray:
        frames, filters, bins = len(x), len(self.bias), len(self._weights[0])
        spectra = (self._transform @ np.pad(x, ((self.before, self.behind), (0, 0))).T).reshape(bins, 2, -1)
        taps = np.lib.stride_tricks.sliding_window_view(spectra, frames, axis=2)
        rows = np.ascontiguousarray(taps).reshape(bins, -1, frames).transpose(0, 2, 1)  # (49, T, 2 time)
        largest = np.empty((frames, filters), np.float32)
        tile = min(_TILE, frames)
        products = np.empty((2, bins, tile * filters), np.float32)
        even, odd = np.empty((2, len(self._even), tile * filters), np.float32)
        for at in range(0, frames, tile):
            first = min(at, frames - tile)  # the last tile shares frames with the one before it
            np.matmul(rows[:, first : first + tile], self._weights, out=products.reshape(2, bins, tile, filters))
            np.matmul(self._even, products[0], out=even)
            np.matmul(self._odd, products[1], out=odd)
            even += np.abs(odd, out=odd)
            largest[first : first + tile] = even.max(axis=0).reshape(tile, filters)
        return largest


def convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve ``(T, channels)`` over time with ``(time, channels, filters)``, zeros at both ends."""
    before = (len(kernel) - 1) // 2
    padded = np.pad(x, ((before, len(kernel) - 1 - before), (0, 0)))
    made: np.ndarray = sum(padded[k : k + len(x)] @ tap for k, tap in enumerate(kernel))
    return made
