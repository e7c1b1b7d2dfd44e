"""Onset strength and onsets by spectral flux.

Source: Boeck, Krebs and Schedl 2012, "Evaluating the online capabilities of onset detection methods".
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.ndimage

MEL_BANDS = 40
THRESHOLD = 0.05
"""Onset strength above the local mean that counts as an onset; chosen on synthetic notes and clicks."""
_EDGE_FRAMES = 3  # frames that reach beyond the ends of the signal


def onset_strength(mels: Iterable[np.ndarray], loudest: float) -> np.ndarray:
    """Compute the rise of the compressed mel spectrum, frame by frame.

    Half-wave rectified differences of ``log10(1 + 1000 mel / loudest)``, averaged over bands. Does not depend on the
    level. The first and last frames, where the signal is cut, are 0.

    Args:
        mels: blocks ``(frames, bands)`` of mel magnitudes, in order.
        loudest: largest of them; 0 for silence.

    Returns:
        ``(F,)`` float64; silence: 0.
    """
    flux = []
    before: np.ndarray | None = None
    for block in mels:
        if loudest <= 0:
            flux.append(np.zeros(len(block)))
            continue
        level = np.log10(1 + 1000 * block / loudest)
        first = np.zeros_like(level[:1]) if before is None else before
        flux.append(np.maximum(np.diff(level, axis=0, prepend=first), 0).mean(axis=1))
        before = level[-1:]
    strength = np.concatenate(flux).astype(np.float64) if flux else np.zeros(0)
    strength[:_EDGE_FRAMES] = 0
    strength[-_EDGE_FRAMES:] = 0
    return strength


def find_onsets(strength: np.ndarray, frame_rate: float) -> np.ndarray:
    """Find the peaks of an onset strength ``(F,)``.

    A peak is the largest value within 30 ms and lies above the mean from 100 ms before to 70 ms after it.

    Args:
        strength: see :func:`onset_strength`.
        frame_rate: frames a second.

    Returns:
        ``(n,)`` int64, the frames of the peaks.
    """
    near, before, behind = (max(1, round(seconds * frame_rate)) for seconds in (0.03, 0.1, 0.07))
    highest = scipy.ndimage.maximum_filter1d(strength, 2 * near + 1, mode="constant")
    length = before + behind + 1
    mean = np.convolve(np.pad(strength, (before, behind)), np.ones(length), mode="valid") / length
    return np.flatnonzero((strength >= highest) & (strength >= mean + THRESHOLD))


def count_onsets(strength: np.ndarray, frame_rate: float) -> int:
    """Count the onsets that :func:`find_onsets` finds."""
    return len(find_onsets(strength, frame_rate))
