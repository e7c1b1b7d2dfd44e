"""Measures of stereo: are left, right and side what they were, and does each band come from where it came?"""

from __future__ import annotations

import numpy as np

from celesta.audio import Audio
from celesta.dsp import metrics

FRAME, HOP, CELL = 2_048, 1_024, 4
EDGES = np.array([1, 3, 6, 10, 15, 22, 31, 43, 58, 78, 104, 138, 182, 240, 316, 416, 547, 720, 1_025])
"""Bins of the bands: about a third of an octave from 1 kHz up at 44.1 kHz."""
QUIET_DB = -60.0
"""Cells that are softer than the loudest by more are left out."""
MOST_DB = 30.0


def stereo_scores(x: Audio, y: Audio) -> dict[str, float]:
    """Compare two stereo signals of equal length.

    Returns:
        ``mel L/R/S``: mean mel distance of left, right and side. ``level``: mean error of the level difference between
        left and right, dB, over bands and cells of about 0.1 s. ``coherence``: mean error of their coherence, 0 to 1.
    """
    pairs = [(x.samples[0], y.samples[0]), (x.samples[1], y.samples[1])]
    pairs.append(tuple(s.samples[0] - s.samples[1] for s in (x, y)))  # type: ignore[arg-type]
    loud = [(a, b) for a, b in pairs if np.abs(a).max(initial=0) > 1e-4]
    mel = [metrics.mel_distance(a[None], b[None], x.sample_rate) for a, b in loud]
    (level, coherence, power), (other_level, other_coherence, _) = _cues(x.samples), _cues(y.samples)
    some = power > power.max(initial=1e-20) * 10 ** (QUIET_DB / 10)
    return {
        "mel L/R/S": float(np.mean(mel)) if mel else 0.0,
        "level": float(np.abs(level - other_level)[some].mean()) if some.any() else 0.0,
        "coherence": float(np.abs(coherence - other_coherence)[some].mean()) if some.any() else 0.0,
    }


def _cues(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level difference in dB, coherence and power of each band and cell."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME, axis=1)[:, ::HOP] * np.hanning(FRAME)
    left, right = np.fft.rfft(frames, axis=-1)
    sums = [_cells(one) for one in (np.abs(left) ** 2, np.abs(right) ** 2, left * right.conj())]
    one, two, both = sums[0].real + 1e-12, sums[1].real + 1e-12, np.abs(sums[2])
    level = np.clip(10 * np.log10(one / two), -MOST_DB, MOST_DB)
    return level, both / np.sqrt(one * two), one + two


def _cells(x: np.ndarray) -> np.ndarray:
    x = x[: len(x) // CELL * CELL]
    bands = np.add.reduceat(x, EDGES[:-1], axis=1)
    found: np.ndarray = bands.reshape(-1, CELL, bands.shape[1]).sum(1)
    return found
