"""The log-mel patches of 3 s that MusiCNN takes, as the original makes them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from celesta.dsp.spectra import Framer, mel_filters, spectrum
from celesta.features.base import Stage, checked

SAMPLE_RATE = 16_000
PATCH_FRAMES = 187
HOP_LENGTH = 256
_N_FFT, _BANDS = 512, 96


class PatchStream:
    """Cut a stream, mono at 16 kHz, into log-mel patches ``(187, 96)``.

    The signal is mirrored at both ends, as librosa did when the network was trained (since 0.10 it adds silence).
    It matters: silence before a sudden start is a click, which the largest value of a layer then shows.

    Args:
        hop: frames from one patch to the next.
    """

    def __init__(self, hop: int) -> None:
        self.hop = hop
        self._samples = 0
        # Equal blocks of frames give equal results however the stream is cut.
        self._framer = Framer(_N_FFT, HOP_LENGTH, "reflect", block=min(hop, PATCH_FRAMES))
        self._held = np.zeros((0, _BANDS), np.float32)
        self._skip = 0

    def push(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Take samples ``(n,)``; yield the patches that are complete."""
        self._samples += len(x)
        for frames in self._framer.push(x):
            yield from self._patches(frames)

    def finish(self) -> Iterator[np.ndarray]:
        """Yield the last patches; a signal shorter than a patch is followed by silence."""
        missing = (PATCH_FRAMES - 1) * HOP_LENGTH - self._samples
        if missing > 0:
            yield from self.push(np.zeros(missing, np.float32))
        for frames in self._framer.finish():
            yield from self._patches(frames)

    def _patches(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        if self._skip >= len(self._held) + len(frames):  # no patch has any of these
            self._skip -= len(self._held) + len(frames)
            self._held = self._held[:0]
            return
        self._held = np.concatenate([self._held, _log_mel(frames)])
        while len(self._held) >= self._skip + PATCH_FRAMES:
            yield self._held[self._skip : self._skip + PATCH_FRAMES]
            self._skip += self.hop
        dropped = min(self._skip, len(self._held))
        self._held, self._skip = self._held[dropped:], self._skip - dropped


class _SharedPatches:
    """The patches that both taggers take."""

    def __init__(self, hop: int) -> None:
        self._stream = PatchStream(hop)

    def push(self, x: np.ndarray) -> list[np.ndarray]:
        return list(self._stream.push(x))

    def finish(self) -> list[np.ndarray]:
        return list(self._stream.finish())


def patches(every: int = 1) -> Stage:
    """Return the stage that makes every so many patches, without overlap."""
    return Stage(f"musicnn patches, 1 of {every}", lambda: _SharedPatches(every * PATCH_FRAMES))


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Compute ``log10(10000 m + 1)`` of the mel power m, rounded as the original rounds.

    The original computes in half precision, in which loud bands overflow to infinity; those are computed in single.

    Args:
        samples: ``(n,)`` mono at 16 kHz, full scale 1.

    Returns:
        ``(1 + n // 256, 96)`` float32, frames of 16 ms.

    Raises:
        UsageError: not mono, empty or not finite.
    """
    framer = Framer(_N_FFT, HOP_LENGTH, "reflect", block=PATCH_FRAMES)
    x = checked(samples)
    return np.concatenate([_log_mel(frames) for part in (framer.push(x), framer.finish()) for frames in part])


def _log_mel(frames: np.ndarray) -> np.ndarray:
    power = spectrum(frames) ** 2
    mel = power @ mel_filters(SAMPLE_RATE, _N_FFT, _BANDS, equal_area=True)
    with np.errstate(over="ignore"):
        made: np.ndarray = _logarithms()[mel.astype(np.float16).view(np.uint16)]
    loud = ~np.isfinite(made)
    if loud.any():
        made[loud] = np.log10(10_000 * mel[loud] + 1)
    return made


@lru_cache(maxsize=1)
def _logarithms() -> np.ndarray:
    """``log10(10000 m + 1)`` ``(65536,)`` of all numbers m of half precision, by their bits."""
    m = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    with np.errstate(all="ignore"):
        return np.asarray(np.log10(np.float16(10_000) * m + np.float16(1)), np.float32)
