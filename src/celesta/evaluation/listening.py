"""What a listening comparison needs: ABX statistics, the error of each octave band, gains that match loudness."""

from __future__ import annotations

import numpy as np
import scipy.signal
import scipy.stats

from celesta.dsp.loudness import SILENCE_DB, loudness
from celesta.errors import UsageError

BAND_CENTRES = (31.25, 62.5, 125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0)
"""Centres of the octave bands in Hz."""
_PERFECT_DB = -100.0


def abx_p_value(correct: int, trials: int) -> float:
    """Compute the probability of at least so many correct answers by guessing: a one-sided binomial test.

    Args:
        correct: answers that were right.
        trials: answers in all.

    Raises:
        UsageError: there is no trial, or more correct answers than trials.

    Example:
        >>> round(abx_p_value(9, 10), 4)
        0.0107
    """
    if not 0 <= correct <= trials or trials < 1:
        raise UsageError(
            f"an ABX test has at least one trial and at most so many correct answers, got {correct}/{trials}"
        )
    return float(scipy.stats.binomtest(correct, trials, 0.5, alternative="greater").pvalue)


def band_errors(x: np.ndarray, x_hat: np.ndarray, sample_rate: int) -> list[tuple[float, float]]:
    """Compute the error of each octave band relative to the signal of that band.

    Args:
        x: samples ``(channels, n)``.
        x_hat: the reconstruction, of the same shape.
        sample_rate: Hz.

    Returns:
        Centre of each band in Hz and its error in dB: 0 means as strong as the signal, -100 none. Bands above half the
        sample rate are left out; so are bands in which the signal is silent.

    Raises:
        UsageError: the shapes differ.
    """
    if x.shape != x_hat.shape or x.ndim != 2:
        raise UsageError(f"both signals must have one shape (channels, n), got {x.shape} and {x_hat.shape}")
    length = min(8_192, x.shape[1])
    f, signal = scipy.signal.welch(x, sample_rate, nperseg=length, detrend=False)
    _, error = scipy.signal.welch(x - x_hat, sample_rate, nperseg=length, detrend=False)
    made = []
    for centre in BAND_CENTRES:
        band = (f >= centre / np.sqrt(2)) & (f < centre * np.sqrt(2))
        power = float(signal[:, band].sum())
        if centre < sample_rate / 2 and power > 1e-14:
            ratio = float(error[:, band].sum()) / power
            made.append((centre, max(_PERFECT_DB, 10 * float(np.log10(ratio + 1e-12)))))
    return made


def matching_gain(reference: np.ndarray, x: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """Compute the gain that gives ``x`` the loudness of ``reference`` (ITU-R BS.1770, EBU R 128).

    Returns:
        The loudness of ``x`` in LUFS and the gain in dB; a gain of 0 where one of them is silent.
    """
    wanted, there = loudness(reference, sample_rate), loudness(x, sample_rate)
    silent = min(wanted, there) <= SILENCE_DB + 1
    return there, 0.0 if silent else float(np.clip(wanted - there, -24, 24))
