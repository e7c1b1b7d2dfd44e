"""An audio file that is opened once: what it holds, its samples in blocks, seeking."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np

from celesta._files import printable
from celesta.audio._blocks import reblock
from celesta.audio._decoder import Decoder, open_decoder
from celesta.audio._headers import AudioWarning, inspect
from celesta.audio._info import AudioInfo
from celesta.audio._layout import mask_of, names_of, usual_order
from celesta.audio._lost import Lost, describe
from celesta.audio._tags import read_tags
from celesta.audio.resample import BLOCK, LOUDEST, MAX_CHANNELS, MAX_RATE, MIN_RATE, Resampler, check_rate
from celesta.errors import AudioError, UsageError, warn


class AudioSource:
    """An audio file, opened once and read in blocks.

    Samples are float32 arrays of shape (channels, n), full scale at +-1, all finite. Channels come in WAV's order (5.1:
    FL FR FC LFE BL BR) from all formats. The file's header and its frames are inspected once, however often the source
    is rewound. Use it in a ``with`` block, or close it.

    Args:
        path: The file.
        strict: Raise an `AudioError` where a part of the audio is lost; otherwise an `AudioWarning` says so.

    Attributes:
        path: The file.
        format: Container, see `AudioInfo`.
        subtype: Encoding of the samples, see `AudioInfo`.
        sample_rate: Samples a second, Hz.
        channels: Number of audio channels.
        n_samples: Samples per channel that the file's header promises, or None. A hint: what `read` gives is the truth.
        position: Index of the next sample that `read` gives.
        lost: The damaged parts among what was read so far.
        remarks: Texts of the warnings so far, without the file's name.

    Raises:
        AudioError: The file is missing, damaged or not supported; sample rate or channels lie outside the limits.
        MissingExtraError: The format needs PyAV, which is not installed.

    Example:
        >>> with AudioSource("song.mp3") as source:
        ...     n = sum(block.shape[1] for block in source.blocks(sample_rate=22_050, mono=True))
        >>> source.sample_rate, source.channels, n
        (44100, 2, 66150)
    """

    def __init__(self, path: str | Path, *, strict: bool = False) -> None:
        self.path = Path(path)
        self.strict = strict
        self._header = inspect(self.path)
        self._decoder: Decoder = open_decoder(self.path, self._header)
        self.format = self._decoder.format
        self.subtype = self._decoder.subtype
        self.sample_rate = self._decoder.sample_rate
        self.channels = self._decoder.channels
        self.n_samples = self._decoder.n_declared
        self.position = 0
        self.lost: list[Lost] = []
        self._reported = 0  # how many of the lost parts have been reported
        self.remarks: list[str] = []
        self._end_reported = False
        self._check_limits()
        self._order = self._channel_order()

    def _channel_order(self) -> list[int] | None:
        """The channels that make the usual layout, where the file has them in another order."""
        speakers = self._decoder.speakers
        if self.format == "FLAC" and self.channels > 2:
            with contextlib.suppress(ValueError):
                speakers = names_of(int(self.tags.get("waveformatextensible_channel_mask", "0"), 0))
        if len(speakers) != self.channels:
            return None
        order = usual_order(speakers)
        if order is None:
            usual = " ".join(names_of(mask_of(self.channels)))
            self._warn(f"its channels are {' '.join(speakers)}, not {usual}; they keep the file's order")
            return None
        return list(order) if order != tuple(range(self.channels)) else None

    def _check_limits(self) -> None:
        problem = ""
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            problem = f"{self.sample_rate} Hz; {MIN_RATE} to {MAX_RATE} Hz are supported"
        elif not 1 <= self.channels <= MAX_CHANNELS:
            problem = f"{self.channels} channels; 1 to {MAX_CHANNELS} are supported"
        if problem:
            self.close()
            raise AudioError(f"{self.name}: {problem}")

    @property
    def name(self) -> str:
        """The path as it can be printed."""
        return printable(self.path)

    @cached_property
    def tags(self) -> dict[str, str]:
        """Text tags with lower-case names; empty where there are none or they are damaged."""
        return read_tags(self.path)

    @property
    def duration(self) -> float:
        """Seconds that the file's header promises; 0.0 where it does not say."""
        return (self.n_samples or 0) / self.sample_rate

    @property
    def info(self) -> AudioInfo:
        """Format, size and tags."""
        return AudioInfo(
            path=self.path,
            format=self.format,
            subtype=self.subtype,
            sample_rate=self.sample_rate,
            channels=self.channels,
            n_samples=self.n_samples or 0,
            duration=self.duration,
            tags=self.tags,
        )

    def read(self, n: int) -> np.ndarray:
        """Read the next samples.

        Args:
            n: At most so many samples per channel.

        Returns:
            (channels, m) float32 with m <= n; m = 0 only at the end.

        Raises:
            AudioError: A sample is not finite; or, where the source is strict, audio is lost.
        """
        part = self._decoder.read(n)
        if self._order is not None:
            part = part[self._order]
        self._check_finite(part)
        self.position += part.shape[1]
        self.lost += [one for one in self._decoder.lost if one not in self.lost]
        self._decoder.lost.clear()
        if self.strict:
            self._report_lost()
        if part.shape[1] == 0 and n > 0:
            self._report_lost()
            self._report_end()
        return part

    def seek(self, sample: int) -> int:
        """Go to a sample, exactly.

        Plain samples and FLAC are jumped over; other formats are decoded up to there.

        Args:
            sample: Index of the sample that `read` shall give next.

        Returns:
            The new position: less than asked for where the file ends earlier.
        """
        if sample < 0:
            raise UsageError(f"cannot go to sample {sample}; the first one is 0")
        if sample < self.position:
            self.rewind()
        missing = sample - self.position
        if missing and self._decoder.jump(missing):
            self.position += missing
        while self.position < sample:
            got = self._decoder.read(min(BLOCK, sample - self.position)).shape[1]
            if got == 0:
                break
            self.position += got
        lost = self._decoder.lost  # damage that was passed over is not reported
        lost[:] = [one for one in lost if one.start + one.n_samples > self.position]
        return self.position

    def rewind(self) -> None:
        """Go back to the first sample."""
        if self.position or self._decoder.failure:
            self._decoder.close()
            self._decoder = open_decoder(self.path, self._header)
        self.position = 0

    def blocks(
        self,
        *,
        sample_rate: int | None = None,
        mono: bool = False,
        start: float = 0.0,
        duration: float | None = None,
        block: int | None = None,
    ) -> Iterator[np.ndarray]:
        """Read a stretch of the file in blocks, in flat memory.

        Args:
            sample_rate: Convert to this sample rate, Hz; the file's own where None.
            mono: Average the channels.
            start: Seconds to leave out at the front.
            duration: Seconds to read at most; to the end where None.
            block: Samples in each block but the last; where None, blocks come as they are decoded.

        Returns:
            An iterator of (channels, m) float32. What lies between start and start + duration is cut out first and
            then resampled.

        Raises:
            UsageError: An argument is out of range.
            AudioError: The file holds no audio there, or see `read`.
        """
        if not 0 <= start < math.inf or (duration is not None and not 0 < duration < math.inf):
            raise UsageError(f"start {start}, duration {duration}: seconds from 0 on, and more than 0 of them to read")
        if block is not None and block < 1:
            raise UsageError(f"block is {block}; at least 1 sample is needed")
        rate = self.sample_rate if sample_rate is None else check_rate(sample_rate)
        parts = self._stretch(rate, mono, start, duration)
        return parts if block is None else reblock(parts, block)

    def _stretch(self, rate: int, mono: bool, start: float, duration: float | None) -> Iterator[np.ndarray]:
        first = round(start * self.sample_rate)
        last = None if duration is None else first + max(1, round(duration * self.sample_rate))
        self.seek(first)
        resampler = Resampler(self.sample_rate, rate, 1 if mono else self.channels)
        while last is None or self.position < last:
            part = self.read(BLOCK if last is None else min(BLOCK, last - self.position))
            if part.shape[1] == 0:
                break
            if mono:
                part = part.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
            yield resampler.push(part)
        if self.position <= first:
            where = f" at {start} s; it ends at {self.position / self.sample_rate:.3f} s" if self.position else ""
            raise AudioError(f"{self.name}: holds no audio{where}{self._reason()}")
        yield resampler.finish()
        self._report_lost()

    def _reason(self) -> str:
        return f" ({self._decoder.failure})" if self._decoder.failure else ""

    def _report_end(self) -> None:
        """Say, once, where the file ended before its promised length or could not be decoded to its end."""
        if self._end_reported or self.position == 0:
            return
        self._end_reported = True
        declared = self.n_samples or 0
        slack = 0 if self._decoder.exact_length else self.sample_rate // 10
        missing = f"{declared - self.position} of its {declared} samples are missing"
        reasons = [missing] * (declared > self.position + slack) + [self._decoder.failure] * bool(self._decoder.failure)
        if reasons:
            end = self.position / self.sample_rate
            self._report(f"damaged or cut short, read only up to {end:.3f} s: {', '.join(reasons)}")

    def _report_lost(self) -> None:
        """Say, once for each, which parts of what was read are damaged."""
        fresh, self._reported = self.lost[self._reported :], len(self.lost)
        if fresh:
            self._report(describe(fresh, self.sample_rate))

    def _report(self, text: str) -> None:
        if self.strict:
            raise AudioError(f"{self.name}: {text}")
        self._warn(text)

    def _warn(self, text: str) -> None:
        self.remarks.append(text)
        warn(AudioWarning(f"{self.name}: {text}"))

    def _check_finite(self, part: np.ndarray) -> None:
        fine = np.abs(part) <= LOUDEST  # False for NaN too
        if not fine.all():
            bad = np.argwhere(~fine)
            channel, where = bad[np.argmin(bad[:, 1])]
            at = self.position + int(where)
            raise AudioError(
                f"{self.name}: sample {at} ({at / self.sample_rate:.3f} s) of channel {channel + 1} is "
                f"{part[channel, where]}, which is not audio; repair the file"
            )

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._decoder.close()

    def __enter__(self) -> AudioSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AudioSource({self.name!r}, {self.sample_rate} Hz, {self.channels} channels)"
