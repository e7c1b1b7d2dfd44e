"""Make quantised windows smaller, without what they were made of.

Requantising with a slightly larger step would drop all magnitudes of 1 at once. So the dead zone is wider for
coefficients with few nonzero neighbours, which cost most bits, and narrower for others: sizes fall smoothly.
"""

from __future__ import annotations

import numpy as np

from celesta.entropy import window as bits
from celesta.entropy.table_file import Tables
from celesta.entropy.window import DEAD_ZONE, NO_DETAIL, PER_OCTAVE, SHRINK, Numbers

_AROUND = 8
_FREQUENCY, _TIME = 0.754_877_67, 0.569_840_29  # multiples of these modulo 1 fill the unit square evenly


def coarser(n: Numbers, step: int, channels: int, tables: Tables) -> Numbers:
    """Return a quantised window at a coarser step, or as it is where the step is not coarser.

    Args:
        n: the window of one audio channel.
        step: step index.
        channels: base channels that are left.
        tables: the codec's.
    """
    base = n.base[:channels]
    if step <= n.step or n.step == NO_DETAIL:
        return Numbers(base, n.detail, n.settings, n.envelope, n.rest)
    settings = n.settings.at(step)
    if step == NO_DETAIL:
        return Numbers(base, np.zeros_like(n.detail), settings, n.envelope, n.envelope)
    magnitude = np.abs(n.detail) * np.float32(2.0 ** ((n.step - step) / PER_OCTAVE))
    made = np.maximum(magnitude + np.float32(0.5 - SHRINK), 1).astype(np.int32)
    made[(magnitude < 2) & (magnitude * _preference(n.detail) < DEAD_ZONE)] = 0
    detail = np.where(n.detail < 0, -made, made).astype(np.int32)
    rest = n.rest
    if tables.envelope is not None:
        rest = bits.left_out(bits.coefficients(n, tables), detail, n.envelope, n.rest)
    return Numbers(base, detail, settings, n.envelope, rest)


def _preference(detail: np.ndarray) -> np.ndarray:
    """Return factors from 0.7 to 1.4 on magnitudes ``(bands, frames)``, higher where neighbours are not zero."""
    some = np.pad(detail != 0, 1).astype(np.int8)
    rows = some[:-2] + some[1:-1] + some[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] - some[1:-1, 1:-1]
    bands, frames = detail.shape
    even = (np.arange(bands)[:, None] * _FREQUENCY + np.arange(frames) * _TIME) % 1.0
    found: np.ndarray = np.exp2((around + even) / (_AROUND + 1) - 0.5).astype(np.float32)
    return found
