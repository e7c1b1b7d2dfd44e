"""libsndfile, read front to back, for files whose headers have passed our own inspection."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile

from celesta._files import printable
from celesta.audio._headers import Header
from celesta.audio._lost import Lost
from celesta.audio._virtual import VirtualFile
from celesta.errors import AudioError

STEP = 4_096  # frames a libsndfile call: what is lost of a damaged file behind its last good block
_FORMATS = {"WAV": ("WAV", "WAVEX"), "RF64": ("RF64",), "W64": ("W64",), "AIFF": ("AIFF",), "AU": ("AU",)}
_PLAIN = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_PACKED = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")


class Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A SoundFile read front to back only.

    For files that can seek, soundfile follows each read by a seek to where it already is. In Opus files that yields
    wrong samples, in FLAC files of unknown length an error, and always lost time.
    """

    def seekable(self) -> bool:
        """Return False, whatever the file can do."""
        return False


class ResumingDecoder:
    """What decoders share that go on behind damage: an opened file, its samples, and silence for what is lost.

    A subclass sets ``channels`` and fills ``_held``, samples (n, channels), or ``_silent`` in `_refill`.
    """

    channels: int
    exact_length = True
    speakers: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.failure = ""
        self.lost: list[Lost] = []
        self._file: Forward | None = None
        self._bytes: VirtualFile | None = None
        self._held: np.ndarray = np.zeros((0, 1), dtype=np.float32)
        self._silent = 0

    def read(self, n: int) -> np.ndarray:
        """The next at most n samples, (channels, m) float32; m = 0 at the end."""
        parts = [np.zeros((0, self.channels), dtype=np.float32)]
        got = 0
        while got < n:
            if self._silent:
                part = np.zeros((min(self._silent, n - got), self.channels), dtype=np.float32)
                self._silent -= len(part)
            else:
                if not len(self._held) and not self._refill():
                    break
                part, self._held = self._held[: n - got], self._held[n - got :]
            got += len(part)
            parts.append(part)
        return np.ascontiguousarray(self._ordered(np.concatenate(parts).T))

    def _refill(self) -> bool:
        """Decode some samples, or note a stretch of silence; False at the end."""
        raise NotImplementedError

    def _ordered(self, samples: np.ndarray) -> np.ndarray:
        """Put channels (channels, n) of the format's order into WAV's."""
        return samples

    def jump(self, n: int) -> bool:
        """Return False: the decoder cannot jump exactly."""
        return False

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _close_bytes(self) -> None:
        if self._bytes is not None:
            self._bytes.close()
            self._bytes = None

    def close(self) -> None:
        """Close the file."""
        self._close_file()
        self._close_bytes()


class SoundFileDecoder:
    """A file decoded by libsndfile."""

    def __init__(self, path: Path, header: Header) -> None:
        self._bytes = VirtualFile(path, header.pieces) if header.pieces else None
        try:
            self._file = Forward(self._bytes or native_path(path))
        except (OSError, RuntimeError) as error:
            raise AudioError(f"{printable(path)}: cannot be decoded ({reason(error)})") from error
        self.format: str = self._file.format
        self.subtype: str = self._file.subtype
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self._frames: int = self._file.frames if 0 < self._file.frames < 2**62 else 0
        self.n_declared: int | None = header.n_samples or self._frames or None
        self.exact_length = True
        self.speakers = header.speakers
        self.failure = ""
        self.lost: list[Lost] = []
        if self.format not in _FORMATS[header.container] or self.subtype not in _PLAIN + _PACKED:
            self.close()
            what = f"{self.format} with {self.subtype}"
            raise AudioError(f"{printable(path)}: {what} is not supported; convert it, for example to FLAC")

    def read(self, n: int) -> np.ndarray:
        """The next at most n samples, (channels, m) float32; m = 0 at the end."""
        parts = [np.zeros((0, self.channels), dtype=np.float32)]
        got = 0
        while got < n and not self.failure:
            try:
                part = self._file.read(min(STEP, n - got), dtype="float32", always_2d=True)
            except (OSError, RuntimeError) as error:
                self.failure = reason(error)
                break
            if len(part) == 0:
                break
            parts.append(part)
            got += len(part)
        return np.ascontiguousarray(np.concatenate(parts).T)

    def jump(self, n: int) -> bool:
        """Leave out n samples at once, where that is exact; False where it is not."""
        if self.subtype not in _PLAIN or not 0 < n < self._frames:
            return False
        try:
            self._file.seek(n, soundfile.SEEK_CUR)
        except (OSError, RuntimeError):
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._bytes is not None:
            self._bytes.close()


def native_path(path: Path) -> str | bytes:
    """The path as soundfile takes it whatever bytes its name holds."""
    return os.fsencode(path) if os.name == "posix" else os.fspath(path)


def reason(error: BaseException) -> str:
    """One line out of soundfile's errors."""
    text = str(getattr(error, "error_string", "") or error).strip().removeprefix("Error :").strip().rstrip(".")
    return (text.splitlines() or ["damaged data"])[0]
