"""Short-time spectra, mel and chroma filters: what features and measures of reconstruction share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import scipy.fft

from celesta import audio
from celesta.errors import UsageError

SAMPLE_RATE = 22_050
"""Sample rate in Hz of all hand-crafted features."""
BLOCK_FRAMES = 256
"""Frames of a block."""
_TRANSFORMED = 32_768  # samples that are transformed at once, so that they stay in the processor's cache


def at_rate(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return mono samples ``(n,)`` as float32 at 22 050 Hz.

    Raises:
        UsageError: not one channel, empty or not finite.
    """
    x = np.asarray(samples, np.float32)
    if x.ndim != 1 or x.size == 0:
        raise UsageError(f"features need one channel (n,) of at least one sample, got shape {x.shape}; mix to mono")
    if not np.isfinite(x).all():
        raise UsageError("the audio has NaN or infinite samples; features need finite ones")
    if sample_rate == SAMPLE_RATE:
        return x
    resampled: np.ndarray = audio.resample(x[None], sample_rate, SAMPLE_RATE)[0]
    return resampled if resampled.size else np.zeros(1, np.float32)


class Framer:
    """Cut a stream of samples into centred, overlapping frames.

    The frames are those of the whole signal padded by half a frame at both ends: ``1 + n // hop_length`` of them. They
    come in blocks of the same size however the stream is cut.

    Args:
        size: samples of a frame, even.
        hop_length: samples from one frame to the next.
        mode: padding, as in :func:`numpy.pad`: ``constant`` (silence), ``edge`` or ``reflect``.
        block: frames that are returned together.
    """

    def __init__(self, size: int, hop_length: int, mode: str = "constant", block: int = BLOCK_FRAMES) -> None:
        self.size, self.hop_length, self.mode, self.block = size, hop_length, mode, block
        self._held = np.zeros(0, np.float32)
        self._last = np.zeros(0, np.float32)  # half a frame and one sample: what a mirrored end needs
        self._padded = False

    def push(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Take samples ``(n,)``; yield the blocks ``(block, size)`` of frames that are complete."""
        half = self.size // 2
        self._last = np.concatenate([self._last, x[-half - 1 :]])[-half - 1 :]
        self._held = np.concatenate([self._held, x])
        if not self._padded and len(self._held) > half:
            self._held = np.concatenate([np.pad(self._held[: half + 1], (half, 0), mode=self.mode)[:half], self._held])  # type: ignore[call-overload]
            self._padded = True
        if self._padded:
            yield from self._blocks()

    def finish(self) -> Iterator[np.ndarray]:
        """Yield the blocks up to the end of the stream; the last one may be shorter."""
        half = self.size // 2
        if self._padded:
            end = np.pad(self._last, (0, half), mode=self.mode)[-half:]  # type: ignore[call-overload]
            self._held = np.concatenate([self._held, end])
        else:
            self._held = np.pad(self._held, half, mode=self.mode)  # type: ignore[call-overload]
        yield from self._blocks()
        if len(self._held) >= self.size:
            yield self._frames(self._held)

    def _blocks(self) -> Iterator[np.ndarray]:
        needed = (self.block - 1) * self.hop_length + self.size
        step = self.block * self.hop_length
        first = 0
        while len(self._held) - first >= needed:
            yield self._frames(self._held[first : first + needed])
            first += step
        self._held = self._held[first:]

    def _frames(self, x: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(x, self.size)[:: self.hop_length]


def spectrum(frames: np.ndarray, *, double: bool = True) -> np.ndarray:
    """Return the magnitudes ``(F, n_fft / 2 + 1)`` float32 of frames ``(F, n_fft)`` under a periodic Hann window.

    Args:
        frames: float32.
        double: transform in double precision. Single precision is faster, and leaves rounding noise where band-limited
            audio is empty.
    """
    count, n_fft = frames.shape
    window = hann(n_fft) if double else hann(n_fft).astype(np.float32)
    made = np.empty((count, n_fft // 2 + 1), np.float32)
    rows = max(1, _TRANSFORMED // n_fft)
    for first in range(0, count, rows):
        transformed = scipy.fft.rfft(frames[first : first + rows] * window, axis=-1)
        parts = transformed.view(transformed.real.dtype)
        parts *= parts
        made[first : first + rows] = np.sqrt(parts[:, ::2] + parts[:, 1::2])
    return made


def magnitudes(
    x: np.ndarray, n_fft: int, hop_length: int, *, block: int = BLOCK_FRAMES, double: bool = True
) -> Iterator[np.ndarray]:
    """Yield the magnitudes ``(frames, n_fft / 2 + 1)`` of all centred frames of samples ``(n,)``, block by block.

    There are ``1 + n // hop_length`` frames; silence is added at both ends. See :func:`spectrum`.
    """
    framer = Framer(n_fft, hop_length, block=block)
    for frames in framer.push(x):
        yield spectrum(frames, double=double)
    for frames in framer.finish():
        yield spectrum(frames, double=double)


@lru_cache(maxsize=32)
def hann(size: int) -> np.ndarray:
    """Return the periodic Hann window ``(size,)`` float64."""
    window: np.ndarray = np.hanning(size + 1)[:-1]
    window.flags.writeable = False
    return window


@lru_cache(maxsize=64)
def mel_filters(sample_rate: int, n_fft: int, bands: int, *, equal_area: bool = False) -> np.ndarray:
    """Return triangular filters ``(n_fft / 2 + 1, bands)`` float32, evenly spaced on Slaney's mel scale up to Nyquist.

    The scale (Slaney 1998, Auditory Toolbox) is linear below 1 kHz, 3 mel for 200 Hz, and logarithmic above, 27 mel for
    a factor of 6.4.

    Args:
        sample_rate: Hz.
        n_fft: samples of a frame.
        bands: filters.
        equal_area: scale all triangles to one area, as librosa does. Otherwise their height is 1, and those too narrow
            to contain a bin are left out, so that there may be fewer than ``bands``.

    Example:
        >>> mel_filters(22_050, 2048, 128, equal_area=True).shape
        (1025, 128)
    """
    top = sample_rate / 2
    top_mel = top * 3 / 200 if top < 1000 else 15 + 27 * np.log(top / 1000) / np.log(6.4)
    mels = np.linspace(0, top_mel, bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    filters = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    filters = filters * 2 / (high - low) if equal_area else filters[:, filters.any(axis=0)]
    made: np.ndarray = filters.astype(np.float32)
    made.flags.writeable = False
    return made


@lru_cache(maxsize=64)
def chroma_filters(n_fft: int, tuning: float = 0.0, centred: bool = True) -> np.ndarray:
    """Return filters ``(n_fft / 2 + 1, 12)`` float32 from bins at 22 050 Hz to pitch classes, C first.

    Source: Ellis 2007, "Chroma feature analysis and synthesis" (``fft2chromamx``): a Gaussian bump for each pitch class
    and bin, bins of unit norm, weighted by a Gaussian of two octaves around 440 Hz. These are librosa's defaults.

    Args:
        n_fft: samples of a frame.
        tuning: of the music, in semitones above A4 = 440 Hz.
        centred: weight octaves by that Gaussian; otherwise all octaves count alike.
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


def decibels(power: np.ndarray, *, floor: float = 1e-10, lowest: float | None = None) -> np.ndarray:
    """Return 10 log10 of a power, at least of ``floor``, and clipped to at least ``lowest`` dB.

    Args:
        power: of any shape.
        floor: least power.
        lowest: in dB; None for 80 dB below the loudest.
    """
    level = 10 * np.log10(np.maximum(power, floor))
    clipped: np.ndarray = np.maximum(level, level.max() - 80.0 if lowest is None else lowest)
    return clipped
