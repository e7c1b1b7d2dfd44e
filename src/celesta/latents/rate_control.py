"""Find the quantiser step at which a song has the bitrate asked for: from a guess, then by trying.

Sizes fall as the step index rises, so every try narrows the search from one side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from celesta.entropy import window as bits
from celesta.entropy.table_file import Tables
from celesta.entropy.window import NO_DETAIL, Settings

Coefficients = tuple[np.ndarray, np.ndarray]
"""Coefficients ``(bands, frames)`` of a window of an audio channel, and their envelope indices."""
BASE_CHANNELS = (4, 2, 6)
"""Base channels next to a detail: without an envelope, with one, and with one in stereo from :data:`STEREO_KBPS` on.

More cost more bits than they gain; chosen on validation music by ``benchmarks/codec_settings.py``.
"""
STEREO_KBPS = 10.0
"""Bitrate of each of two audio channels, kbit/s."""
CHOICES = ((10.0, 5, 15), (float("inf"), 7, 15))
"""Up to which bitrate of an audio channel, kbit/s: power of the envelope and softening of the fill.

Chosen on validation music by ``benchmarks/codec_settings.py``.
"""
QUALITY_KBPS = 12.0
"""Bitrate of an audio channel whose settings serve where a quality is asked for."""
COARSEST, FINEST = 864, 384
"""Step indices of quality 0 and 10 for a song of :data:`REFERENCE_LUFS`."""
REFERENCE_LUFS = -16.0
"""Loudness at which qualities have the steps above: the mean of the shipped clips, and what streaming plays at."""
OCTAVE_DB = 20 * np.log10(2)
REFERENCE_DB = -30.0
"""Level of a band of a song of :data:`REFERENCE_LUFS`, dB: where any power of the envelope gives the same quality."""
NOISE_STEP = 48
"""No quality is finer: quantiser steps of 2^-15, those of 16-bit audio, where the band weight is 1."""
TOLERANCE = 0.015  # a step more or less
FRAME_RATE = 44_100 / 1_024
_SPARSE = 7  # every 7th coefficient stands for all where only their distribution matters; prime, so it meets all bands
_BASE_BITS = 2.3  # per base channel and frame: measured, as are the two lines below
_ENVELOPE_BITS = (0.0, 20.0)  # per frame: without and with an envelope
_DENSITY = np.array([1.0, 4.0, 12.0, 24.0, 48.0, 400.0])
_BITS_EACH = np.array([8.5, 7.2, 6.0, 5.6, 5.35, 5.3])
"""Bits per coefficient where a frame has :data:`_DENSITY` of them, place and sign included: to begin a search with."""


def quality_step(quality: float, loudness: float | None = REFERENCE_LUFS, power: int = 0) -> int:
    """Return the step index of a quality, relative to the loudness of the song.

    Quality 0 keeps few coefficients per frame, 10 is beyond what is audible. A song that is 6 dB softer gets
    coefficients' steps half as large, so that its signal-to-noise ratio is the same; steps finer than those of 16-bit
    audio are not used.

    Args:
        quality: 0 to 10.
        loudness: LUFS; None for silence.
        power: of the envelope in a coefficient's unit, in sixteenths; the rest of the level is the step's.

    Example:
        >>> quality_step(5), quality_step(5, -22.02)
        (624, 576)
    """
    level = 0.0 if loudness is None else (loudness - REFERENCE_LUFS) / OCTAVE_DB
    index = COARSEST - quality * (COARSEST - FINEST) / 10
    index += bits.PER_OCTAVE * (level * (1 - power / bits.POWERS) - REFERENCE_DB / OCTAVE_DB * power / bits.POWERS)
    return int(np.clip(round(index), NOISE_STEP, NO_DETAIL - 1))


def first_step(
    windows: Sequence[Coefficients], kbps: float, channels: int, audio_channels: int, power: int, tables: Tables
) -> int:
    """Guess a step by how many coefficients the bitrate pays for.

    Args:
        windows: coefficients and envelopes of windows and audio channels.
        kbps: bitrate asked for, kbit/s.
        channels: base channels.
        audio_channels: number of audio channels.
        power: of the envelope in a coefficient's unit, in sixteenths.
        tables: the codec's.
    """
    fixed = _BASE_BITS * channels + _ENVELOPE_BITS[tables.envelope is not None]
    left = kbps * 1000 / FRAME_RATE - fixed * audio_channels
    if left <= 2:
        return NO_DETAIL
    counts = np.geomspace(0.05, tables.bands * audio_channels, 200)
    cost = counts * np.interp(counts / audio_channels, _DENSITY, _BITS_EACH)
    return step_of_count(windows, float(np.interp(left, cost, counts)) / audio_channels, power, tables)


def step_of_count(windows: Sequence[Coefficients], count: float, power: int, tables: Tables) -> int:
    """Find the step that keeps ``count`` coefficients per frame on average, estimated from every seventh."""
    weighted = np.concatenate(
        [(np.abs(c[::_SPARSE]) / bits.unit(envelope, power, tables)[::_SPARSE]).ravel() for c, envelope in windows]
    )
    frames = sum(c.shape[1] for c, _ in windows)
    at = len(weighted) - 1 - min(len(weighted) - 1, round(count * frames / _SPARSE))
    return bits.step_keeping(float(np.partition(weighted, at)[at]))


def base_channels(tables: Tables, kbps: float | None = None, audio_channels: int = 1) -> int:
    """Return the base channels of a coded file that has a detail.

    Args:
        tables: the codec's.
        kbps: bitrate asked for, kbit/s; None for that of a quality.
        audio_channels: number of audio channels.
    """
    if tables.envelope is None:
        return BASE_CHANNELS[0]
    each = QUALITY_KBPS if kbps is None else kbps / audio_channels
    return BASE_CHANNELS[2 if audio_channels == 2 and each >= STEREO_KBPS else 1]


def settings(tables: Tables, kbps: float | None = None, audio_channels: int = 1) -> Settings:
    """Choose power and softening of a bitrate; without one those of the quality.

    Args:
        tables: the codec's.
        kbps: bitrate asked for, kbit/s.
        audio_channels: number of audio channels.
    """
    if tables.envelope is None:
        return Settings(NO_DETAIL)
    each = QUALITY_KBPS if kbps is None else kbps / audio_channels
    power, softer = next((power, softer) for most, power, softer in CHOICES if each <= most)
    return Settings(NO_DETAIL, power, softer)


def search(kbps_at: Callable[[int], float], kbps: float, first: int, most: int) -> int:
    """Find the finest step, or nearly, whose ``kbps_at(step)`` is within ``kbps``; :data:`NO_DETAIL` if none is.

    Args:
        kbps_at: size at a step, kbit/s.
        kbps: bitrate asked for, kbit/s.
        first: step to begin with.
        most: number of tries.
    """
    step, tried = first, dict[int, float]()
    while True:
        tried[step] = kbps_at(step)
        better = next_step(tried, kbps, most)
        if better is None or better == step:
            return step
        step = better


def next_step(tried: dict[int, float], kbps: float, most: int) -> int | None:
    """Choose the step to try next, given the kbit/s of those tried.

    Returns:
        A new step; or one of those tried, to end with it; or None if nothing fits.
    """
    low = max((s for s, found in tried.items() if found > kbps), default=-1)  # too large
    high = min((s for s, found in tried.items() if found <= kbps and s > low), default=None)  # fitting
    if high is None:
        if low >= NO_DETAIL:
            return None
        # A doubled step costs 6 dB, and about half of the bits.
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
