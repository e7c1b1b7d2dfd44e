"""MP3, MP2 and MP1, decoded by libsndfile (libmpg123), one joined stream after the other."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from celesta._files import printable
from celesta.audio._lost import Lost
from celesta.audio._mpeg import Mpeg
from celesta.audio._soundfile import STEP, Forward, ResumingDecoder, native_path, reason
from celesta.audio._stderr import caught_stderr
from celesta.audio._virtual import VirtualFile
from celesta.errors import AudioError

# libsndfile estimates the length of a Layer I or II file by its size and stops there, so the size is given too large.
_EXTRA = 1 << 30
_LOUDEST = 8.0  # 18 dB above full scale: no encoder makes that
_GRANULE = 1_152  # samples about such a place that one wrong frame can have spoilt


class MpegDecoder(ResumingDecoder):
    """An MPEG audio file. Streams joined in one file are read one after the other."""

    format = "MP3"

    def __init__(self, path: Path, mpeg: Mpeg) -> None:
        super().__init__()
        self._path = path
        self._mpeg = mpeg
        if not mpeg.streams:
            raise AudioError(f"{printable(path)}: holds no complete MPEG frame{_brackets(mpeg.remark)}")
        first = mpeg.streams[0]
        self.subtype = f"MPEG_LAYER_{'I' * first.layer}"
        self.sample_rate, self.channels = first.sample_rate, first.channels
        self._streams = [s for s in mpeg.streams if s.sample_rate == first.sample_rate]
        self._odd = ""
        for index, stream in enumerate(mpeg.streams):
            if stream.sample_rate != first.sample_rate:
                self._streams = list(mpeg.streams[:index])
                self._odd = f"a part with another sample rate ({stream.sample_rate} Hz) follows and is left out"
                break
        self.n_declared: int | None = sum(s.promised or s.n_samples for s in self._streams)
        self._index = -1
        self._position = 0  # in the file
        self._left = 0  # samples of the stream that is being decoded
        self._waiting: list[Lost] = []
        self._next()

    def _next(self) -> bool:
        """Open the next stream; False behind the last one."""
        self.close()
        self._index += 1
        if self._index >= len(self._streams):
            return False
        stream = self._streams[self._index]
        self._left = stream.n_samples
        self._waiting += [Lost(self._position + start, n) for start, n in stream.lost]
        plain = stream.faithful and len(self._mpeg.streams) == 1 and not self._mpeg.remark
        if not plain:
            self._bytes = VirtualFile(self._path, stream.pieces, 0 if stream.layer == 3 else _EXTRA)
        with caught_stderr():
            try:
                self._file = Forward(self._bytes or native_path(self._path))  # the latter is faster
            except (OSError, RuntimeError) as error:
                self.close()
                if self._index == 0 and len(self._streams) == 1:
                    raise AudioError(f"{printable(self._path)}: cannot be decoded ({reason(error)})") from error
        return True

    def read(self, n: int) -> np.ndarray:
        """The next at most n samples, (channels, m) float32; m = 0 at the end."""
        samples = super().read(n)
        while self._waiting and self._waiting[0].start < self._position:
            self.lost.append(self._waiting.pop(0))
        return samples

    def _refill(self) -> bool:
        """Decode some samples, always in the same steps; False at the end."""
        while not self._left:
            if not self._next():
                self.failure = "; ".join(filter(None, (self._odd, self._mpeg.remark)))
                return False
        self._held = self._fit(self._decode(min(STEP, self._left)))
        self._left -= len(self._held)
        self._position += len(self._held)
        return True

    def _decode(self, n: int) -> np.ndarray:
        """Decode n samples; what the decoder does not give is silent and lost."""
        stream = self._streams[self._index]
        samples: np.ndarray = np.zeros((0, stream.channels), dtype=np.float32)
        complaints: list[str] = []
        if self._file is not None:
            with contextlib.suppress(OSError, RuntimeError), caught_stderr() as complaints:
                samples = self._file.read(n, dtype="float32", always_2d=True)
        if len(samples) < n:
            self.lost.append(Lost(self._position + len(samples), n - len(samples)))
            samples = np.concatenate([samples, np.zeros((n - len(samples), stream.channels), dtype=np.float32)])
        if np.abs(samples).max(initial=0.0) > _LOUDEST:  # wrong bits that decode nevertheless
            loud = np.flatnonzero((np.abs(samples) > _LOUDEST).any(axis=1))
            first, last = max(0, int(loud[0]) - _GRANULE), min(n, int(loud[-1]) + _GRANULE)
            samples[first:last] = 0.0
            self.lost.append(Lost(self._position + first, last - first))
        if any("error" in line for line in complaints):
            self.lost.append(Lost(self._position, 0))
        return samples

    def _fit(self, part: np.ndarray) -> np.ndarray:
        """Give a joined stream the channels of the first one."""
        if part.shape[1] == self.channels:
            return part
        if self.channels == 1:
            mean: np.ndarray = part.mean(axis=1, keepdims=True, dtype=np.float64)
            return mean.astype(np.float32)
        return np.repeat(part, 2, axis=1)


def _brackets(text: str) -> str:
    return f" ({text})" if text else ""
