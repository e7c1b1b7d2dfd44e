"""Linear prediction: continue a signal as an autoregressive process does.

Source: Burg's method (Burg 1975); for audio gaps Kauppinen and Roth 2002, "Audio signal extrapolation".
"""

from __future__ import annotations

import numpy as np

ORDER = 64


def burg(x: np.ndarray, order: int = ORDER) -> np.ndarray:
    """Return the coefficients ``(order + 1,)`` of the prediction error filter of ``(n,)`` samples; the first is 1.

    Example:
        >>> x = np.sin(0.3 * np.arange(500))
        >>> round(float(burg(x, 2)[1] / -2 / np.cos(0.3)), 2)
        1.0
    """
    a = np.ones(1)
    forward = backward = x.astype(np.float64)
    for _ in range(min(order, len(x) - 1)):
        forward, backward = forward[1:], backward[:-1]
        power = float(np.dot(forward, forward) + np.dot(backward, backward))
        if power <= 1e-20:
            break
        k = -2 * float(np.dot(forward, backward)) / power
        k *= 0.99999  # the continuation dies away instead of growing by rounding
        forward, backward = forward + k * backward, backward + k * forward
        a = np.append(a, 0) + k * np.append(a, 0)[::-1]
    return a


def extrapolate(x: np.ndarray, n: int, order: int = ORDER) -> np.ndarray:
    """Continue ``(channels, m)`` samples by ``n``; each channel by itself.

    Args:
        x: the end of the signal; some 50 ms are enough.
        n: samples.
        order: of the prediction.

    Returns:
        ``(channels, n)`` float32.
    """
    from scipy.signal import lfilter, lfiltic  # their import takes longer than all others

    out = np.zeros((len(x), n), np.float32)
    for channel, samples in enumerate(x.astype(np.float64)):
        if len(samples) < 4 or not samples.any():
            continue
        a = burg(samples, min(order, len(samples) // 3))
        state = lfiltic([1.0], a, samples[::-1][: len(a) - 1])
        made, _ = lfilter([1.0], a, np.zeros(n), zi=state)
        peak = float(np.abs(samples).max())
        out[channel] = np.clip(made, -peak, peak)
    return out
