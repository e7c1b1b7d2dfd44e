"""Turn two channels band by band so that one of them holds most of the power: mid/side per band, and more.

Angle 0 leaves left and right as they are; angle 4 of 16 gives mid and side. A source that is panned anywhere leaves
next to nothing in the second channel at its own angle. Rotations lose nothing and add no noise.
"""

from __future__ import annotations

import numpy as np

from celesta.dsp import band_envelope as bands

ANGLES = 16
"""Angles of half a turn."""


def angles(pair: np.ndarray) -> np.ndarray:
    """Choose the angle of each band: that of its principal axis.

    Args:
        pair: ``(2, 1024, frames)`` coefficients of left and right.

    Returns:
        ``(25,)`` int64, 0 to 15.
    """
    left, right = pair.astype(np.float64)
    power, other, both = ((a * b).sum(-1) for a, b in ((left, left), (right, right), (left, right)))
    edges = bands.EDGES[:-1]
    difference = np.add.reduceat(power - other, edges)
    axis = 0.5 * np.arctan2(2 * np.add.reduceat(both, edges), difference)
    found: np.ndarray = np.rint(axis / np.pi * ANGLES).astype(np.int64) % ANGLES
    return found


def turned(pair: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Rotate left and right ``(2, 1024, frames)`` by the angle of each band ``(25,)``: main channel and the other."""
    return _rotated(pair, by, 1)


def turned_back(pair: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Undo :func:`turned`."""
    return _rotated(pair, by, -1)


def _rotated(pair: np.ndarray, by: np.ndarray, sign: int) -> np.ndarray:
    radians = np.repeat(by, bands.WIDTHS)[:, None] * (np.pi / ANGLES)
    cosine, sine = np.cos(radians).astype(np.float32), sign * np.sin(radians).astype(np.float32)
    first, second = pair
    made: np.ndarray = np.stack([cosine * first + sine * second, cosine * second - sine * first])
    return made
