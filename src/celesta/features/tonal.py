"""Pitch classes and key of a song."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from celesta.dsp.spectra import SAMPLE_RATE, Framer, chroma_filters, spectrum
from celesta.features.base import Rows, frame_range

N_FFT = 4096
HOP_LENGTH = 2048
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# Krumhansl and Kessler 1982: how well each degree above the tonic fits, rated by listeners.
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
# Notes lie between 100 Hz, where a semitone is about a bin wide, and 2000 Hz. All octaves have the same weight; any
# other would favour the higher notes of a chord.
_FIRST, _LAST = (round(hz * N_FFT / SAMPLE_RATE) for hz in (100.0, 2000.0))


class TonalFacts(NamedTuple):
    """Key of a piece of music.

    Attributes:
        tonic: 0 (C) to 11 (B) of the best of the 24 keys.
        mode: ``major`` or ``minor``.
        major: correlation with the best major key, -1..1; 0 where there is no pitch.
        minor: correlation with the best minor key.
        margin: correlation of the best key less that of the second best.
        entropy: of the pitch classes, 0 (one alone) to 1 (all alike).
        profile: ``(12,)`` pitch classes, C first, summing to 1.
        tuning: semitones above A4 = 440 Hz, within +-0.5.
    """

    tonic: int
    mode: str
    major: float
    minor: float
    margin: float
    entropy: float
    profile: np.ndarray
    tuning: float


class TonalAnalysis:
    """Spectra between 100 and 2000 Hz of each frame of a stream, mono at 22 050 Hz."""

    def __init__(self) -> None:
        # The bins of notes with a neighbour at both sides, and the largest magnitude of all bins.
        self._rows = Rows(_LAST - _FIRST + 3)
        self._frames = Framer(N_FFT, HOP_LENGTH)

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        for block in self._frames.push(x):
            self._add(block)

    def finish(self) -> None:
        """End the stream."""
        for block in self._frames.finish():
            self._add(block)

    def _add(self, block: np.ndarray) -> None:
        magnitude = spectrum(block, double=False)
        self._rows.append(
            np.concatenate([magnitude[:, _FIRST - 1 : _LAST + 1], magnitude.max(axis=1, keepdims=True)], axis=1)
        )

    def facts(self, start: float = 0.0, stop: float | None = None) -> TonalFacts:
        """Find the key from ``start`` to ``stop`` seconds; see :func:`tonal_facts`."""
        ends = frame_range(start, stop, SAMPLE_RATE / HOP_LENGTH, len(self._rows))
        return _facts(lambda: self._rows.blocks(*ends))


def tonal_facts(x: np.ndarray) -> TonalFacts:
    """Find the key of samples ``(n,)`` at 22 050 Hz by Krumhansl's correlations with the mean of tuned chroma frames.

    The pitch classes of each frame are scaled by their strongest, so that loud passages do not decide alone; silent
    frames are left out.
    """
    analysis = TonalAnalysis()
    analysis.push(x)
    analysis.finish()
    return analysis.facts()


def _facts(blocks: Callable[[], Iterable[np.ndarray]]) -> TonalFacts:
    tuning = _tuning(blocks())
    filters = chroma_filters(N_FFT, tuning, centred=False)[_FIRST:_LAST]
    chroma = np.concatenate([block[:, 1:-2] ** 2 @ filters for block in blocks()])
    strongest = chroma.max(axis=1, keepdims=True)
    audible = strongest[:, 0] > 1e-6 * strongest.max()
    if not audible.any():
        return TonalFacts(0, "major", 0.0, 0.0, 0.0, 1.0, np.full(12, 1 / 12), 0.0)
    profile = np.mean(chroma[audible] / strongest[audible], axis=0, dtype=np.float64)
    profile /= profile.sum()
    major, minor = _correlations(profile, _MAJOR), _correlations(profile, _MINOR)
    best, second = np.sort(np.concatenate([major, minor]))[:-3:-1]
    mode = "major" if major.max() >= minor.max() else "minor"
    tonic = int(np.argmax(major if mode == "major" else minor))
    entropy = -float(np.sum(profile * np.log(np.maximum(profile, 1e-12)))) / float(np.log(12))
    return TonalFacts(
        tonic, mode, float(major.max()), float(minor.max()), float(best - second), entropy, profile, tuning
    )


def _correlations(profile: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Return the Pearson correlation ``(12,)`` with a key profile on each tonic; 0 for equal pitch classes."""
    p = profile - profile.mean()
    keys = np.stack([np.roll(key, tonic) for tonic in range(12)]) - key.mean()
    size = np.linalg.norm(p) * np.linalg.norm(key - key.mean())
    return keys @ p / size if size > 1e-9 else np.zeros(12)


def _tuning(blocks: Iterable[np.ndarray]) -> float:
    """Return the mean deviation of spectral peaks from the nearest semitone, on the circle, to 1/50 semitone."""
    total = 0j
    for block in blocks:
        left, here, right, loudest = block[:, :-3], block[:, 1:-2], block[:, 2:-1], block[:, -1:]
        rows, bins = np.nonzero((here > left) & (here >= right) & (here > 0.1 * loudest))
        a, b, c = (np.log(np.maximum(part[rows, bins], 1e-12)) for part in (left, here, right))
        bend = a - 2 * b + c  # parabola through three log magnitudes (Smith and Serra 1987)
        offset = np.where(bend < 0, 0.5 * (a - c) / np.where(bend < 0, bend, 1), 0)
        pitch = 12 * np.log2((_FIRST + bins + offset) * SAMPLE_RATE / N_FFT / 440)
        total += complex(np.sum(here[rows, bins] * np.exp(2j * np.pi * pitch)))
    return round(float(np.angle(total)) / (2 * np.pi) * 50) / 50 if total else 0.0
