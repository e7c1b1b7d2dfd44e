"""Decoders behind one small face: blocks of (channels, n) float32 from one file, front to back."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile

from celesta.audio._headers import Header
from celesta.audio._mpeg import Mpeg
from celesta.audio._ogg import ogg_remark
from celesta.audio._pyav import AvDecoder
from celesta.errors import AudioError

_STEP = 4_096  # frames a libsndfile call: what a damaged FLAC file loses behind its last good block
_FORMATS = {"WAV": ("WAV", "WAVEX"), "RF64": ("RF64",), "W64": ("W64",), "AIFF": ("AIFF",), "AU": ("AU",)}
_FORMATS |= {"FLAC": ("FLAC",), "OGG": ("OGG",), "MP3": ("MP3",)}
_PLAIN = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_PACKED = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")


class Decoder(Protocol):
    """One opened audio file."""

    format: str
    subtype: str
    sample_rate: int
    channels: int
    n_declared: int | None  # samples a channel by the file's own account; None where it gives none
    exact_length: bool  # whether that account is exact
    failure: str  # why decoding stopped before the end, "" where it did not

    def read(self, n: int) -> np.ndarray:
        """The next at most n samples, (channels, m) float32; m = 0 at the end."""

    def jump(self, n: int) -> bool:
        """Leave out n samples at once, where that is exact; False where it is not."""

    def close(self) -> None:
        """Close the file."""


def open_decoder(path: Path, header: Header) -> Decoder:
    """Open an audio file with the decoder for it.

    Args:
        path: The file.
        header: What `inspect` found in it.

    Raises:
        AudioError: It cannot be decoded.
        MissingExtraError: It needs PyAV, which is not installed.
    """
    return AvDecoder(path, header) if header.needs_av else SoundFileDecoder(path, header)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A SoundFile read front to back only.

    For files that can seek, soundfile follows each read by a seek to where it already is. In Opus files that yields
    wrong samples, in FLAC files of unknown length an error, and always lost time.
    """

    def seekable(self) -> bool:
        return False


class _Prefixed(io.RawIOBase):
    """An MPEG file from its first frame on, with some bytes put before it."""

    def __init__(self, path: Path, mpeg: Mpeg) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  (closed by close())
        self._prefix, self._start = mpeg.prefix, mpeg.start
        self._size = len(mpeg.prefix) + path.stat().st_size - mpeg.start
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._prefix[self._at : self._at + len(view)]
        if len(data) < len(view):
            self._file.seek(self._start + self._at + len(data) - len(self._prefix))
            data += self._file.read(len(view) - len(data))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class SoundFileDecoder:
    """A file decoded by libsndfile, whose header has passed our own inspection."""

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._mpeg = header.mpeg
        self._bytes = _Prefixed(path, header.mpeg) if header.mpeg else None
        try:
            self._file = _Forward(self._bytes or native_path(path))
        except (OSError, RuntimeError) as error:
            if self._bytes:
                self._bytes.close()
            raise AudioError(f"{path}: can't be decoded ({_reason(error)})") from error
        self.format: str = self._file.format
        self.subtype: str = self._file.subtype
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self._frames: int = self._file.frames if 0 < self._file.frames < 2**62 else 0
        self.n_declared: int | None = header.n_samples or self._frames or None
        if header.mpeg and header.mpeg.prefix:
            self.n_declared = header.mpeg.n_samples
        self.exact_length = True
        self.failure = ""
        if self.format not in _FORMATS[header.container] or self.subtype not in _PLAIN + _PACKED:
            self.close()
            raise AudioError(f"{path}: {self.format} with {self.subtype} is not read; convert it first, say to FLAC")

    def read(self, n: int) -> np.ndarray:
        """The next at most n samples, (channels, m) float32; m = 0 at the end."""
        parts = [np.zeros((0, self.channels), dtype=np.float32)]
        got = 0
        while got < n and not self.failure:
            try:
                part = self._file.read(min(_STEP, n - got), dtype="float32", always_2d=True)
            except (OSError, RuntimeError) as error:
                self.failure = _reason(error)
                break
            if len(part) == 0:
                self.failure = self._remark()
                break
            parts.append(part)
            got += len(part)
        return np.ascontiguousarray(np.concatenate(parts).T)

    def _remark(self) -> str:
        if self.format == "OGG":
            return ogg_remark(self._path)
        return self._mpeg.remark if self._mpeg else ""

    def jump(self, n: int) -> bool:
        """Leave out n samples at once, where that is exact; False where it is not."""
        if self.subtype not in _PLAIN or self.format == "OGG" or not 0 < n < self._frames:
            return False
        try:
            self._file.seek(n, soundfile.SEEK_CUR)
        except (OSError, RuntimeError):
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._bytes:
            self._bytes.close()


def native_path(path: Path) -> str | bytes:
    """The path as soundfile takes it whatever bytes its name holds."""
    return os.fsencode(path) if os.name == "posix" else os.fspath(path)


def _reason(error: BaseException) -> str:
    """One line out of soundfile's errors."""
    text = str(getattr(error, "error_string", "") or error).strip().removeprefix("Error :").strip().rstrip(".")
    return (text.splitlines() or ["damaged data"])[0]
