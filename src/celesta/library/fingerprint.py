"""Fingerprints of audio: 32 bits for each 46 ms, which survive lossy codecs, other levels and filtering.

Each bit is the sign of a difference of band energies in time and frequency. Source: Haitsma and Kalker 2002, "A highly
robust audio fingerprinting system"; here with longer steps and with logarithms of energies, so that an equaliser
changes few bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft

from celesta.audio import Resampler

SAMPLE_RATE = 11_025
FRAME = 4_096
HOP = 512
BITS = 32
FRAME_RATE = SAMPLE_RATE / HOP
"""Sub-fingerprints a second, 21.5."""
METHOD = "haitsma-kalker-32/1"
_LOWEST, _HIGHEST = 200.0, 3_400.0  # Hz: what 64 kbit/s codecs keep, above what rumbles
_SILENCE = 1e-6  # power of a frame relative to the loudest frame: 60 dB below it
_FRAMES = 1_024  # frames computed at once
_TRANSFORMED = 16  # frames transformed at once, so that they stay in the processor's cache


class FingerprintAnalysis:
    """The fingerprint of a stream, mono at :data:`SAMPLE_RATE`."""

    def __init__(self) -> None:
        self._held = np.zeros(0, np.float32)
        self._energies: list[np.ndarray] = []

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``, full scale +-1."""
        self._held = np.concatenate([self._held, x])
        while len(self._held) >= FRAME + HOP * (_FRAMES - 1):
            self._add(np.lib.stride_tricks.sliding_window_view(self._held, FRAME)[: _FRAMES * HOP : HOP])
            self._held = self._held[_FRAMES * HOP :]

    def finish(self) -> None:
        """End the stream."""
        if len(self._held) >= FRAME:
            self._add(np.lib.stride_tricks.sliding_window_view(self._held, FRAME)[::HOP])
        self._held = np.zeros(0, np.float32)

    def _add(self, frames: np.ndarray) -> None:
        self._energies.append(_energies(frames))

    def bits(self) -> np.ndarray:
        """Return the fingerprint ``(frames,)`` uint32; 0 where a frame is silent.

        Audio shorter than a frame of 0.37 s has none.
        """
        return _bits(self._energies) if self._energies else np.zeros(0, np.uint32)


def fingerprint(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Compute the fingerprint of audio.

    Args:
        samples: ``(channels, n)`` or ``(n,)``, full scale +-1.
        sample_rate: Hz.

    Returns:
        ``(frames,)`` uint32; see :meth:`FingerprintAnalysis.bits`.

    Example:
        >>> fingerprint(np.sin(np.arange(22_050) * 0.3), 11_025).shape
        (36,)
    """
    mono = np.atleast_2d(samples).mean(axis=0, keepdims=True, dtype=np.float32)
    resampler, analysis = Resampler(sample_rate, SAMPLE_RATE, 1), FingerprintAnalysis()
    for part in (resampler.push(mono), resampler.finish()):
        analysis.push(part[0])
    analysis.finish()
    return analysis.bits()


def _band_edges() -> np.ndarray:
    """FFT bins between ``BITS + 1`` bands of equal ratio."""
    hertz = np.geomspace(_LOWEST, _HIGHEST, BITS + 2)
    return np.round(hertz * FRAME / SAMPLE_RATE).astype(int)


_EDGES = _band_edges()
_WINDOW = np.hanning(FRAME).astype(np.float32)


def _energies(frames: np.ndarray) -> np.ndarray:
    """Band energies ``(n, BITS + 1)`` float32."""
    energies = np.empty((len(frames), BITS + 1), np.float32)
    for first in range(0, len(frames), _TRANSFORMED):
        spectrum = scipy.fft.rfft(frames[first : first + _TRANSFORMED] * _WINDOW, axis=1)[:, : _EDGES[-1]]
        power = spectrum.real**2 + spectrum.imag**2
        energies[first : first + _TRANSFORMED] = np.add.reduceat(power, _EDGES[:-1], axis=1)
    return energies


def _bits(energies: Sequence[np.ndarray]) -> np.ndarray:
    """Bits ``(frames,)`` of the blocks of a song's energies, one block at a time: more would grow with the song."""
    loudest = max(float(block.sum(axis=1).max()) for block in energies)
    packed, before = [], None
    for block in energies:
        log = np.log(block + 1e-12 * max(loudest, 1e-12))
        tilt = log[:, :-1] - log[:, 1:]
        change = np.diff(tilt, axis=0, prepend=tilt[:1] if before is None else before) > 0
        bits = np.packbits(change, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)
        bits[block.sum(axis=1) <= _SILENCE * loudest] = 0
        packed.append(bits)
        before = tilt[-1:]
    return np.concatenate(packed)
