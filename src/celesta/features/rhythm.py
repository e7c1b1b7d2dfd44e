"""Descriptors of a song's rhythm, loudness and key: what the spectra of single frames do not tell."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import scipy.ndimage

from celesta.dsp.loudness import LoudnessFacts, loudness_facts
from celesta.dsp.metrics import mel_filters
from celesta.dsp.spectra import SAMPLE_RATE, at_rate, magnitudes
from celesta.features.tonal import TonalFacts, tonal_facts

VERSION = "1"
N_FFT = 1024
HOP_LENGTH = 256
FRAME_RATE = SAMPLE_RATE / HOP_LENGTH
TEMPO_EDGES = np.geomspace(40.0, 240.0, 17)
"""Beats a minute between which the 16 bins of the tempo histogram lie."""
_WINDOW = 768  # frames of a local autocorrelation, 8.9 s, as the tempogram of Grosche, Mueller and Kurth 2010
_GRID = 16  # tempos looked at in a bin
_THRESHOLD = 0.05


class RhythmFacts(NamedTuple):
    """Rhythm in numbers.

    Attributes:
        histogram: ``(16,)``, how much each tempo bin repeats, summing to 1; all 0 where nothing repeats.
        tempo: beats a minute, 0 where nothing repeats.
        clarity: 0..1, the highest autocorrelation within the tempo range.
        onset_rate: onsets a second.
        flux_mean: mean onset strength.
        flux_std: its standard deviation.
    """

    histogram: np.ndarray
    tempo: float
    clarity: float
    onset_rate: float
    flux_mean: float
    flux_std: float


NAMES = (
    *(f"tempo_{low:.0f}_{high:.0f}" for low, high in itertools.pairwise(TEMPO_EDGES)),
    *("tempo_log2", "pulse_clarity", "onset_rate", "flux_mean", "flux_std"),
    *LoudnessFacts._fields,
    *("key_major", "key_minor", "key_mode", "key_margin", "chroma_entropy"),
    *(f"degree_{i}" for i in range(12)),
)
"""What each number of :func:`descriptors` is."""


def descriptors(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Rhythm, loudness and key of a song.

    Args:
        samples: ``(n,)`` mono, full scale 1.
        sample_rate: Hz; resampled to 22 050.

    Returns:
        ``(42,)`` float32, finite for any finite sound; see :data:`NAMES`. The tempo is log2 of beats a minute (0:
        none); ``degree_0`` ... are the song's pitch classes above the tonic of its best key, summing to 1.

    Raises:
        UsageError: not mono, empty or not finite.
    """
    x = at_rate(samples, sample_rate)
    rhythm, loudness, tonal = rhythm_facts(x), loudness_facts(x), tonal_facts(x)
    numbers = [
        *rhythm.histogram,
        np.log2(rhythm.tempo) if rhythm.tempo else 0.0,
        *rhythm[2:],
        *loudness,
        *_key_numbers(tonal),
    ]
    return np.asarray(numbers, np.float32)


def rhythm_facts(x: np.ndarray) -> RhythmFacts:
    """Rhythm of samples ``(n,)`` at 22 050 Hz."""
    flux = onset_strength(x)
    repeats = _autocorrelation(flux)
    histogram, tempo, clarity = _tempo(repeats)
    rate = _onsets(flux) * SAMPLE_RATE / x.size
    return RhythmFacts(histogram, tempo, clarity, rate, float(flux.mean()), float(flux.std()))


def onset_strength(x: np.ndarray) -> np.ndarray:
    """Rise of the log-mel spectrum ``(F,)``, 86 frames a second, of samples ``(n,)`` at 22 050 Hz; silence: 0.

    Half-wave rectified differences of ``log10(1 + 1000 mel / max)`` of 40 mel magnitudes, averaged over bands (Boeck,
    Krebs and Schedl 2012). Does not depend on the level. The cuts at both ends of the sound are no onsets.
    """
    filters = mel_filters(SAMPLE_RATE, N_FFT, 40)
    mels = np.concatenate([block @ filters for block in magnitudes(x, N_FFT, HOP_LENGTH)])
    loudest = mels.max()
    if loudest <= 0:
        return np.zeros(len(mels))
    flux: np.ndarray = np.maximum(np.diff(np.log10(1 + 1000 * mels / loudest), axis=0, prepend=0), 0).mean(axis=1)
    flux[:3] = flux[-3:] = 0
    return flux.astype(np.float64)


def _onsets(flux: np.ndarray) -> int:
    """Number of peaks: the largest within 30 ms, and above the mean from 100 ms before to 70 ms behind."""
    near, before, behind = (max(1, round(seconds * FRAME_RATE)) for seconds in (0.03, 0.1, 0.07))
    highest = scipy.ndimage.maximum_filter1d(flux, 2 * near + 1, mode="constant")
    length = before + behind + 1
    mean = np.convolve(np.pad(flux, (before, behind)), np.ones(length), mode="valid") / length
    return int(np.count_nonzero((flux >= highest) & (flux >= mean + _THRESHOLD)))


def _autocorrelation(flux: np.ndarray) -> np.ndarray:
    """Autocorrelation ``(768,)`` of the onset strength in Hann windows of 8.9 s, averaged, 1 at lag 0; silence: 0."""
    flux = np.pad(flux, (0, max(0, _WINDOW - flux.size)))
    windows = np.lib.stride_tricks.sliding_window_view(flux, _WINDOW)[:: _WINDOW // 4]
    local = (windows - windows.mean(axis=1, keepdims=True)) * np.hanning(_WINDOW)
    power = np.mean(np.abs(np.fft.rfft(local, 2 * _WINDOW)) ** 2, axis=0)
    repeats: np.ndarray = np.fft.irfft(power)[:_WINDOW]
    return repeats / repeats[0] if repeats[0] > 1e-12 else np.zeros(_WINDOW)


def _tempo(repeats: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Tempo histogram, tempo and pulse clarity of an autocorrelation.

    The tempo is where the autocorrelation, weighted by a log-normal of one octave about 120 beats a minute (Ellis
    2007, "Beat tracking by dynamic programming"), is highest; the clarity is Lartillot et al. 2008's.
    """
    bins = len(TEMPO_EDGES) - 1
    tempos = np.geomspace(TEMPO_EDGES[0], TEMPO_EDGES[-1], bins * _GRID + 1)
    strength = np.maximum(np.interp(60 * FRAME_RATE / tempos, np.arange(repeats.size), repeats), 0)
    highest = strength[:-1].reshape(bins, _GRID).max(axis=1)
    total = highest.sum()
    if total <= 0:
        return np.zeros(bins), 0.0, 0.0
    best = int(np.argmax(strength * np.exp(-0.5 * np.log2(tempos / 120) ** 2)))
    return highest / total, float(tempos[best]), float(strength.max())


def _key_numbers(tonal: TonalFacts) -> list[float]:
    profile = np.roll(tonal.profile, -tonal.tonic)
    return [tonal.major, tonal.minor, tonal.major - tonal.minor, tonal.margin, tonal.entropy, *profile]
