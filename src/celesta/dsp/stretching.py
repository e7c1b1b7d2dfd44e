"""Change the duration of a signal and keep its pitch, by Signalsmith Stretch (package ``python-stretch``)."""

from __future__ import annotations

import numpy as np

from celesta.errors import UsageError

SLOWEST, FASTEST = 0.25, 4.0


def stretch(x: np.ndarray, sample_rate: int, n_samples: int, semitones: float = 0.0) -> np.ndarray:
    """Stretch samples ``(channels, n)`` to ``(channels, n_samples)``; the pitch moves by ``semitones``.

    The same input gives the same bits. A signal that has the length and the pitch already is returned as it is.

    Args:
        x: samples, full scale 1.
        sample_rate: Hz.
        n_samples: of the result, a quarter to four times as many.
        semitones: by which the pitch moves, -24 to 24.

    Raises:
        UsageError: the factor or the pitch is out of range, or there are no samples.

    Example:
        >>> x = np.sin(np.arange(8_000) / 10, dtype=np.float32)[None]
        >>> stretch(x, 8_000, 9_000).shape
        (1, 9000)
    """
    import python_stretch

    n = x.shape[1]
    if n == n_samples and semitones == 0:
        return x
    if n == 0 or n_samples < 1 or not SLOWEST <= n / n_samples <= FASTEST or not -24 <= semitones <= 24:
        raise UsageError(f"cannot stretch {n} samples to {n_samples} and move them by {semitones:g} semitones")
    machine = python_stretch.Signalsmith.Stretch()
    machine.preset(len(x), sample_rate)
    machine.timeFactor = n / n_samples
    if semitones:
        machine.setTransposeSemitones(semitones)
    made = np.asarray(machine.process(np.ascontiguousarray(x, np.float32)))
    missing = n_samples - made.shape[1]
    return np.pad(made, ((0, 0), (0, missing))) if missing > 0 else made[:, :n_samples]
