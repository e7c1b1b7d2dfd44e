"""The samples of a song at random access, in flat memory: what operations cut and cross-fade."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.codec.source import AudioLike, SongSource
from celesta.errors import UsageError
from celesta.latents import CelReader, is_cel

BLOCK = 1 << 18
_FLOAT = 4  # bytes
_CANCELLED = 1e-6  # power of the mean of the channels, as a share of theirs, below which they cancel out


class Material:
    """Samples of a song, any stretch of which can be read.

    A file is decoded once, to a temporary file of plain samples, so that a song of hours takes no more memory than one
    of seconds. Use it in a ``with`` block, or close it.

    Args:
        source: path of an audio file or of a .cel file, :class:`~celesta.audio.Audio`, or array ``(n,)`` or
            ``(channels, n)``, full scale at +-1.
        sample_rate: Hz, of an array.

    Attributes:
        name: of the file, "" for audio in memory.
        path: of the file; None for audio in memory.
        sample_rate: Hz.
        channels: number of audio channels.
        n_samples: samples per channel.

    Raises:
        AudioError, LatentError: the file cannot be read, or samples are not finite.
        UsageError: the source is of another type or shape.

    Example:
        >>> with Material(np.zeros((2, 1000), np.float32), 8000) as song:
        ...     song.read(-2, 3).shape
        (2, 5)
    """

    def __init__(self, source: AudioLike, sample_rate: int | None = None) -> None:
        self._samples: np.ndarray | None = None
        self._file: Any = None
        self.path = Path(source) if isinstance(source, str | Path) else None
        self.name = "" if self.path is None else self.path.name
        if self.path is not None and is_cel(self.path):
            self.sample_rate, blocks = _decoded(self.path)
            self._store(blocks)
            return
        with SongSource(source, sample_rate) as song:
            self.sample_rate = song.sample_rate
            if self.path is not None:
                self._store(song.blocks(song.sample_rate))
            else:
                self._samples = np.concatenate(list(song.blocks(song.sample_rate)), axis=1)
                self.channels, self.n_samples = self._samples.shape
                self._cancels = _cancel(sum((_powers(block) for block in self.blocks()), start=np.zeros(2)))

    @classmethod
    def of_blocks(cls, blocks: Iterator[np.ndarray], sample_rate: int, name: str = "") -> Material:
        """Return the material of a stream of blocks ``(channels, n)``."""
        made = cls.__new__(cls)
        made._samples, made._file, made.path, made.name, made.sample_rate = None, None, None, name, sample_rate
        made._store(blocks)
        return made

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.n_samples / self.sample_rate)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return samples ``(channels, stop - start)`` float32; beyond the ends of the song there is silence."""
        first, last = max(start, 0), min(stop, self.n_samples)
        if first >= last:
            return np.zeros((self.channels, max(stop - start, 0)), np.float32)
        if self._samples is not None:
            inside = self._samples[:, first:last]
        else:
            self._file.seek(_FLOAT * self.channels * first)
            data = self._file.read(_FLOAT * self.channels * (last - first))
            inside = np.frombuffer(data, np.float32).reshape(-1, self.channels).T
        return np.pad(inside, ((0, 0), (first - start, stop - last))) if (first, last) != (start, stop) else inside

    def mono(self, start: int, stop: int) -> np.ndarray:
        """Return a stretch ``(stop - start,)`` float32 of one channel, see :meth:`mix`."""
        return self.mix(self.read(start, stop))

    def mix(self, x: np.ndarray) -> np.ndarray:
        """Return the mean of channels ``(channels, n)`` of the song, or the first one where they cancel out."""
        mono: np.ndarray = x[0] if len(x) == 1 or self._cancels else x.mean(axis=0, dtype=np.float32)
        return mono

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yield the samples from ``start`` to ``stop`` in blocks ``(channels, n)``."""
        stop = self.n_samples if stop is None else stop
        for first in range(start, stop, BLOCK):
            yield self.read(first, min(first + BLOCK, stop))

    def whole(self) -> Audio:
        """Return all samples."""
        return Audio(self.read(0, self.n_samples), self.sample_rate)

    def content(self) -> str:
        """Return the SHA-256 of the samples and their rate."""
        digest = hashlib.sha256(f"{self.sample_rate} {self.channels}\n".encode())
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block.T).tobytes())
        return digest.hexdigest()

    def _store(self, blocks: Iterator[np.ndarray]) -> None:
        """Write blocks to a temporary file, the samples of a moment next to each other."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close())
        self.channels = self.n_samples = 0
        powers = np.zeros(2)
        try:
            for block in blocks:
                powers += _powers(block)
                self.channels = len(block)
                self.n_samples += block.shape[1]
                self._file.write(np.ascontiguousarray(block.T, np.float32).tobytes())
        except BaseException:
            self.close()
            raise
        self._cancels = _cancel(powers)

    def close(self) -> None:
        """Give the temporary file back; may be called more than once."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Material:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Material({self.name!r}, {self.channels} channels, {self.sample_rate} Hz, {self.duration:.3f} s)"


def _powers(x: np.ndarray) -> np.ndarray:
    """Return the sum of squares of the mean of the channels, and the mean of the channels' own."""
    if len(x) == 1:
        return np.zeros(2)
    mean = x.mean(axis=0, dtype=np.float32)
    return np.array([np.vdot(mean, mean), np.vdot(x, x) / len(x)], np.float64)


def _cancel(powers: np.ndarray) -> bool:
    """Whether the channels of a song cancel out in their mean, because one is the inverse of the other."""
    return bool(powers[0] < _CANCELLED * powers[1])


def opened(source: Any) -> Material:
    """Return a material as it is, or open a source as one."""
    return source if isinstance(source, Material) else Material(source)


def part_of(song: Material, start: float, stop: float | None) -> Material:
    """Return a stretch of a song.

    Args:
        song: its samples.
        start: seconds.
        stop: seconds; None for the end.

    Raises:
        UsageError: the stretch is empty or outside the song.
    """
    last = song.n_samples if stop is None else min(round(stop * song.sample_rate), song.n_samples)
    first = round(start * song.sample_rate)
    if not 0 <= first < last:
        raise UsageError(
            f"{song.name or 'the song'}: from {start:g} s to {'the end' if stop is None else f'{stop:g} s'} there is"
            f" nothing; it has {song.duration:.3f} s"
        )
    return Material.of_blocks(song.blocks(first, last), song.sample_rate, song.name)


def at_rate(song: Material, sample_rate: int, channels: int) -> Material:
    """Return a song at another sample rate and number of channels, for mixing with another song.

    Raises:
        UsageError: more than two channels would have to be mixed.
    """
    if (song.sample_rate, song.channels) == (sample_rate, channels):
        return song
    if song.channels != channels and max(song.channels, channels) > 2:
        raise UsageError(f"{song.name or 'the song'}: {song.channels} channels do not fit {channels}; mix it first")

    def fitting(x: np.ndarray) -> np.ndarray:
        if channels == 1 and len(x) == 2:
            x = song.mix(x)[None]
        return np.repeat(x, 2, axis=0) if channels > len(x) else x

    def blocks() -> Iterator[np.ndarray]:
        resampler = audio.Resampler(song.sample_rate, sample_rate, song.channels)
        for block in song.blocks():
            yield fitting(resampler.push(block))
        yield fitting(resampler.finish())

    return Material.of_blocks(blocks(), sample_rate, song.name)


def _decoded(path: Path) -> tuple[int, Iterator[np.ndarray]]:
    """Return the sample rate and the decoded blocks of a .cel file."""
    from celesta import codec as codecs
    from celesta.variations.files import open_song

    with CelReader(path) as reader:
        model = reader.meta.model
    codec = codecs.load(model)

    def blocks() -> Iterator[np.ndarray]:
        with open_song(codec, path) as song:
            yield from song.decode()[1]

    with open_song(codec, path) as song:
        return song.source_rate, blocks()
