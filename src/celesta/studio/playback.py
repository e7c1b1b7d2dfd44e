"""A song as a WAV file that exists only as far as a browser asks for it, by byte ranges."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from celesta.audio import AudioSource
from celesta.errors import UsageError

HEADER_BYTES = 44
_LONGEST = (1 << 32) - 4_096
_OPEN = 4  # decoders that wait where they stopped, so that the next range goes on from there
_PIECE = 1 << 16

Blocks = Callable[[int], Iterator[np.ndarray]]
"""Gives the samples of a song ``(channels, n)``, block by block, from a sample on."""


def wav_header(n_samples: int, channels: int, sample_rate: int) -> bytes:
    """Return the header of a 16-bit WAV file."""
    size = n_samples * channels * 2
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, sample_rate, sample_rate * channels * 2, channels * 2, 16
    )
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)


class VirtualWav:
    """A song as 16-bit WAV, mono or stereo, of which any range of bytes can be read.

    Args:
        blocks: see :data:`Blocks`.
        n_samples: of the song.
        channels: of the song; of more than two the first two are used.
        sample_rate: Hz.

    Attributes:
        size: bytes of the whole file.
    """

    def __init__(self, blocks: Blocks, n_samples: int, channels: int, sample_rate: int) -> None:
        self.channels = min(2, channels)
        if n_samples * 2 * self.channels > _LONGEST:
            self.channels = 1
        self.n_samples = min(n_samples, _LONGEST // (2 * self.channels))
        self.sample_rate = sample_rate
        self.size = HEADER_BYTES + self.n_samples * self.channels * 2
        self._blocks = blocks
        self._waiting: OrderedDict[int, _Stream] = OrderedDict()  # by the sample that each gives next
        self._lock = threading.Lock()

    def read(self, first: int, last: int) -> Iterator[bytes]:
        """Yield the bytes from ``first`` up to ``last``, ``last`` left out.

        Raises:
            UsageError: the range lies outside the file.
        """
        if not 0 <= first < last <= self.size:
            raise UsageError(f"bytes {first} to {last} lie outside the {self.size} bytes of this file")
        return self._pieces(first, last)

    def _pieces(self, first: int, last: int) -> Iterator[bytes]:
        if first < HEADER_BYTES:
            head = wav_header(self.n_samples, self.channels, self.sample_rate)[first : min(last, HEADER_BYTES)]
            yield head
            first += len(head)
        frame = 2 * self.channels
        if first >= last:
            return
        sample, skip = divmod(first - HEADER_BYTES, frame)
        stream = self._stream(sample)
        left = last - first
        try:
            while left > 0:
                data = stream.read(min(_PIECE, -(-(left + skip) // frame)), self.channels)[skip : skip + left]
                skip = 0
                left -= len(data)
                yield data
        finally:
            self._keep(stream)

    def _stream(self, sample: int) -> _Stream:
        with self._lock:
            found = self._waiting.pop(sample, None)
        return found or _Stream(self._blocks(sample), sample)

    def _keep(self, stream: _Stream) -> None:
        with self._lock:
            old = self._waiting.pop(stream.position, None)
            self._waiting[stream.position] = stream
            gone = [self._waiting.popitem(last=False)[1] for _ in range(len(self._waiting) - _OPEN)]
        for one in (*gone, *([old] if old else [])):
            one.close()

    def close(self) -> None:
        """Close all decoders."""
        with self._lock:
            gone = list(self._waiting.values())
            self._waiting.clear()
        for one in gone:
            one.close()


class _Stream:
    """Samples from a place on; past the end they are silent."""

    def __init__(self, blocks: Iterator[np.ndarray], position: int) -> None:
        self.position = position
        self._blocks, self._held = blocks, np.zeros((1, 0), np.float32)

    def read(self, n: int, channels: int) -> bytes:
        """Return the next ``n`` samples as interleaved 16-bit integers."""
        while self._held.shape[1] < n:
            block = next(self._blocks, None)
            if block is None:
                rest = n - self._held.shape[1]
                block = np.zeros((len(self._held), rest), np.float32)
            self._held = np.concatenate([self._held, block], axis=1) if self._held.shape[1] else block
        part, self._held = self._held[:, :n], self._held[:, n:]
        self.position += n
        if len(part) > channels:
            part = part[:channels] if channels > 1 else part.mean(axis=0, keepdims=True)
        scaled = np.clip(np.rint(part * 32_767), -32_768, 32_767).astype("<i2")
        return scaled.T.tobytes()

    def close(self) -> None:
        close = getattr(self._blocks, "close", None)
        if close is not None:
            close()


def file_blocks(path: Path) -> Blocks:
    """Return what gives the samples of an audio file from a sample on."""

    def blocks(first: int) -> Iterator[np.ndarray]:
        with AudioSource(path) as source:
            source.seek(first)
            while (part := source.read(_PIECE)).shape[1]:
                yield part

    return blocks


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Read a ``Range`` header: first byte and the one behind the last; None where all of the file is meant.

    Several ranges at once are answered with the whole file, as RFC 9110 allows.

    Raises:
        UsageError: the range lies outside the file.

    Example:
        >>> parse_range("bytes=0-9", 100), parse_range("bytes=-10", 100), parse_range("bytes=90-", 100)
        ((0, 10), (90, 100), (90, 100))
    """
    unit, _, text = header.partition("=")
    first, dash, last = text.strip().partition("-")
    if (
        unit.strip().lower() != "bytes"
        or not dash
        or not all(not x or (x.isascii() and x.isdigit()) for x in (first, last))
    ):
        return None
    if not first and not last:
        return None
    if not first:
        begin, end = max(0, size - int(last[:18])), size
    else:
        begin, end = int(first[:18]), min(size, int(last[:18]) + 1) if last else size
    if begin >= end:
        raise UsageError(f"range {text} lies outside the {size} bytes of the file")
    return begin, end
