"""What windows of several frames of a song are like, for matching grains: timbre, attacks, harmony and level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from celesta.variations.analysis import CHROMA_RATE, FRAME_RATE, SongAnalysis
from celesta.variations.bars import unit

WINDOW = 8
"""Frames of a window: 186 ms."""
_COEFFICIENTS = 14  # of the cosine transform of the mel spectrum; the first, the level, is left out
_TIMBRE, _ATTACK, _HARMONY, _LEVEL = 0.5, 400.0, 60.0, 0.35
"""Weights: timbre and level in dB; attack for an onset strength of 1; harmony for opposite pitch classes."""
_RANGE_DB = 60.0  # below the loudest frame of the song, levels make no difference
_DIMENSIONS = 48


def frame_rows(analysis: SongAnalysis, semitones: int = 0) -> np.ndarray:
    """Return descriptors of single frames ``(G, d)``, weighted; ``semitones`` moves the pitch classes."""
    mel = np.maximum(analysis.mel, analysis.mel.max(initial=-90.0) - _RANGE_DB)
    timbre = scipy.fft.dct(mel, axis=1, norm="ortho")[:, 1:_COEFFICIENTS] / np.sqrt(mel.shape[1])
    frames = len(mel)
    chroma = unit(np.sqrt(np.roll(analysis.chroma, semitones, axis=1)))
    at = np.clip(np.round(np.arange(frames) / FRAME_RATE * CHROMA_RATE).astype(int), 0, len(chroma) - 1)
    flux = np.zeros(2 * frames)
    flux[: min(len(analysis.flux), 2 * frames)] = analysis.flux[: 2 * frames]
    attack = flux.reshape(frames, 2).max(axis=1, keepdims=True)
    level = np.maximum(analysis.level, analysis.level.max(initial=-90.0) - _RANGE_DB)
    relative = (level - level.max(initial=-90.0))[:, None]
    rows = [_TIMBRE * timbre, _HARMONY * chroma[at], _ATTACK * attack, _LEVEL * relative]
    return np.concatenate(rows, axis=1).astype(np.float32)


def windows(rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the windows ``(n, WINDOW * d)`` that begin at given frames; beyond the end the last frame repeats.

    Pitch classes, which change slowly, are taken from every fourth frame only.
    """
    timbre, harmony, rest = rows[:, : _COEFFICIENTS - 1], rows[:, _COEFFICIENTS - 1 : _COEFFICIENTS + 11], rows[:, -2:]
    at = np.clip(starts[:, None] + np.arange(WINDOW), 0, len(rows) - 1)
    parts = [timbre[at] / np.sqrt(WINDOW), rest[at] / np.sqrt(WINDOW), harmony[at[:, ::4]] / np.sqrt(WINDOW / 4)]
    return np.concatenate([part.reshape(len(starts), -1) for part in parts], axis=1)


@dataclass(frozen=True)
class Projection:
    """Principal components of windows, so that many can be compared.

    Attributes:
        mean: ``(d,)``.
        axes: ``(d, k)``.
    """

    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, some: np.ndarray) -> Projection:
        """Fit to windows ``(n, d)``."""
        mean = some.mean(axis=0)
        _, vectors = np.linalg.eigh(np.cov((some - mean).T) if len(some) > 1 else np.eye(some.shape[1]))
        return cls(mean.astype(np.float32), np.ascontiguousarray(vectors[:, ::-1][:, :_DIMENSIONS], np.float32))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Project windows ``(n, d)`` to ``(n, k)``."""
        projected: np.ndarray = (x - self.mean) @ self.axes
        return projected
