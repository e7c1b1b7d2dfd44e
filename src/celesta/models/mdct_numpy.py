"""The transform of :mod:`celesta.models.mdct` in NumPy, for running models without torch."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import scipy.fft


def mdct(x: np.ndarray, bands: int) -> np.ndarray:
    """Compute coefficients ``(B, F, bands)`` of ``(B, T)``, padded with zeros to ``F = ceil(T / bands)`` frames.

    Args:
        x: signals, float32.
        bands: coefficients per frame, and samples per frame; even.

    >>> x = np.random.default_rng(0).standard_normal((1, 1_000)).astype(np.float32)
    >>> bool(np.abs(inverse_mdct(mdct(x, 512), 1_000) - x).max() < 1e-5)
    True
    """
    short = -x.shape[-1] % bands
    blocks = np.pad(x, ((0, 0), (0, short))).reshape(len(x), -1, bands)
    u = _rotate(blocks, -_rotation(bands)[1])
    c: np.ndarray = -scipy.fft.dct(u[..., ::-1], type=4, norm="ortho", overwrite_x=True)
    return c


def inverse_mdct(c: np.ndarray, length: int) -> np.ndarray:
    """Compute signals ``(B, length)`` of coefficients ``(B, F, bands)``, zeros after the last frame."""
    bands = c.shape[-1]
    u = -scipy.fft.dct(c, type=4, norm="ortho")[..., ::-1]
    x = _rotate(u, _rotation(bands)[1]).reshape(len(c), -1)
    return fit_length(x, length)


def fit_length(x: np.ndarray, length: int) -> np.ndarray:
    """Cut the last axis to ``length`` samples, or pad it with zeros."""
    missing = length - x.shape[-1]
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)]) if missing > 0 else x[..., :length]


def _rotate(blocks: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """Rotate the samples mirrored about each border between two blocks ``(B, F, bands)``."""
    half = blocks.shape[-1] // 2
    rise = _rotation(blocks.shape[-1])[0]
    made = blocks.astype(np.float32)
    after, before = blocks[:, 1:, :half], blocks[:, :-1, half:][..., ::-1]
    made[:, 1:, :half] = rise * after + fall * before
    made[:, :-1, half:] = (rise * before - fall * after)[..., ::-1]
    return made


@lru_cache
def _rotation(bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sine window after and before a border."""
    j = np.arange(bands // 2)
    scale = math.pi / (2 * bands)
    rise, fall = np.sin(scale * (bands / 2 + j + 0.5)), np.sin(scale * (bands / 2 - j - 0.5))
    return rise.astype(np.float32), fall.astype(np.float32)
