"""The quantiser's step at which a song has the bitrate asked for: from a guess, then by trying.

Sizes fall as the step's number rises, so every try narrows the search from one side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from celesta.entropy import window as bits
from celesta.entropy.tables import BitTables
from celesta.entropy.window import NO_DETAIL

COARSEST, FINEST = 864, 384
TOLERANCE = 0.015  # a step more or less
FRAME_RATE = 44_100 / 1_024
_SPARSE = 7  # every so many coefficients stand for all where only their spread matters
_BASE_BITS = 2.3  # a channel of the base in a frame: measured, as are the two lines below
_DENSITY = np.array([1.0, 4.0, 12.0, 24.0, 48.0, 400.0])
_BITS_EACH = np.array([8.5, 7.2, 6.0, 5.6, 5.35, 5.3])
"""Bits a coefficient costs where a frame has so many, place and sign included: to begin a search with."""


def quality_step(quality: float) -> int:
    """Quality 0 has few coefficients a frame, 10 is beyond what is heard; 6 dB of worth are 48 numbers."""
    return round(COARSEST - quality * (COARSEST - FINEST) / 10)


def first_step(coefficients: Sequence[np.ndarray], kbps: float, channels: int, sounds: int, tables: BitTables) -> int:
    """A guess, by how many coefficients the bitrate pays for.

    Args:
        coefficients: ``(bands, frames)`` each, of windows and sound channels.
        kbps: asked for.
        channels: of the base.
        sounds: sound channels.
        tables: the codec's.
    """
    left = kbps * 1000 / FRAME_RATE - _BASE_BITS * channels * sounds
    if left <= 2:
        return NO_DETAIL
    counts = np.geomspace(0.05, tables.spread.size * sounds, 200)
    cost = counts * np.interp(counts / sounds, _DENSITY, _BITS_EACH)
    return step_of_count(coefficients, float(np.interp(left, cost, counts)) / sounds, tables)


def step_of_count(coefficients: Sequence[np.ndarray], count: float, tables: BitTables) -> int:
    """The step that keeps so many coefficients a frame on average, told from every seventh."""
    spread = tables.spread[::_SPARSE, None]
    worth = np.concatenate([(np.abs(c[::_SPARSE]) / spread).ravel() for c in coefficients])
    frames = sum(c.shape[1] for c in coefficients)
    at = len(worth) - 1 - min(len(worth) - 1, round(count * frames / _SPARSE))
    return bits.step_keeping(float(np.partition(worth, at)[at]))


def search(kbps_at: Callable[[int], float], kbps: float, first: int, most: int) -> int:
    """The finest step, or nearly, whose ``kbps_at(step)`` is within ``kbps``; :data:`NO_DETAIL` if none is.

    Args:
        kbps_at: size at a step, kbit/s.
        kbps: asked for.
        first: step to begin with.
        most: tries.
    """
    step, tried = first, dict[int, float]()
    while True:
        tried[step] = kbps_at(step)
        better = next_step(tried, kbps, most)
        if better is None or better == step:
            return step
        step = better


def next_step(tried: dict[int, float], kbps: float, most: int) -> int | None:
    """The step to try next, given the kbit/s of those tried; one of them to end with it, None if nothing fits."""
    low = max((s for s, found in tried.items() if found > kbps), default=-1)  # too large
    high = min((s for s, found in tried.items() if found <= kbps and s > low), default=None)  # fitting
    if high is None:
        if low >= NO_DETAIL:
            return None
        # A doubled step is 6 dB of worth, at which about half of the bits go.
        return int(min(NO_DETAIL, low + max(1, round(1.25 * bits.PER_OCTAVE * np.log2(tried[low] / kbps)))))
    short = kbps / tried[high]
    if short <= 1 + TOLERANCE or high - low == 1 or len(tried) >= most:
        return high
    if high == NO_DETAIL:
        return max(low + 1, (low + high) // 2)
    if low < 0:
        return max(0, high - max(1, int(1.1 * bits.PER_OCTAVE * np.log2(short))))
    share = np.log(tried[low] / kbps) / np.log(tried[low] / tried[high])
    return int(np.clip(round(low + share * (high - low)), low + 1, high - 1))
