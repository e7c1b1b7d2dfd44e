"""Training music as one array of 16-bit samples, decoded once, so that the loop never waits for data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.datasets import Track
from celesta.errors import AudioError, DataError

_VERSION = 1


@dataclass(frozen=True)
class Corpus:
    """Decoded mono tracks in one array.

    Attributes:
        samples: int16, all tracks concatenated.
        offsets: ``(tracks + 1,)`` int64, where each begins.
        skipped: ``(file, reason)`` of tracks that could not be read.
    """

    samples: np.ndarray
    offsets: np.ndarray
    skipped: tuple[tuple[str, str], ...]

    @property
    def tracks(self) -> int:
        """Number of tracks."""
        return len(self.offsets) - 1

    def crop(self, rng: np.random.Generator, window: int, length: int) -> np.ndarray:
        """Return a random crop ``(length,)`` float32, scaled by the peak of a random window around it.

        So the crop has the level that it would have in a whole peak-normalised window of ``window`` samples. Every
        track is equally likely, whatever its length. Silent windows stay silent.
        """
        track = int(rng.integers(self.tracks))
        begin, end = int(self.offsets[track]), int(self.offsets[track + 1])
        start = begin + int(rng.integers(max(1, end - begin - window + 1)))
        part = self.samples[start : min(start + window, end)]
        at = int(rng.integers(max(1, len(part) - length + 1)))
        peak = max(1, int(part.max()), -int(part.min()))
        x = np.zeros(length, np.float32)
        piece = part[at : at + length]
        x[: len(piece)] = piece
        return x / peak

    def windows(self, count: int, window: int) -> np.ndarray:
        """Return ``count`` windows spread evenly over the tracks, scaled to peak 1: ``(count, window)`` float32."""
        out = np.zeros((count, window), np.float32)
        for i in range(count):
            track = i * self.tracks // count if count <= self.tracks else i % self.tracks
            begin, end = int(self.offsets[track]), int(self.offsets[track + 1])
            start = begin + max(0, (end - begin - window) // 2)
            part = self.samples[start : min(start + window, end)]
            out[i, : len(part)] = part / max(1, int(part.max()), -int(part.min()))
        return out


def cache_folder() -> Path:
    """Return the folder of decoded music: ``$CELESTA_CACHE``, else ``~/.cache/celesta``."""
    return Path(os.environ.get("CELESTA_CACHE") or Path.home() / ".cache" / "celesta")


def build(
    tracks: Sequence[Track],
    sample_rate: int,
    *,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Decode tracks to mono at ``sample_rate``, or take them from the cache.

    Args:
        tracks: what to decode, in this order.
        sample_rate: Hz.
        strict: stop at the first unreadable file instead of skipping it.
        progress: called with (tracks done, tracks in all).

    Raises:
        AudioError: ``strict`` and a file cannot be read.
        DataError: nothing could be read.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    key = _key(tracks, sample_rate)
    pcm, index = folder / f"{key}.pcm", folder / f"{key}.json"
    if not index.is_file() or not pcm.is_file():
        _decode(tracks, sample_rate, pcm, index, strict, progress)
    found = json.loads(index.read_text(encoding="utf-8"))
    skipped = tuple((str(file), str(reason)) for file, reason in found["skipped"])
    if strict and skipped:
        raise AudioError(f"{skipped[0][0]}: {skipped[0][1]}")
    if len(found["offsets"]) < 2:
        raise DataError(f"none of {len(tracks)} tracks could be read; the first: {skipped[0][0]}: {skipped[0][1]}")
    return Corpus(np.memmap(pcm, np.int16, "r"), np.array(found["offsets"], np.int64), skipped)


def _decode(
    tracks: Sequence[Track],
    sample_rate: int,
    pcm: Path,
    index: Path,
    strict: bool,
    progress: Callable[[int, int], None] | None,
) -> None:
    offsets, skipped = [0], []
    temporary = pcm.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            for done, track in enumerate(tracks, start=1):
                start = file.tell()
                try:
                    for block in audio.stream(track.path, sample_rate=sample_rate, mono=True):
                        file.write((np.clip(block[0], -1, 1) * 32767).round().astype("<i2").tobytes())
                except AudioError as error:
                    if strict:
                        raise
                    skipped.append((str(track.path), str(error).removeprefix(f"{track.path}: ")))
                    file.seek(start)
                    file.truncate()
                if file.tell() > start:
                    offsets.append(file.tell() // 2)
                if progress:
                    progress(done, len(tracks))
        os.replace(temporary, pcm)
    finally:
        temporary.unlink(missing_ok=True)
    # The index is written last: with it there, the samples are whole.
    temporary.write_text(json.dumps({"offsets": offsets, "skipped": skipped}), encoding="utf-8")
    os.replace(temporary, index)


def _key(tracks: Sequence[Track], sample_rate: int) -> str:
    """Return a name that changes with any file's path, size or time of modification."""
    hasher = hashlib.sha256(f"{_VERSION} {sample_rate}".encode())
    for track in tracks:
        stat = track.path.stat()
        hasher.update(os.fsencode(f"\0{track.path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}"))
    return f"pcm-{hasher.hexdigest()[:24]}"
