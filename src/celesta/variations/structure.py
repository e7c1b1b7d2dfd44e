"""The sections of a song: where it changes, and which parts are alike.

Source: Foote 2000, "Automatic audio segmentation using a measure of audio novelty".
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from celesta.variations.analysis import SongAnalysis
from celesta.variations.joins import BeatFeatures

_KERNEL = 16  # beats on either side of a border
_SHORTEST = 8  # beats of a section
_ALIKE = 0.8  # cosine of two sections of one letter
_MOST = 1500  # beats that are compared with each other


@dataclass(frozen=True)
class Section:
    """A part of a song.

    Attributes:
        start, stop: seconds.
        letter: sections of one letter are alike.
    """

    start: float
    stop: float
    letter: str


def self_similarity(analysis: SongAnalysis, size: int = 400) -> np.ndarray:
    """Return how alike all moments of a song are in timbre and harmony.

    Args:
        analysis: of the song.
        size: rows of the matrix at most; neighbouring beats are averaged where there are more.

    Returns:
        ``(n, n)`` float32, 1 on the diagonal, 0 for the usual difference of two moments.
    """
    features = _vectors(analysis)
    if len(features) > size:
        edges = np.linspace(0, len(features), size + 1).astype(int)[:-1]
        features = _unit(np.add.reduceat(features, edges, axis=0))
    alike: np.ndarray = np.clip(features @ features.T, -1, 1).astype(np.float32)
    return alike


def find_sections(analysis: SongAnalysis) -> list[Section]:
    """Find the sections of a song; one where it is short or does not change.

    Example:
        [(s.letter, round(s.start)) for s in find_sections(analyse("song.mp3"))]
    """
    features = _vectors(analysis)
    seconds = analysis.beats / analysis.sample_rate
    step = -(-len(features) // _MOST)
    borders = [b * step for b in _borders(features[::step])]
    edges = [0, *borders, len(features)]
    means = _unit(np.stack([features[a:b].mean(axis=0) for a, b in itertools.pairwise(edges)]))
    letters: list[int] = []
    for i, mean in enumerate(means):
        alike = [float(mean @ means[j]) for j in range(i)]
        best = int(np.argmax(alike)) if alike else -1
        letters.append(letters[best] if alike and alike[best] >= _ALIKE else max(letters, default=-1) + 1)
    times = [0.0, *(float(seconds[b]) for b in borders), analysis.duration]
    return [
        Section(start, stop, chr(ord("A") + letter % 26))
        for start, stop, letter in zip(times[:-1], times[1:], letters, strict=True)
    ]


def _vectors(analysis: SongAnalysis) -> np.ndarray:
    """Return a vector of unit length for each beat: timbre and harmony with the same weight."""
    features = BeatFeatures(analysis, (0, 1))
    timbre = features.timbre - features.timbre.mean(axis=0)
    harmony = features.harmony - features.harmony.mean(axis=0)
    size = [max(float(np.sqrt(np.mean(np.sum(x**2, axis=1)))), 1e-9) for x in (timbre, harmony)]
    return _unit(np.concatenate([timbre / size[0], harmony / size[1]], axis=1))


def _borders(features: np.ndarray) -> list[int]:
    """Find the beats at which sections begin: peaks of novelty along the diagonal."""
    n = len(features)
    if n < 3 * _SHORTEST:
        return []
    alike = features @ features.T
    ramp = np.arange(-_KERNEL, _KERNEL) + 0.5
    taper = np.exp(-0.5 * (ramp / (0.5 * _KERNEL)) ** 2)
    kernel = np.sign(ramp)[:, None] * np.sign(ramp) * taper[:, None] * taper
    padded = np.pad(alike, _KERNEL, mode="edge")
    novelty = np.array([np.sum(padded[i : i + 2 * _KERNEL, i : i + 2 * _KERNEL] * kernel) for i in range(n)])
    highest = scipy.ndimage.maximum_filter1d(novelty, 2 * _SHORTEST + 1)
    limit = novelty.mean() + novelty.std()
    peaks = np.flatnonzero((novelty == highest) & (novelty > limit))
    return [int(p) for p in peaks if _SHORTEST <= p <= n - _SHORTEST]


def _unit(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return found
