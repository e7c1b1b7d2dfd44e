"""Extractor ``rhythm``: rhythm, loudness and key of a song, which the spectra of single frames do not show."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from celesta.dsp.loudness import LoudnessFacts, LoudnessMeter
from celesta.dsp.onsets import MEL_BANDS, count_onsets, onset_strength
from celesta.dsp.spectra import SAMPLE_RATE, Framer, at_rate, mel_filters, spectrum
from celesta.dsp.tempo import TEMPO_EDGES, autocorrelation, tempo
from celesta.features.base import Arrays, Extractor, Rows, frame_range
from celesta.features.tonal import TonalAnalysis, TonalFacts

VERSION = "1"
N_FFT = 1024
HOP_LENGTH = 256
FRAME_RATE = SAMPLE_RATE / HOP_LENGTH


class RhythmFacts(NamedTuple):
    """Rhythm of a piece of music.

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
"""Name of each number of :func:`descriptors`."""


def descriptors(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Compute rhythm, loudness and key of a song.

    Args:
        samples: ``(n,)`` mono, full scale 1.
        sample_rate: Hz; resampled to 22 050.

    Returns:
        ``(42,)`` float32, finite for any finite audio; see :data:`NAMES`. The tempo is log2 of beats a minute (0:
        none); ``degree_0`` ... are the pitch classes above the tonic of the best key, and sum to 1.

    Raises:
        UsageError: not mono, empty or not finite.

    Example:
        >>> descriptors(np.zeros(22_050), 22_050).shape
        (42,)
    """
    return _analysed(at_rate(samples, sample_rate)).summary()["descriptors"]


def rhythm_facts(x: np.ndarray) -> RhythmFacts:
    """Compute the rhythm of samples ``(n,)`` at 22 050 Hz."""
    return _analysed(x).rhythm()


def create(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor; see :data:`celesta.features.registry.TABLE`."""
    return Extractor(name, VERSION, SAMPLE_RATE, name, RhythmAnalysis, RhythmAnalysis.summary)


class RhythmAnalysis:
    """Mel spectra, loudness and tonal spectra of a stream, mono at 22 050 Hz."""

    def __init__(self) -> None:
        self._filters = mel_filters(SAMPLE_RATE, N_FFT, MEL_BANDS)
        self._mels = Rows(self._filters.shape[1])
        self._frames = Framer(N_FFT, HOP_LENGTH)
        self._loudness, self._tonal = LoudnessMeter(), TonalAnalysis()
        self._samples = 0

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        self._samples += x.size
        self._loudness.push(x)
        self._tonal.push(x)
        for block in self._frames.push(x):
            self._mels.append(spectrum(block, double=False) @ self._filters)

    def finish(self) -> None:
        """End the stream."""
        self._loudness.finish()
        self._tonal.finish()
        for block in self._frames.finish():
            self._mels.append(spectrum(block, double=False) @ self._filters)

    def summary(self, start: float = 0.0, stop: float | None = None) -> Arrays:
        """Return ``descriptors`` ``(42,)`` from ``start`` to ``stop`` seconds."""
        rhythm, tonal = self.rhythm(start, stop), self.tonal(start, stop)
        loudness = self._loudness.facts(start, stop)
        log_tempo = np.log2(rhythm.tempo) if rhythm.tempo else 0.0
        numbers = [*rhythm.histogram, log_tempo, *rhythm[2:], *loudness, *_key_numbers(tonal)]
        return {"descriptors": np.asarray(numbers, np.float32)}

    def tonal(self, start: float = 0.0, stop: float | None = None) -> TonalFacts:
        """Find the key from ``start`` to ``stop`` seconds."""
        return self._tonal.facts(start, stop)

    def rhythm(self, start: float = 0.0, stop: float | None = None) -> RhythmFacts:
        """Compute the rhythm from ``start`` to ``stop`` seconds."""
        ends = frame_range(start, stop, FRAME_RATE, len(self._mels))
        loudest = max(float(block.max()) for block in self._mels.blocks(*ends))
        flux = onset_strength(self._mels.blocks(*ends), loudest)
        histogram, beats_a_minute, clarity = tempo(autocorrelation(flux), FRAME_RATE)
        end = self._samples / SAMPLE_RATE
        seconds = (end if stop is None else min(stop, end)) - start
        return RhythmFacts(
            histogram,
            beats_a_minute,
            clarity,
            count_onsets(flux, FRAME_RATE) / seconds,
            float(flux.mean()),
            float(flux.std()),
        )


def _analysed(x: np.ndarray) -> RhythmAnalysis:
    analysis = RhythmAnalysis()
    analysis.push(x)
    analysis.finish()
    return analysis


def _key_numbers(tonal: TonalFacts) -> list[float]:
    profile = np.roll(tonal.profile, -tonal.tonic)
    return [tonal.major, tonal.minor, tonal.major - tonal.minor, tonal.margin, tonal.entropy, *profile]
