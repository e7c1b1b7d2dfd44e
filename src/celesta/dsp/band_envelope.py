"""The band envelope of MDCT coefficients: mean power of 25 bands over 4 frames, in steps of 3 dB.

A cell is a band over four frames. Arrays of coefficients are ``(bands, frames)``, of cells ``(25, frames / 4)``.
"""

from __future__ import annotations

import numpy as np

EDGES = (
    0,
    4,
    8,
    12,
    16,
    20,
    24,
    28,
    32,
    40,
    48,
    56,
    68,
    80,
    96,
    120,
    156,
    200,
    256,
    320,
    400,
    480,
    560,
    640,
    744,
    1024,
)
"""First coefficient of each band and the end of the last, for 1024 coefficients a frame at 44 100 Hz."""
BANDS = len(EDGES) - 1
FRAMES = 4
"""Frames of a cell."""
STEP_DB = 3.0
FLOOR_DB = -96.0
"""Power of index 0, which stands for silence."""
LARGEST = 63
WIDTHS = np.diff(EDGES)
SIZES = FRAMES * WIDTHS
"""Coefficients of a cell of each band."""
BAND_OF = np.repeat(np.arange(BANDS), WIDTHS)
"""The band of each coefficient."""


def cell_sums(x: np.ndarray) -> np.ndarray:
    """Sums over cells: ``(1024, frames)`` to ``(25, frames / 4)``; frames are a multiple of 4."""
    by_band = np.add.reduceat(x, EDGES[:-1], axis=0)
    found: np.ndarray = by_band.reshape(BANDS, -1, FRAMES).sum(-1)
    return found


def over_coefficients(cells: np.ndarray) -> np.ndarray:
    """A cell's value for each of its coefficients: ``(25, groups)`` to ``(1024, 4 * groups)``."""
    found: np.ndarray = np.repeat(np.repeat(cells, FRAMES, axis=1), WIDTHS, axis=0)
    return found


def levels(power: np.ndarray) -> np.ndarray:
    """Mean power as an envelope index that is not rounded, from 0 (silence) to 63."""
    decibel = 10 * np.log10(np.maximum(power, 1e-20))
    found: np.ndarray = np.clip((decibel - FLOOR_DB) / STEP_DB, 0, LARGEST)
    return found


def decibels(index: np.ndarray) -> np.ndarray:
    """An envelope index as dB of mean power, float32."""
    found: np.ndarray = np.asarray(index, np.float32) * np.float32(STEP_DB) + np.float32(FLOOR_DB)
    return found


def centres(sample_rate: float = 44_100) -> np.ndarray:
    """Return the centre frequency of each band, Hz, ``(25,)``.

    >>> centres()[:3].round().tolist()
    [43.0, 129.0, 215.0]
    """
    edges = np.array(EDGES)
    found: np.ndarray = (edges[:-1] + edges[1:]) / 2 * (sample_rate / 2 / EDGES[-1])
    return found
