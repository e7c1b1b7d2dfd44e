"""Loudness of a song over time, after ITU-R BS.1770-4 and EBU Tech 3342."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.signal

from celesta.dsp import metrics
from celesta.dsp.spectra import SAMPLE_RATE

_FLOOR_LUFS = -70.0
_STEP = SAMPLE_RATE // 10  # samples of 0.1 s


class LoudnessFacts(NamedTuple):
    """Loudness in numbers.

    Attributes:
        loudness: integrated, LUFS; silence: -120.
        loudness_range: LU, 10th to 95th percentile of 3 s blocks above both gates; 0 below 3 s.
        crest: peak over root mean square, dB; silence: 0.
        dynamic_complexity: mean distance of the loudness of 0.2 s blocks from the song's level, dB.
    """

    loudness: float
    loudness_range: float
    crest: float
    dynamic_complexity: float


def loudness_facts(x: np.ndarray) -> LoudnessFacts:
    """Loudness of samples ``(n,)`` at 22 050 Hz, taken as one channel."""
    peak = float(np.abs(x).max())
    if peak == 0:
        return LoudnessFacts(metrics.SILENCE_DB, 0.0, 0.0, 0.0)
    rms = float(np.sqrt(np.mean(x.astype(np.float64) ** 2)))
    weighted = x.astype(np.float64)
    for numerator, denominator in metrics.k_weighting(SAMPLE_RATE):
        weighted = scipy.signal.lfilter(numerator, denominator, weighted)
    steps = _step_powers(weighted)
    return LoudnessFacts(
        metrics.loudness(x[None], SAMPLE_RATE),
        _range(_lufs(_running_mean(steps, 30))),
        20 * float(np.log10(peak / rms)),
        _complexity(_lufs(_running_mean(steps, 2)[::2])),
    )


def _step_powers(weighted: np.ndarray) -> np.ndarray:
    """Mean power of each whole 0.1 s; of all there is where the sound is shorter."""
    whole = weighted.size // _STEP
    if whole == 0:
        return np.array([np.mean(weighted**2)])
    powers: np.ndarray = np.mean(weighted[: whole * _STEP].reshape(whole, _STEP) ** 2, axis=1)
    return powers


def _running_mean(powers: np.ndarray, length: int) -> np.ndarray:
    """Means of ``length`` neighbours; of all where there are fewer."""
    length = min(length, powers.size)
    means: np.ndarray = np.lib.stride_tricks.sliding_window_view(powers, length).mean(axis=1)
    return means


def _lufs(powers: np.ndarray) -> np.ndarray:
    level: np.ndarray = -0.691 + 10 * np.log10(np.maximum(powers, 1e-12))
    return level


def _range(short_term: np.ndarray) -> float:
    """EBU Tech 3342: gates at -70 LUFS and 20 LU below the mean power of what passed the first."""
    loud = short_term[short_term > _FLOOR_LUFS]
    if not loud.size:
        return 0.0
    loud = loud[loud > 10 * np.log10(np.mean(10 ** (loud / 10))) - 20]
    return float(np.percentile(loud, 95) - np.percentile(loud, 10))


def _complexity(levels: np.ndarray) -> float:
    """Streich 2006, with the level of Vickers 2001: louder blocks weigh more, by 0.9 to the power of minus the dB."""
    levels = np.maximum(levels, _FLOOR_LUFS)
    weights = 0.9 ** -(levels - levels.max())
    return float(np.mean(np.abs(levels - np.sum(weights * levels) / np.sum(weights))))
