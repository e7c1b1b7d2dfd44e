"""Where two signals fit to each other: lags, stretches in which they differ least, levels."""

from __future__ import annotations

import numpy as np


def correlation_curve(template: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the normalised correlation of a template ``(n,)`` with each place of a signal ``(m,)``, m >= n."""
    t, y = template.astype(np.float64), x.astype(np.float64)
    from scipy.signal import correlate  # its import takes longer than all others

    products = correlate(y, t, "valid", "fft")
    power = np.cumsum(np.concatenate([[0.0], y**2]))
    energy = np.maximum(power[len(t) :] - power[: -len(t)], 1e-12)
    found: np.ndarray = products / np.sqrt(energy * (float(np.dot(t, t)) + 1e-12))
    return found


def best_lag(template: np.ndarray, x: np.ndarray) -> tuple[int, float]:
    """Find where a template ``(n,)`` fits best into a signal ``(m,)``, m >= n; return the place and the correlation."""
    curve = correlation_curve(template, x)
    at = int(np.argmax(curve))
    return at, float(curve[at])


def quietest(a: np.ndarray, b: np.ndarray, fade: int) -> tuple[int, float]:
    """Return the middle of the stretch of ``fade`` samples in which two signals differ least, and their correlation."""

    def sums(x: np.ndarray) -> np.ndarray:
        total = np.cumsum(np.concatenate([[0.0], x.astype(np.float64)]))
        found: np.ndarray = total[fade:] - total[:-fade]
        return found

    power = sums(a**2) + sums(b**2)
    different = sums((a - b) ** 2) / (power + 1e-3 * power.max(initial=0) + 1e-12)
    at = int(np.argmin(different))
    product = float(np.sum(a[at : at + fade].astype(np.float64) * b[at : at + fade]))
    size = float(np.sqrt(np.sum(a[at : at + fade] ** 2.0) * np.sum(b[at : at + fade] ** 2.0)))
    return at + fade // 2, max(0.0, product / size) if size > 1e-12 else 1.0


def level_of(x: np.ndarray) -> float:
    """Return the level of a signal, dB below full scale, at least -90."""
    return 10 * float(np.log10(max(float(np.mean(np.square(x, dtype=np.float64))) if x.size else 0.0, 1e-9)))
