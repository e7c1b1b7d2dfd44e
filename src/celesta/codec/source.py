"""The song to encode, opened once: an audio file, or audio in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from celesta import audio
from celesta.audio import Audio, AudioSource
from celesta.errors import AudioError, UsageError
from celesta.latents import SourceFile

if TYPE_CHECKING:
    from celesta.codec.codec import Codec

_BLOCK = 1 << 16
_MOST_CHANNELS = 8

AudioLike = Any
"""A path, an :class:`~celesta.audio.Audio`, or an array or tensor ``(n,)``, ``(channels, n)`` or
``(1, channels, n)``."""


class SongSource:
    """A song to encode. A file is opened once, and read again only where :meth:`blocks` is called again.

    Used with ``with``, or closed.

    Args:
        source: path, :class:`~celesta.audio.Audio`, array or tensor ``(n,)``, ``(channels, n)`` or
            ``(1, channels, n)``, full scale at +-1.
        sample_rate: Hz, of an array or tensor.
        mono: average the channels.

    Attributes:
        sample_rate: Hz of the source.
        channels: number of audio channels, 1 where mono.
        tags: text tags of a file.
        file: name and size of a file; None for audio in memory.

    Raises:
        AudioError: the file cannot be read, or samples are not finite.
        UsageError: the source is of another type or shape.
    """

    def __init__(self, source: AudioLike, sample_rate: int | None = None, mono: bool = False) -> None:
        self._mono = mono
        self._samples: np.ndarray | None = None
        self._opened: AudioSource | None = None
        self._n_samples: int | None = None
        self.tags: dict[str, str] = {}
        self.file: SourceFile | None = None
        if isinstance(source, str | Path):
            if sample_rate is not None:
                raise UsageError("sample_rate is for arrays; a file has its own")
            self._opened = AudioSource(source)
            self.file, self.tags = SourceFile.of(source), self._opened.tags
            self.sample_rate, channels = self._opened.sample_rate, self._opened.channels
        else:
            self._samples, self.sample_rate = _in_memory(source, sample_rate)
            channels, self._n_samples = self._samples.shape
        self.channels = 1 if mono else channels

    @property
    def n_samples(self) -> int:
        """Samples per channel at the source's sample rate; of a file once it has been read to its end."""
        if self._n_samples is None:
            raise UsageError("the length of a file is not known before it has been read")
        return self._n_samples

    @property
    def seconds(self) -> float | None:
        """Duration; of a file that has not been read, what its header says, if it does."""
        if self._n_samples is not None:
            return self._n_samples / self.sample_rate
        assert self._opened is not None
        return self._opened.duration or None

    def blocks(self, sample_rate: int) -> Iterator[np.ndarray]:
        """Yield the song from its beginning, as blocks ``(channels, n)`` float32 at a sample rate."""
        if self._opened is None:
            yield from self._memory_blocks(sample_rate)
            return
        # A generator that is left early is closed at once, so that the next one does not find it in the middle.
        with closing(self._opened.blocks(sample_rate=sample_rate, mono=self._mono)) as parts:  # type: ignore[type-var]
            yield from parts
        self._n_samples = self._opened.position

    def _memory_blocks(self, sample_rate: int) -> Iterator[np.ndarray]:
        assert self._samples is not None
        resampler = audio.Resampler(self.sample_rate, sample_rate, self.channels)
        for first in range(0, self._samples.shape[1], _BLOCK):
            part = self._samples[:, first : first + _BLOCK]
            if self._mono:
                part = part.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
            yield resampler.push(part)
        yield resampler.finish()

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            self._opened.close()

    def __enter__(self) -> SongSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def song_metadata(codec: Codec, song: SongSource) -> dict[str, Any]:
    """Return the metadata of a codec's .cel file of a song, without the sizes that the writer counts."""
    m = codec.model
    return {
        "model": codec.name,
        "weights": codec.weights,
        "sample_rate": m.sample_rate,
        "hop_length": m.hop_length,
        "window": m.window,
        "overlap": m.overlap,
        "source_rate": song.sample_rate,
        "tags": song.tags,
        "source": song.file,
    }


def _in_memory(source: AudioLike, sample_rate: int | None) -> tuple[np.ndarray, int]:
    """Return samples ``(channels, n)`` float32 and their rate."""
    if isinstance(source, Audio):
        if sample_rate is not None and sample_rate != source.sample_rate:
            raise UsageError(f"this Audio has {source.sample_rate} Hz of its own; leave out sample_rate={sample_rate}")
        samples, sample_rate = source.samples, source.sample_rate
    else:
        samples = source
    if hasattr(samples, "detach"):  # a torch tensor; torch itself is not needed to know it
        samples = samples.detach().cpu().numpy()
    if not isinstance(samples, np.ndarray | list | tuple):
        raise UsageError(
            f"cannot encode {type(source).__name__}; give a path, an Audio, or an array or tensor with its sample_rate"
        )
    if sample_rate is None:
        raise UsageError("an array needs its sample_rate: encode(x, sample_rate=44100)")
    return _checked(samples), _checked_rate(sample_rate)


def _checked_rate(sample_rate: Any) -> int:
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, int | float | np.integer | np.floating):
        raise UsageError(f"sample_rate must be a number of Hz, got {sample_rate!r}")
    if not math.isfinite(sample_rate) or int(sample_rate) != sample_rate:
        raise UsageError(f"sample_rate must be an integer number of Hz, got {sample_rate!r}")
    return int(sample_rate)


def _checked(samples: Any) -> np.ndarray:
    """Return samples in memory as ``(channels, n)`` float32, finite and not empty."""
    try:
        x = np.asarray(samples)
    except ValueError as error:
        raise UsageError(f"audio in memory is not an array ({error})") from None
    if x.dtype.kind != "f" and not (x.dtype.kind in "iu" and not x.any()):
        hint = "; divide integer samples by their full scale, such as x / 32768" if x.dtype.kind in "iu" else ""
        raise UsageError(f"audio in memory must be floats with full scale at +-1, got {x.dtype}{hint}")
    if x.ndim == 3 and len(x) == 1:  # a batch of one, as other codecs take it
        x = x[0]
    x = x[None] if x.ndim == 1 else x
    if x.ndim != 2:
        raise UsageError(
            f"audio in memory must have shape (n,) or (channels, n), got {x.shape}; encode one song a call"
        )
    if x.size == 0:
        raise AudioError("audio in memory is empty")
    if len(x) > _MOST_CHANNELS:
        hint = "; transpose it: x.T" if x.shape[1] <= _MOST_CHANNELS else ""
        raise UsageError(f"audio in memory has {len(x)} channels, at most {_MOST_CHANNELS} are supported{hint}")
    with np.errstate(over="ignore"):  # shows as infinite
        x = x.astype(np.float32, copy=False)
    if not np.isfinite(x).all():
        raise AudioError("audio in memory holds NaN or infinite samples")
    return x
