"""The layers of MusiCNN in NumPy: filters over time and frequency, normalisation, convolution over time."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_BANDS = 96
_TILE, _FILTERS = 48, 34  # frames and filters that are computed at once
_WINDOWS = 8  # the same for filters over time
_SMALL = 1_000_000  # multiplications of a matrix product up to which OpenBLAS does not copy its operands first
_SHARED = 4  # neighbouring frames that one row of a matrix product computes: less to read, little more to multiply

_memory = threading.local()


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
        x = _padded(x, self.before, self.behind + rest)
        windows = np.lib.stride_tricks.sliding_window_view(x, len(self._matrix), axis=0)[::_SHARED]
        largest = np.empty((len(windows), self._matrix.shape[1]), np.float32)
        scratch = _scratch("temporal", _WINDOWS, _BANDS, self._matrix.shape[1])
        for at in range(0, len(windows), _WINDOWS):
            some = windows[at : at + _WINDOWS]
            made = np.matmul(some, self._matrix, out=scratch[: len(some)])
            made.max(axis=1, out=largest[at : at + _WINDOWS])
        return largest.reshape(-1, len(self.bias))[:frames]


class TimbralFront(Front):
    """Filters over time and frequency, applied as products of spectra along the frequency axis.

    A filter reaches over most of the 96 bands, so a product of discrete Fourier transforms of length 96, which are
    cyclic, needs a quarter of the multiplications. The inverse transform is a matrix product for the places that lie
    inside only. Their middle is made the origin: at ``+q`` and ``-q`` an even and an odd part are added and
    subtracted, and the larger of both is the even part plus the magnitude of the odd one.

    Some filters and frames are computed at a time, so that all of it stays in the processor's cache.
    """

    def _prepare(self, kernel: np.ndarray) -> None:
        filters, _, bands = kernel.shape
        places = _BANDS - bands + 1
        k = np.arange(_BANDS // 2 + 1)
        spectra = np.conj(np.fft.rfft(kernel.astype(np.float64), _BANDS, axis=2))
        spectra = spectra * np.exp(1j * np.pi * k * (places - 1) / _BANDS) * np.where(k % (_BANDS // 2), 2, 1) / _BANDS
        weights = spectra.transpose(2, 0, 1)  # (49, filters, time)
        real = np.concatenate([weights.real, -weights.imag], axis=2)
        imaginary = np.concatenate([weights.imag, weights.real], axis=2)
        self._weights = [  # (49, 2 filters, 2 time) for some filters
            np.ascontiguousarray(np.concatenate([real[:, some], imaginary[:, some]], axis=1), np.float32)
            for some in (slice(at, at + _FILTERS) for at in range(0, filters, _FILTERS))
        ]
        angles = 2 * np.pi * np.outer(np.arange((places + 1) // 2) + 0.5 * (places % 2 == 0), k) / _BANDS
        self._even, self._odd = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        angles = 2 * np.pi * np.outer(k, np.arange(_BANDS)) / _BANDS
        self._transform = np.stack([np.cos(angles), -np.sin(angles)], axis=1).astype(np.float32).reshape(-1, _BANDS)

    def _largest(self, x: np.ndarray) -> np.ndarray:
        frames, rest = len(x), -len(x) % _TILE
        x = _padded(x, self.before, self.behind + rest)
        spectra = (self._transform @ x.T).reshape(len(self._transform) // 2, 2, -1)
        taps = np.lib.stride_tricks.sliding_window_view(spectra, frames + rest, axis=2)
        taps = np.ascontiguousarray(taps).reshape(len(spectra), -1, frames + rest)  # (49, 2 time, T)
        largest = np.empty((len(self.bias), frames + rest), np.float32)
        for number, weights in enumerate(self._weights):
            rows = largest[number * _FILTERS : (number + 1) * _FILTERS]
            products = _scratch("products", *weights.shape[:2], _TILE)
            for at in range(0, frames + rest, _TILE):
                np.matmul(weights, taps[:, :, at : at + _TILE], out=products)
                rows[:, at : at + _TILE] = self._inverse(products.reshape(len(spectra), 2, -1)).reshape(-1, _TILE)
        return largest[:, :frames].T

    def _inverse(self, products: np.ndarray) -> np.ndarray:
        """Transform spectra ``(49, 2, n)`` back, and return the largest of each column ``(n,)``."""
        columns = products.shape[2]
        parts = _parts(columns, self._even.size)
        split = products.reshape(len(products), 2, parts, -1).transpose(1, 2, 0, 3)
        even, odd = _scratch("inverse", 2, parts, len(self._even), columns // parts)
        np.matmul(self._even, split[0], out=even)
        np.matmul(self._odd, split[1], out=odd)
        even += np.abs(odd, out=odd)
        largest: np.ndarray = even.max(axis=1).ravel()
        return largest


@lru_cache(maxsize=64)
def _parts(columns: int, size: int) -> int:
    """Into how many equal parts the columns of a product with a matrix of some size are best cut."""
    return next(
        n for n in range(1, columns + 1) if (columns % n == 0 and columns // n * size <= _SMALL) or n == columns
    )


def _scratch(name: str, *shape: int) -> np.ndarray:
    """Return an array of this thread whose memory is used again: the system takes long to give new pages."""
    known: dict[str, np.ndarray] = _memory.__dict__
    size = math.prod(shape)
    if name not in known or known[name].size < size:
        known[name] = np.zeros(size, np.float32)
    return known[name][:size].reshape(shape)


def _padded(x: np.ndarray, before: int, behind: int) -> np.ndarray:
    """Add rows of zeros to ``(T, channels)``; :func:`numpy.pad` takes several times as long."""
    padded = np.zeros((before + len(x) + behind, x.shape[1]), np.float32)
    padded[before : before + len(x)] = x
    return padded


def convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve ``(T, channels)`` over time with ``(time, channels, filters)``, zeros at both ends."""
    before = (len(kernel) - 1) // 2
    padded = _padded(x, before, len(kernel) - 1 - before)
    made: np.ndarray = padded[: len(x)] @ kernel[0]
    product = np.empty_like(made)
    for k, tap in enumerate(kernel[1:], 1):
        made += np.matmul(padded[k : k + len(x)], tap, out=product)
    return made
