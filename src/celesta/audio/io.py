"""Sound files in and out: every sample finite, every length exact, memory flat.

Reading: WAV FLAC OGG Opus MP3 (and AIFF, AU, W64, RF64) by libsndfile; M4A, AAC and the sound of videos by the extra
`celesta[av]`. Samples are float32 arrays of shape (channels, n), full scale at +-1. Whatever is wrong with a file
ends in an `AudioError` of one line, or, where part of it can be had, in that part and an `AudioWarning`.
"""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from celesta.audio._decoder import Source, open_source, skip
from celesta.audio._headers import AudioWarning
from celesta.audio._tags import read_tags
from celesta.audio.resample import BLOCK, LOUDEST, Resampler, check_rate, resample, resampled_length
from celesta.audio.writer import Writer
from celesta.errors import AudioError, UsageError

__all__ = [
    "AUDIO_SUFFIXES",
    "Audio",
    "AudioInfo",
    "AudioWarning",
    "Resampler",
    "Writer",
    "find_audio",
    "probe",
    "read",
    "resample",
    "resampled_length",
    "stream",
    "write",
]

_PLAIN = (".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au")
_PACKED = (".flac", ".ogg", ".oga", ".opus", ".mp3")
_BY_PYAV = (".m4a", ".m4b", ".mp4", ".aac", ".mka", ".mkv", ".webm", ".mov", ".wma")
AUDIO_SUFFIXES = frozenset(_PLAIN + _PACKED + _BY_PYAV)


class Audio(NamedTuple):
    """A sound: samples (channels, n) float32 and their rate in Hz."""

    samples: np.ndarray
    sample_rate: int


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file says about itself."""

    path: Path
    format: str
    subtype: str
    sample_rate: int
    channels: int
    n_samples: int  # a channel, as the header says; 0 where it does not say
    duration: float  # seconds
    tags: dict[str, str]


def probe(path: str | Path) -> AudioInfo:
    """What the file's header and tags say; nothing is decoded but the first frame, for formats read by PyAV.

    Raises:
        AudioError: Missing, damaged or unsupported. Damaged tags never raise.
    """
    path = Path(path)
    with contextlib.closing(open_source(path)) as source:
        n, rate = source.n_declared or 0, source.sample_rate
        tags = read_tags(path)
        return AudioInfo(path, source.format, source.subtype, rate, source.channels, n, n / rate, tags)


def read(
    path: str | Path,
    *,
    sample_rate: int | None = None,
    mono: bool = False,
    start: float = 0.0,
    duration: float | None = None,
) -> Audio:
    """Read a sound file.

    Args:
        path: The file.
        sample_rate: Convert to this rate, Hz; the file's own where None.
        mono: Mean of the channels.
        start: Seconds to leave out at the front.
        duration: Seconds to read at most; to the end where None.

    Returns:
        The sound; what lies between start and start + duration is cut out first and then resampled.

    Raises:
        AudioError: Missing, damaged, unsupported or not finite.
        MissingExtraError: The format needs `celesta[av]`.
        UsageError: start or duration out of range.
    """
    if not 0 <= start < math.inf or (duration is not None and not 0 < duration < math.inf):
        raise UsageError(f"start {start}, duration {duration}: seconds from 0 on, and more than 0 of them to read")
    if sample_rate is not None:
        check_rate(sample_rate)
    path = Path(path)
    source = open_source(path)
    rate = sample_rate or source.sample_rate
    blocks = list(_samples(path, source, rate, mono, start, duration))
    return Audio(np.concatenate(blocks, axis=1), rate)


def stream(
    path: str | Path, *, sample_rate: int | None = None, mono: bool = False, block: int = BLOCK
) -> Iterator[np.ndarray]:
    """The samples that `read` gives, as blocks of (channels, block), the last one shorter, in flat memory.

    The file is opened at once, so a bad one raises here and not at the first block.
    """
    if block < 1:
        raise UsageError(f"block is {block}; at least 1 sample is needed")
    if sample_rate is not None:
        check_rate(sample_rate)
    path = Path(path)
    source = open_source(path)
    rate = sample_rate or source.sample_rate
    return _reblock(_samples(path, source, rate, mono, 0.0, None), block)


def write(
    path: str | Path,
    audio: Audio | np.ndarray,
    sample_rate: int | None = None,
    *,
    subtype: str | None = None,
) -> None:
    """Write a sound file in the format of its suffix; see `Writer`.

    Args:
        path: Target; replaced as a whole if it exists.
        audio: An `Audio`, or samples (channels, n) or (n,) with `sample_rate`.
        sample_rate: Hz, of bare samples.
        subtype: See `Writer`.
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


def find_audio(folder_or_file: str | Path) -> list[Path]:
    """All sound files below a folder by their suffix, sorted; a file stands for itself. Hidden ones are left out."""
    root = Path(folder_or_file)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise AudioError(f"{root}: no such file or folder")
    found: list[Path] = []
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(folder, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES
        ]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    raise AudioError(f"{error.filename}: can't be read ({error.strerror})") from error


def _samples(
    path: Path, source: Source, rate: int, mono: bool, start: float, duration: float | None
) -> Iterator[np.ndarray]:
    """Decode, check, mix and resample; closes the source."""
    with contextlib.closing(source):
        first = round(start * source.sample_rate)
        last = None if duration is None else first + max(1, round(duration * source.sample_rate))
        at = skip(source, first)
        resampler = Resampler(source.sample_rate, rate, 1 if mono else source.channels)
        while last is None or at < last:
            part = source.read(BLOCK if last is None else min(BLOCK, last - at))
            if part.shape[1] == 0:
                break
            _check_finite(path, part, at, source.sample_rate)
            at += part.shape[1]
            if mono:
                part = part.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
            yield resampler.push(part)
        if at <= first:
            where = f" at {start} s, it ends at {at / source.sample_rate:.3f} s" if at else ""
            raise AudioError(f"{path}: holds no sound{where}{f' ({source.failure})' if source.failure else ''}")
        yield resampler.finish()
        _warn_if_short(path, source, at, last)


def _warn_if_short(path: Path, source: Source, at: int, last: int | None) -> None:
    """Say so where the file holds less than it says, within what was asked for."""
    if last is not None and at >= last:
        return
    declared = source.n_declared or 0
    slack = 0 if source.exact_length else source.sample_rate // 10
    reasons = []
    if declared > at + slack and last is None:
        reasons.append(f"{declared - at} of its {declared} samples are missing")
    elif last is not None and declared > at + slack:
        reasons.append(f"its header promises {declared} samples")
    if source.failure:
        reasons.append(source.failure)
    if reasons:
        text = f"{path}: damaged or cut short, read only up to {at / source.sample_rate:.3f} s: {', '.join(reasons)}"
        warnings.warn(AudioWarning(text), stacklevel=4)


def _check_finite(path: Path, part: np.ndarray, at: int, sample_rate: int) -> None:
    fine = np.abs(part) <= LOUDEST  # False for NaN too
    if not fine.all():
        channel, where = np.argwhere(~fine)[np.argmin(np.argwhere(~fine)[:, 1])]
        raise AudioError(
            f"{path}: sample {at + where} ({(at + where) / sample_rate:.3f} s) of channel {channel + 1} is "
            f"{part[channel, where]}, no sound; repair the file"
        )


def _reblock(parts: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    held: list[np.ndarray] = []
    n = 0
    for part in parts:
        held.append(part)
        n += part.shape[1]
        if n < size:
            continue
        whole = np.concatenate(held, axis=1)
        full = n - n % size
        for i in range(0, full, size):
            yield whole[:, i : i + size]
        held, n = [whole[:, full:]], n - full
    if n:
        yield np.concatenate(held, axis=1)
