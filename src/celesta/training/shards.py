"""Training crops from stereo shards, with varied level, channel, bandwidth and mixture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from celesta.errors import DataError
from celesta.training.data import Corpus

SAMPLE_RATE = 44_100


def is_shards(folder: Path) -> bool:
    """Return whether a folder holds shards of ``scripts/make_shards.py``."""
    return (folder / "train.json").is_file() and (folder / "valid.json").is_file()


class Shards(Corpus):
    """Stereo music at 44 100 Hz in one int16 file; the chance of a piece is proportional to its duration."""

    def __init__(self, folder: Path, split: str) -> None:
        index = folder / f"{split}.json"
        try:
            pieces: list[dict[str, Any]] = json.loads(index.read_text(encoding="utf-8"))["pieces"]
            starts = np.array([piece["start"] for piece in pieces], np.int64)
            frames = np.array([piece["frames"] for piece in pieces], np.int64)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{index}: not an index of shards ({error}); make them with scripts/make_shards.py"
            ) from None
        if not len(pieces):
            raise DataError(f"{index}: it holds no music")
        samples = np.memmap(folder / f"{split}.pcm", np.int16, "r").reshape(-1, 2)
        if len(samples) < int((starts + frames).max()):
            raise DataError(f"{folder / split}.pcm: shorter than its index says; make the shards anew")
        super().__init__(samples, np.append(starts, 0), ())
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "cumulative", np.cumsum(frames))

    frames: np.ndarray
    cumulative: np.ndarray

    def crop(self, rng: np.random.Generator, window: int, length: int) -> np.ndarray:
        """Return a random mono crop ``(length,)`` float32.

        Left, right, mid or side; one in six is a sum of two crops; two in five are band-limited, as music from lower
        sample rates or lossy files is; the level varies by 30 dB.
        """
        x = self._piece(rng, length)
        if rng.random() < 1 / 6:
            x = x + self._piece(rng, length) * np.float32(rng.uniform(0.1, 1))
        if rng.random() < 0.4:
            spectrum = np.fft.rfft(x)
            cut = rng.choice([11_025.0, 11_025.0, rng.uniform(3_000, 11_025), rng.uniform(11_025, 20_000)])
            spectrum[round(cut / (SAMPLE_RATE / 2) * (len(spectrum) - 1)) :] = 0
            x = np.fft.irfft(spectrum, length).astype(np.float32)
        peak = float(np.abs(x).max())
        gain = 10 ** (rng.uniform(-24, 6) / 20)
        return np.asarray(x * min(gain, 1 / peak) if peak > 0 else x, np.float32)

    def windows(self, count: int, window: int) -> np.ndarray:
        """Return ``count`` mono windows, spread evenly over the pieces: ``(count, window)`` float32."""
        out = np.zeros((count, window), np.float32)
        for i in range(count):
            piece = i * self.tracks // count
            start = int(self.offsets[piece]) + max(0, (int(self.frames[piece]) - window) // 2)
            part = self.samples[start : start + min(window, int(self.frames[piece]))]
            out[i, : len(part)] = part.mean(axis=1) / 32_768
        return out

    def _piece(self, rng: np.random.Generator, length: int) -> np.ndarray:
        piece = int(np.searchsorted(self.cumulative, rng.integers(self.cumulative[-1]), side="right"))
        start = int(self.offsets[piece]) + int(rng.integers(max(1, int(self.frames[piece]) - length + 1)))
        stereo = np.zeros((length, 2), np.float32)
        part = self.samples[start : start + min(length, int(self.frames[piece]))]
        stereo[: len(part)] = part
        stereo /= 32_768
        kind = int(rng.integers(4))
        middle, side = (stereo[:, 0] + stereo[:, 1]) / 2, (stereo[:, 0] - stereo[:, 1]) / 2
        # Mono material has no side.
        return np.asarray(side if kind == 3 and side.any() else stereo[:, kind] if kind < 2 else middle)
