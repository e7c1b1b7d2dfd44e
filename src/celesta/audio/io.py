"""Read and write whole audio files.

Reading: WAV FLAC OGG Opus MP3 (and AIFF, AU, W64, RF64) by libsndfile; M4A, AAC, WMA and the audio of videos by the
extra `celesta[av]`. Samples are float32 arrays of shape (channels, n), full scale at +-1. Whatever is wrong with a file
ends in an `AudioError` of one line, or, where part of it can be read, in that part and an `AudioWarning`.
"""

from __future__ import annotations

import base64
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from celesta.audio._info import AudioInfo
from celesta.audio.resample import BLOCK
from celesta.audio.source import AudioSource
from celesta.audio.writer import Writer
from celesta.errors import AudioError, UsageError

_LONGEST_PLAYER = 600  # seconds of audio that a notebook page gets


class Audio(NamedTuple):
    """Audio in memory.

    Attributes:
        samples: (channels, n) float32, full scale at +-1.
        sample_rate: Samples a second, Hz.

    Example:
        >>> import numpy as np
        >>> Audio(np.zeros((2, 44_100), np.float32), 44_100)
        Audio(2 channels, 44100 Hz, 1.000 s)
    """

    samples: np.ndarray
    sample_rate: int

    @property
    def audio_values(self) -> np.ndarray:
        """The samples as ``(1, channels, n)``, a batch of one: what ``decode`` of the audio codecs of transformers has.

        >>> Audio(np.zeros((2, 44_100), np.float32), 44_100).audio_values.shape
        (1, 2, 44100)
        """
        return np.atleast_2d(self.samples)[None]

    def __repr__(self) -> str:
        channels, n = (np.atleast_2d(self.samples)).shape[-2:]
        many = "1 channel" if channels == 1 else f"{channels} channels"
        return f"Audio({many}, {self.sample_rate} Hz, {n / self.sample_rate:.3f} s)"

    def _repr_html_(self) -> str:
        """Return a player for notebooks: MP3, the first ten minutes, more than two channels mixed to one."""
        samples = np.atleast_2d(self.samples)[:, : _LONGEST_PLAYER * self.sample_rate]
        if samples.shape[1] == 0:
            return f"<p>{self!r}</p>"
        if samples.shape[0] > 2:
            samples = samples.mean(axis=0, keepdims=True)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "audio.mp3")
            write(file, np.clip(samples, -1, 1), self.sample_rate)
            data = base64.b64encode(file.read_bytes()).decode("ascii")
        return f'<audio controls src="data:audio/mpeg;base64,{data}"></audio><br>{self!r}'


def info(path: str | Path) -> AudioInfo:
    """Read the format, size and tags of an audio file.

    Nothing is decoded except the first frame, in formats that PyAV reads.

    Args:
        path: The file.

    Raises:
        AudioError: The file is missing, damaged or not supported. Damaged tags never raise.

    Example:
        >>> import celesta
        >>> about = celesta.info("song.mp3")
        >>> about.format, about.sample_rate, about.channels, round(about.duration)
        ('MP3', 44100, 2, 3)
    """
    with AudioSource(path) as source:
        return source.info


probe = info  # the former name


def read(
    path: str | Path,
    *,
    sample_rate: int | None = None,
    mono: bool = False,
    start: float = 0.0,
    duration: float | None = None,
    strict: bool = False,
) -> Audio:
    """Read an audio file.

    Args:
        path: The file.
        sample_rate: Convert to this sample rate, Hz; the file's own where None.
        mono: Average the channels.
        start: Seconds to leave out at the front.
        duration: Seconds to read at most; to the end where None.
        strict: Raise an `AudioError` where a part of the audio is lost; otherwise an `AudioWarning` says so.

    Returns:
        The audio; what lies between start and start + duration is cut out first and then resampled.

    Raises:
        AudioError: The file is missing, damaged or not supported, or its samples are not finite.
        MissingExtraError: The format needs PyAV, which is not installed.
        UsageError: start or duration is out of range.

    Example:
        >>> import celesta
        >>> celesta.read("song.mp3", sample_rate=22_050, mono=True, start=0.5, duration=2)
        Audio(1 channel, 22050 Hz, 2.000 s)
    """
    with AudioSource(path, strict=strict) as source:
        blocks = list(source.blocks(sample_rate=sample_rate, mono=mono, start=start, duration=duration))
        return Audio(np.concatenate(blocks, axis=1), sample_rate or source.sample_rate)


def stream(
    path: str | Path, *, sample_rate: int | None = None, mono: bool = False, block: int = BLOCK, strict: bool = False
) -> Iterator[np.ndarray]:
    """Read an audio file in blocks, in flat memory: the samples that `read` gives.

    The file is opened at once, so a bad one raises here and not at the first block.

    Args:
        path: The file.
        sample_rate: Convert to this sample rate, Hz; the file's own where None.
        mono: Average the channels.
        block: Samples in each block but the last.
        strict: Raise an `AudioError` where a part of the audio is lost; otherwise an `AudioWarning` says so.

    Returns:
        An iterator of (channels, block) float32.

    Raises:
        AudioError, MissingExtraError, UsageError: See `read`.

    Example:
        >>> import celesta
        >>> peak = max(float(abs(block).max()) for block in celesta.stream("song.mp3", sample_rate=22_050))
        >>> 0 < peak < 2
        True
    """
    source = AudioSource(path, strict=strict)
    try:
        return _closing(source, source.blocks(sample_rate=sample_rate, mono=mono, block=block))
    except BaseException:
        source.close()
        raise


def _closing(source: AudioSource, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    with contextlib.closing(source):
        yield from blocks


def write(
    path: str | Path,
    audio: Audio | np.ndarray,
    sample_rate: int | None = None,
    *,
    subtype: str | None = None,
) -> None:
    """Write an audio file in the format of its suffix; see `Writer`.

    Args:
        path: Target; an existing file is replaced when the new one is complete.
        audio: An `Audio`, or samples (channels, n) or (n,) with `sample_rate`.
        sample_rate: Hz, of bare samples.
        subtype: See `Writer`.

    Raises:
        AudioError: the samples are not of the shape (channels, n), or see `Writer`.
        UsageError: bare samples come without their sample_rate.

    Example:
        >>> import celesta
        >>> song = celesta.read("song.mp3")
        >>> celesta.write("half.flac", 0.5 * song.samples, song.sample_rate)
        >>> celesta.info("half.flac").subtype
        'PCM_24'
    """
    if isinstance(audio, Audio):
        samples, rate = audio.samples, audio.sample_rate
    elif sample_rate is not None:
        samples, rate = np.asarray(audio), sample_rate
    else:
        raise UsageError("write bare samples with their sample_rate, or an Audio")
    samples = samples[None] if samples.ndim == 1 else samples
    if samples.ndim != 2:
        raise AudioError(f"{path}: samples of shape {samples.shape}, expected (channels, n)")
    with Writer(path, rate, samples.shape[0], subtype) as writer:
        writer.write(samples)
