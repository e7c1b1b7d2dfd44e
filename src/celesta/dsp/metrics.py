"""Measures of reconstructions (MSE, SNR, SI-SDR, mel distance) and of signals (loudness, brightness, onsets).

All take arrays ``(channels, n)`` of finite samples with full scale at +-1 and return a float, also for silence and for
a single sample. Errors and powers are summed over the channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from celesta.dsp.loudness import SILENCE_DB, k_weighting, loudness
from celesta.dsp.onsets import MEL_BANDS as MEL_BANDS_OF_ONSETS
from celesta.dsp.onsets import count_onsets, onset_strength
from celesta.dsp.spectra import magnitudes, mel_filters
from celesta.errors import UsageError

__all__ = [
    "LIMIT_DB",
    "SILENCE_DB",
    "Scores",
    "k_weighting",
    "loudness",
    "mel_distance",
    "mel_filters",
    "mse",
    "onset_rate",
    "scores",
    "si_sdr",
    "snr",
    "spectral_centroid",
]

LIMIT_DB = 100.0
"""Ratios are clipped to plus and minus this, dB, so that the ratio of a perfect copy is finite."""
MEL_WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)
MEL_BANDS = (5, 10, 20, 40, 80, 160, 320)
MEL_FLOOR = 1e-5
_SILENT_POWER = 1e-20
_BLOCK_SAMPLES = 1 << 20

Array = NDArray[np.float64]


class Scores(NamedTuple):
    """Measures of a reconstruction, as :func:`scores` returns them.

    Attributes:
        mse: mean squared error, 0 being perfect.
        snr: signal-to-noise ratio in dB.
        si_sdr: scale-invariant signal-to-distortion ratio in dB.
        mel: multi-scale mel distance, 0 being perfect.
    """

    mse: float
    snr: float
    si_sdr: float
    mel: float


def scores(x: ArrayLike, x_hat: ArrayLike, sample_rate: int) -> Scores:
    """Compute all four measures of ``x_hat`` against ``x``, both ``(channels, n)``.

    Args:
        x: the signal.
        x_hat: its reconstruction, of the same shape.
        sample_rate: of both, Hz.

    Raises:
        UsageError: the shapes differ, or samples are not finite.

    Example:
        >>> x = np.random.default_rng(0).normal(0, 0.1, (1, 22_050))
        >>> round(scores(x, 0.9 * x, 22_050).snr, 6)
        20.0
    """
    return Scores(mse(x, x_hat), snr(x, x_hat), si_sdr(x, x_hat), mel_distance(x, x_hat, sample_rate))


def mse(x: ArrayLike, x_hat: ArrayLike) -> float:
    """Compute the mean squared error over all samples and channels.

    Example:
        >>> mse([[0.5, 0.5]], [[0.5, 0.0]])
        0.125
    """
    a, b = _pair(x, x_hat)
    return float(np.mean((a - b) ** 2))


def snr(x: ArrayLike, x_hat: ArrayLike) -> float:
    """Compute the signal-to-noise ratio: power of ``x`` over power of the error, in dB, clipped to +-100.

    If both are silent, it is 100; if only ``x`` is, -100.

    Example:
        >>> round(snr([[1.0, -1.0]], [[0.9, -0.9]]), 6)
        20.0
    """
    a, b = _pair(x, x_hat)
    return _ratio_db(float(np.sum(a**2)), float(np.sum((a - b) ** 2)), a.size)


def si_sdr(x: ArrayLike, x_hat: ArrayLike) -> float:
    """Compute the scale-invariant signal-to-distortion ratio, in dB, clipped to +-100.

    Source: Le Roux, Wisdom, Erdogan and Hershey 2019, "SDR - half-baked or well done?", with the usual removal of
    each channel's mean. The scale is one for all channels. Where ``x`` is silent or constant: 100 if ``x_hat``
    equals it, else -100. Where only ``x_hat`` is silent or constant: -100.
    """
    a, b = _pair(x, x_hat)
    if np.array_equal(a, b):
        return LIMIT_DB
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    power = float(np.sum(a**2))
    if power <= _SILENT_POWER * a.size or float(np.sum(b**2)) <= _SILENT_POWER * b.size:
        return -LIMIT_DB
    target = float(np.sum(a * b)) / power * a
    return _ratio_db(float(np.sum(target**2)), float(np.sum((b - target) ** 2)), a.size)


def mel_distance(x: ArrayLike, x_hat: ArrayLike, sample_rate: int) -> float:
    """Multi-scale mel distance: sum over seven scales of the mean absolute difference of log10 mel magnitudes.

    Scales: Hann windows of 32, 64, ... 2048 samples, hop a quarter, with 5, 10, ... 320 mel bands (Slaney's scale,
    triangles of height 1, from 0 Hz to half the rate) of the magnitudes, floored at 1e-5. A band too narrow to hold
    a bin is left out. 1 means the bands are off by 1 / 7 of a decade, 2.9 dB, on average. The scales are those of
    the Descript Audio Codec (Kumar et al. 2023), whose triangles are scaled to equal area instead.
    """
    a, b = _pair(x, x_hat)
    total = 0.0
    for window, bands in zip(MEL_WINDOWS, MEL_BANDS, strict=True):
        filters = mel_filters(sample_rate, window, bands)
        summed, count = 0.0, 0
        for frames_a, frames_b in zip(_magnitudes(a, window), _magnitudes(b, window), strict=True):
            log_a, log_b = (np.log10(np.maximum(m @ filters, MEL_FLOOR)) for m in (frames_a, frames_b))
            summed += float(np.sum(np.abs(log_a - log_b), dtype=np.float64))
            count += log_a.size
        total += summed / count
    return total


def spectral_centroid(x: ArrayLike, sample_rate: int) -> float:
    """Brightness in Hz: the mean frequency, weighted by the magnitudes of 2048-sample frames; silence: 0."""
    frequencies = np.fft.rfftfreq(2048, 1 / sample_rate)
    weighted = total = 0.0
    for frames in _magnitudes(_checked(x), 2048):
        spectrum = np.sum(frames, axis=0, dtype=np.float64)
        weighted += float(spectrum @ frequencies)
        total += float(spectrum.sum())
    return weighted / total if total > 0 else 0.0


def onset_rate(x: ArrayLike, sample_rate: int) -> float:
    """Onsets a second, by peaks of the spectral flux; silence: 0.

    Source: Boeck, Krebs and Schedl 2012: flux of a compressed mel spectrum in frames of about 46 ms; a peak is the
    largest within 30 ms and stands above the mean from 100 ms before to 70 ms behind. The threshold is ours. Does
    not depend on the level. The cuts at both ends of the signal are no onsets.
    """
    mono = _checked(x).mean(axis=0)
    window = 2 ** max(5, round(np.log2(0.046 * sample_rate)))
    filters = mel_filters(sample_rate, window, MEL_BANDS_OF_ONSETS)
    mels = [block @ filters for block in _magnitudes(mono[None], window)]
    strength = onset_strength(mels, max(float(block.max()) for block in mels))
    return float(count_onsets(strength, sample_rate / (window // 4)) * sample_rate / mono.size)


def _magnitudes(x: Array, window: int) -> Iterator[np.ndarray]:
    """Yield the magnitudes of frames with a hop of a quarter, one channel after the other."""
    for channel in x:
        block = _BLOCK_SAMPLES // window
        yield from magnitudes(channel.astype(np.float32), window, window // 4, block=block, double=False)


def _ratio_db(signal: float, noise: float, samples: int) -> float:
    """10 log10(signal / noise) within the limits; no noise is perfect, even of silence."""
    if noise <= _SILENT_POWER * samples and noise <= signal * 10 ** (-LIMIT_DB / 10):
        return LIMIT_DB
    if signal <= 0.0:
        return -LIMIT_DB
    return float(np.clip(10 * np.log10(signal / noise), -LIMIT_DB, LIMIT_DB))


def _checked(x: ArrayLike) -> Array:
    """Check a signal and return it in double precision."""
    a = np.asarray(x, dtype=np.float64)
    if a.ndim != 2 or a.shape[0] < 1 or a.shape[1] < 1:
        raise UsageError(f"a signal must be an array (channels, samples) with at least one sample, got shape {a.shape}")
    if not np.isfinite(a).all():
        raise UsageError("the signal holds NaN or infinite samples; nothing can be measured on it")
    return a


def _pair(x: ArrayLike, x_hat: ArrayLike) -> tuple[Array, Array]:
    a, b = _checked(x), _checked(x_hat)
    if a.shape != b.shape:
        raise UsageError(f"both signals must have the same shape (channels, samples), got {a.shape} and {b.shape}")
    return a, b
