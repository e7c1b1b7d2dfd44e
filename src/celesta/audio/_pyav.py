"""M4A, AAC, WMA and the sound of videos, by PyAV (the extra `celesta[av]`).

FFmpeg gets an opened file and the one demuxer that we named after looking at the file, never a path: so no
protocol, no playlist and no reference to another file can be followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from celesta.audio._headers import Header
from celesta.audio._lost import Lost
from celesta.errors import AudioError, MissingExtraError

_CODECS = {"aac", "alac", "mp3", "mp3float", "mp2", "mp2float", "opus", "libopus", "vorbis", "libvorbis", "flac"}
_CODECS |= {"ac3", "eac3", "wmav1", "wmav2", "wmapro", "wmalossless"}


class AvDecoder:
    """A file decoded by FFmpeg; the first stream of sound that it holds."""

    def __init__(self, path: Path, header: Header) -> None:
        try:
            import av
        except ImportError as error:
            raise MissingExtraError(f"{path}: {header.container} files need PyAV; pip install 'celesta[av]'") from error
        self._error: type[Exception] = av.error.FFmpegError
        self._file = open(path, "rb")  # noqa: SIM115  (closed by close())
        self._container: Any = None
        try:
            self._open(av, path, header)
        except AudioError:
            self.close()
            raise
        except (self._error, ValueError, IndexError, OSError, UnicodeError) as error:
            self.close()
            raise AudioError(f"{path}: can't be decoded ({_reason(error)})") from error

    def _open(self, av: Any, path: Path, header: Header) -> None:
        self._container = av.open(self._file, mode="r", format=header.container, metadata_errors="replace")
        if not self._container.streams.audio:
            raise AudioError(f"{path}: holds no stream of sound")
        stream = self._container.streams.audio[0]
        codec = stream.codec_context.name if stream.codec_context else "something unknown"
        if codec not in _CODECS and not codec.startswith("pcm_"):
            raise AudioError(f"{path}: sound compressed as {codec} is not read; convert it first")
        self.format = header.container.upper()
        self.subtype = codec.upper()
        stream.codec_context.thread_count = 1
        self.failure = ""
        self.lost: list[Lost] = []
        self._planar = av.AudioResampler(format="fltp")
        self._frames = self._decode(stream)
        # AAC can turn out to have twice the rate that its container says, so the first decoded frame decides.
        self.sample_rate, self.channels = 0, 0
        self._held = next(self._frames, np.zeros((1, 0), dtype=np.float32))
        if self._held.shape[1] == 0:
            raise AudioError(f"{path}: holds no sound{f' ({self.failure})' if self.failure else ''}")
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
        try:
            for frame in self._container.decode(stream):
                if not self.sample_rate:
                    self.sample_rate, self.channels = frame.sample_rate, len(frame.layout.channels)
                if (frame.sample_rate, len(frame.layout.channels)) != (self.sample_rate, self.channels):
                    self.failure = "its rate or channels change midway"
                    return
                for part in self._planar.resample(frame):
                    yield part.to_ndarray()
        except (self._error, ValueError, OSError) as error:
            self.failure = _reason(error)

    def read(self, n: int) -> np.ndarray:
        """The next at most n samples, (channels, m) float32; m = 0 at the end."""
        parts = [self._held]
        got = self._held.shape[1]
        while got < n:
            part = next(self._frames, None)
            if part is None:
                break
            parts.append(part)
            got += part.shape[1]
        whole = np.concatenate(parts, axis=1)
        self._held = whole[:, n:]
        return np.ascontiguousarray(whole[:, :n])

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
