"""Loudness after ITU-R BS.1770-4 and EBU Tech 3342, of whole signals and of streams."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from celesta.dsp.spectra import SAMPLE_RATE
from celesta.errors import UsageError

SILENCE_DB = -120.0
"""Level and loudness of silence, and the least that is reported (dBFS, LUFS)."""
_FLOOR_LUFS = -70.0
_OFFSET = -0.691  # LUFS of power 1, by the standard
_STEPS_PER_SECOND = 10


class LoudnessFacts(NamedTuple):
    """Loudness of a signal.

    Attributes:
        loudness: integrated, LUFS; silence: -120.
        loudness_range: LU, 10th to 95th percentile of 3 s blocks above both gates; 0 below 3 s.
        crest: peak over root mean square, dB; silence: 0.
        dynamic_complexity: mean distance of the loudness of 0.2 s blocks from the signal's level, dB.
    """

    loudness: float
    loudness_range: float
    crest: float
    dynamic_complexity: float


def loudness(x: np.ndarray, sample_rate: int) -> float:
    """Compute the integrated loudness of ``(channels, n)`` samples in LUFS (ITU-R BS.1770-4); silence: -120.

    All channels have weight 1, as the standard gives it for mono and stereo. Signals below 0.4 s count as one block.

    Raises:
        UsageError: not ``(channels, n)``, empty or not finite.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or x.size == 0 or not np.isfinite(x).all():
        raise UsageError(f"loudness needs finite samples (channels, n), got shape {x.shape}")
    from scipy.signal import lfilter  # its import takes longer than all others

    weighted = x
    for numerator, denominator in k_weighting(sample_rate):
        weighted = lfilter(numerator, denominator, weighted, axis=1)
    power = np.concatenate([[0.0], np.cumsum(np.sum(weighted**2, axis=0))])
    length = min(round(0.4 * sample_rate), weighted.shape[1])
    starts = np.arange(0, weighted.shape[1] - length + 1, max(1, round(0.1 * sample_rate)))
    return _gated((power[starts + length] - power[starts]) / length)


def k_weighting(sample_rate: int) -> tuple[tuple[list[float], list[float]], tuple[list[float], list[float]]]:
    """Return the two filters of BS.1770 for any sample rate: a high shelf for the head, then a high-pass.

    Source: the analogue prototypes behind the standard's 48 kHz coefficients, as libebur128 and De Man 2018 give them.

    Returns:
        Two pairs of numerator and denominator for :func:`scipy.signal.lfilter`.
    """
    k = np.tan(np.pi * 1681.974450955533 / sample_rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [(high + band * k / q + k * k) / a0, 2 * (k * k - high) / a0, (high - band * k / q + k * k) / a0]
    shelf_back = [1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    k = np.tan(np.pi * 38.13547087602444 / sample_rate)
    q = 0.5003270373238773
    a0 = 1 + k / q + k * k
    return (shelf, shelf_back), ([1.0, -2.0, 1.0], [1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])


class LoudnessMeter:
    """Measure the loudness of a mono stream at 22 050 Hz.

    Keeps four numbers for each 0.1 s, so that any stretch of the stream can be described afterwards.
    """

    def __init__(self) -> None:
        self._sections = np.array([[*b, *a] for b, a in k_weighting(SAMPLE_RATE)])
        self._state = np.zeros((len(self._sections), 2))
        self._step = SAMPLE_RATE // _STEPS_PER_SECOND
        self._held: list[np.ndarray] = []  # samples and weighted samples (2, n) of a step that is not full
        self._steps: list[np.ndarray] = []  # (steps, 4): samples, power, weighted power (both summed), peak

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        from scipy.signal import sosfilt

        held = self._held[0] if self._held else np.zeros((2, 0))
        both = np.empty((2, held.shape[1] + x.size))
        both[:, : held.shape[1]], both[0, held.shape[1] :] = held, x
        if x.size:
            both[1, held.shape[1] :], self._state = sosfilt(self._sections, both[0, held.shape[1] :], zi=self._state)
        whole = both.shape[1] // self._step * self._step
        self._held = [both[:, whole:]]
        if whole:
            self._steps.append(_summed(both[:, :whole].reshape(2, -1, self._step)))

    def finish(self) -> None:
        """End the stream."""
        rest = self._held[0] if self._held else np.zeros((2, 0))
        if rest.shape[1]:
            self._steps.append(_summed(rest[:, None]))
        self._steps = [np.concatenate(self._steps)] if self._steps else [np.zeros((0, 4))]

    def facts(self, start: float = 0.0, stop: float | None = None) -> LoudnessFacts:
        """Describe the stream from ``start`` to ``stop`` (seconds, to 0.1 s)."""
        last = None if stop is None else round(stop * _STEPS_PER_SECOND)
        steps = self._steps[0][round(start * _STEPS_PER_SECOND) : last]
        samples, power, weighted, peaks = steps.T
        peak = float(peaks.max(initial=0.0))
        if peak == 0:
            return LoudnessFacts(SILENCE_DB, 0.0, 0.0, 0.0)
        rms = float(np.sqrt(power.sum() / samples.sum()))
        full = steps[samples == self._step]
        powers = full[:, 2] / self._step if len(full) else np.array([weighted.sum() / samples.sum()])
        # A signal below 0.4 s is one block, its last piece included.
        blocks = _running_mean(powers, 4) if len(full) >= 4 else np.array([weighted.sum() / samples.sum()])
        return LoudnessFacts(
            _gated(blocks),
            _range(_lufs(_running_mean(powers, 30))),
            20 * float(np.log10(peak / rms)),
            _complexity(_lufs(_running_mean(powers, 2)[::2])),
        )


def loudness_facts(x: np.ndarray) -> LoudnessFacts:
    """Describe the loudness of mono samples ``(n,)`` at 22 050 Hz."""
    meter = LoudnessMeter()
    meter.push(x)
    meter.finish()
    return meter.facts()


def _summed(parts: np.ndarray) -> np.ndarray:
    """Turn samples and weighted samples ``(2, steps, n)`` into ``(steps, 4)``; see :class:`LoudnessMeter`."""
    power, weighted = np.einsum("ijk,ijk->ij", parts, parts)
    return np.stack([np.full(len(power), parts.shape[2]), power, weighted, np.abs(parts[0]).max(axis=1)], axis=1)


def _gated(blocks: np.ndarray) -> float:
    """Return the loudness of the mean power of the blocks that pass both gates of BS.1770."""
    loud = blocks[blocks > 10 ** ((_FLOOR_LUFS - _OFFSET) / 10)]
    if not loud.size:
        return SILENCE_DB
    loud = loud[loud > loud.mean() / 10]  # the relative gate: 10 LU below what passed the absolute one
    return max(SILENCE_DB, float(_OFFSET + 10 * np.log10(loud.mean())))


def _running_mean(powers: np.ndarray, length: int) -> np.ndarray:
    """Return the means of ``length`` neighbours; of all where there are fewer."""
    means: np.ndarray = np.lib.stride_tricks.sliding_window_view(powers, min(length, powers.size)).mean(axis=1)
    return means


def _lufs(powers: np.ndarray) -> np.ndarray:
    level: np.ndarray = _OFFSET + 10 * np.log10(np.maximum(powers, 1e-12))
    return level


def _range(short_term: np.ndarray) -> float:
    """Compute the loudness range: gates at -70 LUFS and 20 LU below the mean power of what passed the first."""
    loud = short_term[short_term > _FLOOR_LUFS]
    if not loud.size:
        return 0.0
    loud = loud[loud > 10 * np.log10(np.mean(10 ** (loud / 10))) - 20]
    return float(np.percentile(loud, 95) - np.percentile(loud, 10))


def _complexity(levels: np.ndarray) -> float:
    """Compute Streich's dynamic complexity (2006), with the level of Vickers (2001): louder blocks have more weight."""
    levels = np.maximum(levels, _FLOOR_LUFS)
    weights = 0.9 ** -(levels - levels.max())
    return float(np.mean(np.abs(levels - np.sum(weights * levels) / np.sum(weights))))
