"""Figures of merit of a reconstruction, and what a sound is like: distances, loudness, brightness, onsets.

All take arrays ``(channels, n)`` of finite samples, full scale being 1, and give a plain float, also for silence and
for a single sample. The channels of a sound count as one signal: their errors and powers are added up.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.signal
from numpy.typing import ArrayLike, NDArray

from celesta.errors import UsageError

LIMIT_DB = 100.0
"""Ratios are kept within plus and minus this, so that a perfect copy has a finite figure (dB)."""
SILENCE_DB = -120.0
"""Level and loudness of silence, and the least that is told (dBFS, LUFS)."""
MEL_WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)
MEL_BANDS = (5, 10, 20, 40, 80, 160, 320)
MEL_FLOOR = 1e-5
_SILENT_POWER = 1e-20
_BLOCK_SAMPLES = 1 << 20
_ONSET_THRESHOLD = 0.05

Array = NDArray[np.float64]


class Scores(NamedTuple):
    """How near a reconstruction is; :func:`scores` fills it in.

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
    """All four distances of ``x_hat`` from the sound ``x``, both ``(channels, n)``."""
    return Scores(mse(x, x_hat), snr(x, x_hat), si_sdr(x, x_hat), mel_distance(x, x_hat, sample_rate))


def mse(x: ArrayLike, x_hat: ArrayLike) -> float:
    """Mean squared error over all samples and channels."""
    a, b = _pair(x, x_hat)
    return float(np.mean((a - b) ** 2))


def snr(x: ArrayLike, x_hat: ArrayLike) -> float:
    """Power of ``x`` over power of the error, in dB within +-100. Two silences: 100; only ``x`` silent: -100."""
    a, b = _pair(x, x_hat)
    return _ratio_db(float(np.sum(a**2)), float(np.sum((a - b) ** 2)), a.size)


def si_sdr(x: ArrayLike, x_hat: ArrayLike) -> float:
    """Scale-invariant signal-to-distortion ratio, in dB within +-100.

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


@lru_cache(maxsize=64)
def mel_filters(sample_rate: int, window: int, bands: int) -> NDArray[np.float32]:
    """Triangular filters ``(window / 2 + 1, bands)`` of height 1, evenly spaced on Slaney's mel scale.

    The scale (Auditory Toolbox, Slaney 1998) is linear below 1 kHz, 3 mel for 200 Hz, and logarithmic above, 27 mel
    for a factor of 6.4. Filters that hold no bin are left out, so there may be fewer than ``bands``.
    """
    top = sample_rate / 2
    top_mel = top * 3 / 200 if top < 1000 else 15 + 27 * np.log(top / 1000) / np.log(6.4)
    mels = np.linspace(0, top_mel, bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    bins = np.fft.rfftfreq(window, 1 / sample_rate)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    kept: NDArray[np.float32] = filters[:, filters.any(axis=0)].astype(np.float32)
    kept.flags.writeable = False
    return kept


def rms_dbfs(x: ArrayLike) -> float:
    """Root-mean-square level in dB relative to full scale (a full-scale sine: -3.01); silence: -120."""
    return _level_db(float(np.mean(_sound(x) ** 2)))


def loudness(x: ArrayLike, sample_rate: int) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4); silence: -120.

    All channels weigh 1, as the standard has it for mono and stereo. Sounds below 0.4 s count as one block.
    """
    weighted = _sound(x)
    for numerator, denominator in k_weighting(sample_rate):
        weighted = scipy.signal.lfilter(numerator, denominator, weighted, axis=1)
    power = np.concatenate([[0.0], np.cumsum(np.sum(weighted**2, axis=0))])
    length = min(round(0.4 * sample_rate), weighted.shape[1])
    starts = np.arange(0, weighted.shape[1] - length + 1, max(1, round(0.1 * sample_rate)))
    blocks = (power[starts + length] - power[starts]) / length
    loud = blocks[blocks > _lufs_power(-70.0)]
    if not loud.size:
        return SILENCE_DB
    # The relative gate: 10 LU below the mean of what passed the absolute one.
    loud = loud[loud > loud.mean() / 10]
    return max(SILENCE_DB, float(-0.691 + 10 * np.log10(loud.mean())))


def spectral_centroid(x: ArrayLike, sample_rate: int) -> float:
    """Brightness in Hz: the mean frequency, weighted by the magnitudes of 2048-sample frames; silence: 0."""
    frequencies = np.fft.rfftfreq(2048, 1 / sample_rate)
    weighted = total = 0.0
    for frames in _magnitudes(_sound(x), 2048):
        spectrum = np.sum(frames, axis=0, dtype=np.float64)
        weighted += float(spectrum @ frequencies)
        total += float(spectrum.sum())
    return weighted / total if total > 0 else 0.0


def onset_rate(x: ArrayLike, sample_rate: int) -> float:
    """Onsets a second, by peaks of the spectral flux; silence: 0.

    Source: Boeck, Krebs and Schedl 2012: flux of a compressed mel spectrum in frames of about 46 ms; a peak is the
    largest within 30 ms and stands above the mean from 100 ms before to 70 ms behind. The threshold is ours. Does
    not depend on the level. The cuts at both ends of the sound are no onsets.
    """
    sound = _sound(x).mean(axis=0, keepdims=True)
    window = 2 ** max(5, round(np.log2(0.046 * sample_rate)))
    mels = np.concatenate([m @ mel_filters(sample_rate, window, 40) for m in _magnitudes(sound, window)])
    peak = float(mels.max())
    if peak <= 0.0:
        return 0.0
    flux = np.maximum(np.diff(np.log10(1 + 1000 * mels / peak), axis=0, prepend=0), 0).mean(axis=1)
    flux[:3] = flux[-3:] = 0  # where frames reach beyond the ends of the sound
    rate = sample_rate / (window // 4)
    near, before, behind = (max(1, round(seconds * rate)) for seconds in (0.03, 0.1, 0.07))
    highest = scipy.ndimage.maximum_filter1d(flux, 2 * near + 1, mode="constant")
    padded = np.pad(flux, (before, behind))
    mean = np.convolve(padded, np.ones(before + behind + 1), mode="valid") / (before + behind + 1)
    onsets = np.flatnonzero((flux >= highest) & (flux >= mean + _ONSET_THRESHOLD))
    return float(onsets.size * sample_rate / sound.shape[1])


def _magnitudes(x: Array, window: int) -> Iterator[NDArray[np.float32]]:
    """Magnitude spectra ``(frames, window / 2 + 1)`` of centred Hann frames, hop a quarter, in blocks of flat memory.

    Channels come one after the other, silence is filled in at both ends.
    """
    hop = window // 4
    hann = np.hanning(window + 1)[:-1].astype(np.float32)
    step = _BLOCK_SAMPLES // window
    for channel in x:
        padded = np.pad(channel.astype(np.float32), window // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
        for first in range(0, len(frames), step):
            yield np.abs(scipy.fft.rfft(frames[first : first + step] * hann, axis=-1)).astype(np.float32, copy=False)


def k_weighting(sample_rate: int) -> tuple[tuple[list[float], list[float]], tuple[list[float], list[float]]]:
    """The two filters of BS.1770 for any rate: a high shelf for the head, then a high-pass.

    Source: the analogue prototypes behind the standard's 48 kHz coefficients, as libebur128 and De Man 2018 give them.
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


def _lufs_power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _ratio_db(signal: float, noise: float, samples: int) -> float:
    """10 log10(signal / noise) within the limits; no noise is perfect, even of silence."""
    if noise <= _SILENT_POWER * samples and noise <= signal * 10 ** (-LIMIT_DB / 10):
        return LIMIT_DB
    if signal <= 0.0:
        return -LIMIT_DB
    return float(np.clip(10 * np.log10(signal / noise), -LIMIT_DB, LIMIT_DB))


def _level_db(power: float) -> float:
    return max(SILENCE_DB, 10 * float(np.log10(power))) if power > 0 else SILENCE_DB


def _sound(x: ArrayLike) -> Array:
    """Check a sound and return it in double precision."""
    a = np.asarray(x, dtype=np.float64)
    if a.ndim != 2 or a.shape[0] < 1 or a.shape[1] < 1:
        raise UsageError(f"a sound must be an array (channels, samples) with at least one sample, got shape {a.shape}")
    if not np.isfinite(a).all():
        raise UsageError("a sound holds NaN or infinite samples; nothing can be measured on it")
    return a


def _pair(x: ArrayLike, x_hat: ArrayLike) -> tuple[Array, Array]:
    a, b = _sound(x), _sound(x_hat)
    if a.shape != b.shape:
        raise UsageError(f"the two sounds must have one shape (channels, samples), got {a.shape} and {b.shape}")
    return a, b
