"""Loudness of a programme from its MDCT coefficients, for a quality that does not depend on the level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

_BLOCK, _HOP = 0.4, 0.1  # seconds: BS.1770-4's gating blocks and their distance
_RELATIVE_GATE = 10.0  # LU below the mean of what is not silent
_OFFSET = -0.691  # dB, BS.1770-4
_SILENT = 10 ** (-101 / 10)
"""Power of rounding to 16 bits, full scale being 1. BS.1770's gate at -70 LUFS is not used: below it a song would be
coded by another rule than the same song a little louder."""


def programme_loudness(windows: Iterable[Sequence[np.ndarray]], sample_rate: int) -> float | None:
    """Compute the gated loudness of a song, or of windows spread over it.

    Source: ITU-R BS.1770-4, its K-weighting applied to the power of MDCT coefficients (orthonormal, so that a frame's
    sum of squares is that of its samples) and its absolute gate at the noise of 16-bit audio instead of -70 LUFS.

    Args:
        windows: for each window the coefficients ``(bands, frames)`` of its audio channels.
        sample_rate: Hz.

    Returns:
        Loudness in LUFS; None where all is below the noise of 16-bit audio.
    """
    powers = []
    for channels in windows:
        bands, frames = channels[0].shape
        weights = k_weights(bands, sample_rate)
        power = sum(weights @ np.square(c, dtype=np.float32) for c in channels) / bands
        length = min(frames, max(1, round(_BLOCK * sample_rate / bands)))
        step = max(1, round(_HOP * sample_rate / bands))
        sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
        first = np.arange(0, frames - length + 1, step)
        powers.append((sums[first + length] - sums[first]) / length)
    blocks = np.concatenate(powers)
    blocks = blocks[blocks > _SILENT]
    if not blocks.size:
        return None
    gated = blocks[blocks > blocks.mean() * 10 ** (-_RELATIVE_GATE / 10)]
    return float(_OFFSET + 10 * np.log10(gated.mean()))


@lru_cache(maxsize=4)
def k_weights(bands: int, sample_rate: int) -> np.ndarray:
    """Return the power response of the K-weighting at the centres of the bands, ``(bands,)`` float32."""
    from scipy.signal import freqz

    from celesta.dsp.metrics import k_weighting

    centres = (np.arange(bands) + 0.5) / bands * sample_rate / 2
    response = np.ones(bands)
    for numerator, denominator in k_weighting(sample_rate):
        response = response * np.abs(freqz(numerator, denominator, centres, fs=sample_rate)[1]) ** 2
    weights: np.ndarray = response.astype(np.float32)
    return weights
