"""Augment training crops: mix, limit the band, attenuate."""

from __future__ import annotations

import numpy as np
from scipy import fft

MIX, LIMIT, SOFTEN = 0.1, 0.4, 0.3
_HALF_RATE = (9_500.0, 11_025.0)  # where recordings of 22 050 Hz end
_ANYWHERE = (3_000.0, 16_000.0)
_SLOPE = 400.0  # Hz


def augment(crops: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Change some of the crops; each change is drawn independently.

    10 % are mixed with the next crop at 0 to -12 dB; 40 % are low-pass filtered, three quarters of them where
    recordings at 22 050 Hz end; 30 % are attenuated by up to 20 dB. No crop exceeds full scale.

    Args:
        crops: ``(B, T)`` float32 within +-1.
        sample_rate: Hz.
        rng: draws the changes.

    Returns:
        ``(B, T)`` float32.
    """
    out = crops.copy()
    for i in range(len(crops)):
        mixed, limited, softer = rng.random(3) < (MIX, LIMIT, SOFTEN)
        gain, other, low, edge = rng.uniform(size=4)
        if mixed:
            out[i] += 10 ** (-0.6 * other) * crops[(i + 1) % len(crops)]
        if limited:
            first, last = _HALF_RATE if edge < 0.75 else _ANYWHERE
            out[i] = band_limited(out[i], sample_rate, first * (last / first) ** low)
        if softer:
            out[i] *= 10**-gain
        out[i] /= max(1.0, np.abs(out[i]).max())
    return out


def band_limited(x: np.ndarray, sample_rate: int, edge: float) -> np.ndarray:
    """Remove what is above ``edge`` Hz from ``(T,)``; a slope of 400 Hz keeps the ringing short."""
    spectrum = fft.rfft(x)
    frequencies = np.arange(len(spectrum)) * (sample_rate / len(x))
    spectrum *= np.clip((edge - frequencies) / _SLOPE + 1, 0, 1)
    return np.asarray(fft.irfft(spectrum, len(x)), np.float32)
