"""What the hand-made features share: sound at one rate, short-time spectra, mel and chroma filters, pitch classes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import scipy.fft

from celesta import audio
from celesta.errors import UsageError

SAMPLE_RATE = 22_050
"""Hz that all hand-made features are measured at."""
_BLOCK_FRAMES = 256


def at_rate(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Mono samples ``(n,)`` in float32 at 22 050 Hz.

    Raises:
        UsageError: not one channel, empty or not finite.
    """
    x = np.asarray(samples, np.float32)
    if x.ndim != 1 or x.size == 0:
        raise UsageError(
            f"features are measured on one channel (n,) with samples in it, got shape {x.shape}; mix first"
        )
    if not np.isfinite(x).all():
        raise UsageError("a sound holds NaN or infinite samples; nothing can be measured on it")
    if sample_rate == SAMPLE_RATE:
        return x
    resampled: np.ndarray = audio.resample(x[None], sample_rate, SAMPLE_RATE)[0]
    return resampled if resampled.size else np.zeros(1, np.float32)


def magnitudes(x: np.ndarray, n_fft: int, hop_length: int) -> Iterator[np.ndarray]:
    """Magnitudes ``(frames, n_fft / 2 + 1)`` of centred periodic Hann frames, a block at a time.

    ``1 + n // hop_length`` frames in all; silence is filled in at both ends. Blocks keep the memory flat and in cache.
    Transformed in double precision: what band-limited sound leaves empty would else hold rounding noise.
    """
    window = np.hanning(n_fft + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, n_fft // 2), n_fft)[::hop_length]
    for first in range(0, len(frames), _BLOCK_FRAMES):
        yield np.abs(scipy.fft.rfft(frames[first : first + _BLOCK_FRAMES] * window, axis=-1)).astype(np.float32)


@lru_cache(maxsize=8)
def mel_area_filters(n_fft: int, bands: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Triangles ``(n_fft / 2 + 1, bands)`` of equal area on Slaney's mel scale, 0 Hz to half the rate.

    Source: Slaney 1998, Auditory Toolbox: linear below 1 kHz, 27 mel for a factor of 6.4 above. Librosa's default.
    """
    mels = np.linspace(0, 15 + 27 * np.log(sample_rate / 2 / 1000) / np.log(6.4), bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    made: np.ndarray = (filters * 2 / (high - low)).astype(np.float32)
    made.flags.writeable = False
    return made


@lru_cache(maxsize=64)
def chroma_filters(n_fft: int, tuning: float = 0.0, centred: bool = True) -> np.ndarray:
    """Filters ``(n_fft / 2 + 1, 12)`` from bins to pitch classes, C first.

    Source: Ellis 2007, "Chroma feature analysis and synthesis" (``fft2chromamx``): a Gaussian bump a pitch class and
    bin, bins of unit norm, weighted by a Gaussian of two octaves about 440 Hz. Librosa's default.

    Args:
        n_fft: samples a frame.
        tuning: of the sound, in semitones above A4 = 440 Hz.
        centred: weigh octaves by that Gaussian; otherwise all count alike.
    """
    frequencies = np.arange(1, n_fft) * SAMPLE_RATE / n_fft
    pitch = 12 * np.log2(frequencies / (440 * 2 ** (tuning / 12) / 16))
    pitch = np.concatenate([[pitch[0] - 18], pitch])  # 0 Hz is put an octave and a half below the first bin
    width = np.append(np.maximum(np.diff(pitch), 1), 1)
    distance = np.remainder(pitch[:, None] - np.arange(12) + 6, 12) - 6
    bumps = np.exp(-0.5 * (2 * distance / width[:, None]) ** 2)
    bumps /= np.sqrt(np.sum(bumps**2, axis=1, keepdims=True))
    if centred:
        bumps *= np.exp(-0.5 * ((pitch / 12 - 5) / 2) ** 2)[:, None]
    made: np.ndarray = np.roll(bumps, -3, axis=1)[: n_fft // 2 + 1].astype(np.float32)
    made.flags.writeable = False
    return made


def decibels(power: np.ndarray, *, floor: float = 1e-10, top: float = 80.0) -> np.ndarray:
    """10 log10 of a power, no lower than ``floor`` nor than ``top`` dB below the loudest."""
    level = 10 * np.log10(np.maximum(power, floor))
    kept: np.ndarray = np.maximum(level, level.max() - top)
    return kept
