"""The layers of MusiCNN in NumPy: filters over time and frequency, normalisation, convolution over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TILE = 34  # frames that are multiplied at once: copied inputs and results fit the processor's cache
_SHARED = 4  # neighbouring places that one row of a matrix product computes: less to copy, little more to multiply


@dataclass(frozen=True, eq=False)
class Norm:
    """Batch normalisation with fixed statistics: ``x * scale + shift``."""

    scale: np.ndarray
    shift: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normalise the last axis of ``(..., channels)``."""
        normed: np.ndarray = x * self.scale + self.shift
        return normed


class Front:
    """Filters over time and frequency, ReLU, batch normalisation, then the largest over frequency.

    ReLU and normalisation keep or reverse the order, so the largest (or smallest) is taken first.

    Args:
        kernel: ``(filters, time, frequency)``.
        bias: ``(filters,)``.
        norm: behind the ReLU.
    """

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, norm: Norm) -> None:
        self.time, self.frequency = kernel.shape[1:]
        self.along = 1 if self.frequency > 1 else 0  # places that share a row are neighbours in frequency or in time
        self.bias, self.norm = bias, norm
        self.sign = np.where(norm.scale < 0, -1, 1).astype(np.float32)
        kernel = kernel * self.sign[:, None, None]
        shape = list(kernel.shape)
        shape[1 + self.along] += _SHARED - 1
        moved = np.zeros((_SHARED, *shape), np.float32)
        for place in range(_SHARED):
            inside = [slice(None)] * 3
            inside[1 + self.along] = slice(place, place + kernel.shape[1 + self.along])
            moved[place][tuple(inside)] = kernel
        self.matrix = np.ascontiguousarray(moved.reshape(_SHARED * len(kernel), -1).T)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """``(T, 96)`` to ``(T, filters)``."""
        before = (self.time - 1) // 2
        frames = len(x)
        rest = -frames % _SHARED if self.along == 0 else 0
        x = np.pad(x, ((before, self.time - 1 - before + rest), (0, 0)))
        size = [self.time, self.frequency]
        size[self.along] += _SHARED - 1
        places = np.lib.stride_tricks.sliding_window_view(x, size)
        if self.along == 0:
            places = places[::_SHARED]
            found = [self._largest(places[at : at + _TILE]) for at in range(0, len(places), _TILE)]
        else:
            # The last row begins where it still fits; what it shares with the one before it changes no maximum.
            last = places.shape[1] - 1
            columns = [*range(0, last, _SHARED), last]
            found = [self._largest(places[at : at + _TILE, columns]) for at in range(0, frames, _TILE)]
        largest = np.concatenate(found).reshape(-1, len(self.bias))[:frames]
        return self.norm(np.maximum(self.sign * largest + self.bias, 0))

    def _largest(self, places: np.ndarray) -> np.ndarray:
        made: np.ndarray = places.reshape(-1, len(self.matrix)) @ self.matrix
        if self.along == 0:
            made = made.reshape(len(places), places.shape[1], -1)
        else:
            made = made.reshape(len(places), -1, len(self.bias))
        largest: np.ndarray = made.max(axis=1)
        return largest


def convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve ``(T, channels)`` over time with ``(time, channels, filters)``, zeros at both ends."""
    before = (len(kernel) - 1) // 2
    padded = np.pad(x, ((before, len(kernel) - 1 - before), (0, 0)))
    made: np.ndarray = sum(padded[k : k + len(x)] @ tap for k, tap in enumerate(kernel))
    return made
