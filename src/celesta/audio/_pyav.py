"""M4A, AAC, WMA and the audio of videos, by PyAV (the extra `celesta[av]`).

FFmpeg gets an opened file and the one demuxer that we named after looking at the file, never a path: so no
protocol, no playlist and no reference to another file can be followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from celesta._files import printable
from celesta.audio._headers import Header
from celesta.audio._lost import Lost
from celesta.audio._virtual import VirtualFile
from celesta.errors import AudioError, MissingExtraError

_CODECS = {"aac", "alac", "mp3", "mp3float", "mp2", "mp2float", "opus", "libopus", "vorbis", "libvorbis", "flac"}
_CODECS |= {"ac3", "eac3", "wmav1", "wmav2", "wmapro", "wmalossless"}
_EXACT = ("alac", "flac", "wmalossless", "pcm_")
_LOUDEST = 8.0  # 18 dB above full scale: no lossy encoder makes that
_MOST_ODD = 8  # frames of another rate or layout: so many are a change, fewer are damage
_MOST_SILENCE = 60  # seconds in one place: more is a wrong time stamp rather than a damaged disk
_FRAME = 1_024  # samples of a frame of AAC, the usual one
_TIMED = ("ASF", "MATROSKA")  # containers whose time stamps show what their demuxer has left out


class AvDecoder:
    """A file decoded by FFmpeg; the first audio stream that it holds."""

    def __init__(self, path: Path, header: Header) -> None:
        name = printable(path)
        try:
            import av
        except ImportError as error:
            raise MissingExtraError(f"{name}: this format needs PyAV, the extra [av]; pip install av") from error
        self._name = name
        self._errors = (av.error.FFmpegError, ValueError, OSError)
        self._missing, self._remark = header.missing, header.remark
        self._file: Any = VirtualFile(path, header.pieces) if header.pieces else open(path, "rb")  # noqa: SIM115
        self._container: Any = None
        try:
            self._open(av, header)
        except AudioError:
            self.close()
            raise
        except (*self._errors, IndexError) as error:
            self.close()
            raise AudioError(f"{name}: cannot be decoded ({_reason(error)})") from error

    def _open(self, av: Any, header: Header) -> None:
        # Text that is not UTF-8 is no error; from version 19 on it never is, and the option is gone.
        tolerant = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
        self._container = av.open(self._file, mode="r", format=header.container, **tolerant)
        if not self._container.streams.audio:
            raise AudioError(f"{self._name}: holds no audio stream")
        stream = self._container.streams.audio[0]
        codec = stream.codec_context.name if stream.codec_context else "an unknown codec"
        if codec not in _CODECS and not codec.startswith("pcm_"):
            raise AudioError(f"{self._name}: audio coded as {codec} is not supported; convert it first")
        self.format = header.container.upper()
        self.subtype = codec.upper()
        self._lossy = not codec.startswith(_EXACT)
        stream.codec_context.thread_count = 1
        self.failure = ""
        self.lost: list[Lost] = []
        self._made = 0  # samples so far
        # Not planar: PyAV reads beyond the planes of frames with eight channels.
        self._packed = av.AudioResampler(format="flt")
        # AAC can turn out to have twice the rate that its container says, so the first decoded frame decides.
        self.sample_rate, self.channels = 0, 0
        self.speakers: tuple[str, ...] = ()
        self._parts = self._decode(stream)
        self._held = next(self._parts, np.zeros((1, 0), dtype=np.float32))
        if self._held.shape[1] == 0:
            raise AudioError(f"{self._name}: holds no audio{f' ({self.failure})' if self.failure else ''}")
        # The lengths that these containers give are rounded, MP4's mostly to milliseconds: nothing is cut off by them.
        self.exact_length = False
        self.n_declared = self._declared(stream)

    def _declared(self, stream: Any) -> int | None:
        if self.format == "AAC":
            return None  # FFmpeg would guess from the bitrate
        if stream.duration and stream.time_base:
            return int(stream.duration * stream.time_base * self.sample_rate)
        return int(self._container.duration * self.sample_rate / 1_000_000) if self._container.duration else None

    def _decode(self, stream: Any) -> Iterator[np.ndarray]:
        """Decode packet by packet; a damaged one becomes silence of its length."""
        waiting = Fraction(0)  # seconds lost before the first frame
        odd = 0
        for packet, missing in self._packets(stream):
            try:
                frames = packet.decode()
            except self._errors as error:
                self._reason = _reason(error)
                frames, missing = [], missing + self._seconds(packet)
            if not self.sample_rate and frames:
                self._begin(frames[0])
            if not self.sample_rate:
                waiting += missing
                continue
            yield from self._silence(waiting + missing)
            waiting = Fraction(0)
            for frame in frames:
                if (frame.sample_rate, len(frame.layout.channels)) == (self.sample_rate, self.channels):
                    odd = 0
                    yield from self._samples(frame)
                    continue
                odd += 1
                if odd >= _MOST_ODD:
                    self.failure = "its sample rate or its channels change there"
                    return
                yield from self._silence(Fraction(frame.samples, frame.sample_rate or self.sample_rate))

    def _begin(self, frame: Any) -> None:
        self.sample_rate, self.channels = frame.sample_rate, len(frame.layout.channels)
        self.speakers = tuple(channel.name for channel in frame.layout.channels)

    def _packets(self, stream: Any) -> Iterator[tuple[Any, Fraction]]:
        """Packets, each with the seconds that are missing before it; `failure` says why they end early."""
        expected: int | None = None
        try:
            for index, packet in enumerate(self._container.demux(stream)):
                missing = self._missing.get(index, 0) * self._seconds(packet)
                if self.format in _TIMED and packet.pts is not None and packet.duration:
                    late = 0 if expected is None else packet.pts - expected
                    if late > 1.5 * packet.duration:
                        missing = late * Fraction(packet.time_base)
                    expected = packet.pts + packet.duration
                yield packet, missing
            self.failure = self._remark
        except self._errors as error:
            self.failure = _reason(error)

    def _seconds(self, packet: Any) -> Fraction:
        if packet.duration and packet.time_base:
            return Fraction(packet.duration) * Fraction(packet.time_base)
        return Fraction(_FRAME, self.sample_rate) if self.sample_rate and packet.size else Fraction(0)

    def _samples(self, frame: Any) -> Iterator[np.ndarray]:
        for part in self._packed.resample(frame):
            samples = part.to_ndarray().reshape(-1, self.channels).T
            if self._lossy and not np.abs(samples).max(initial=0.0) <= _LOUDEST:  # not finite, or wrong bits
                yield from self._silence(Fraction(samples.shape[1], self.sample_rate))
                continue
            self._made += samples.shape[1]
            yield samples

    def _silence(self, seconds: Fraction) -> Iterator[np.ndarray]:
        n = round(min(seconds, Fraction(_MOST_SILENCE)) * self.sample_rate)
        if n > 0:
            self.lost.append(Lost(self._made, n))
            self._made += n
            yield np.zeros((self.channels, n), dtype=np.float32)

    def read(self, n: int) -> np.ndarray:
        """The next at most n samples, (channels, m) float32; m = 0 at the end."""
        parts = [self._held]
        got = self._held.shape[1]
        while got < n:
            part = next(self._parts, None)
            if part is None:
                break
            parts.append(part)
            got += part.shape[1]
        joined = np.concatenate(parts, axis=1)
        self._held = joined[:, n:]
        return np.ascontiguousarray(joined[:, :n])

    def jump(self, n: int) -> bool:
        """Return False: FFmpeg's seeking is not exact to the sample in all formats."""
        return False

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
        self._file.close()


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).splitlines()[0] if str(error) else type(error).__name__
