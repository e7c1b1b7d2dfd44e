"""FLAC, in its own files and in Ogg, decoded by libsndfile; goes on behind damage."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from celesta._files import printable
from celesta.audio._flac import FlacFrames, FlacHead
from celesta.audio._lost import Lost
from celesta.audio._soundfile import STEP, Forward, ResumingDecoder, reason
from celesta.audio._virtual import Piece, VirtualFile, cut
from celesta.errors import AudioError

_LONGEST_GAP = 1 << 23  # samples of silence in one place: more is a wrong number rather than a damaged disk


class FlacDecoder(ResumingDecoder):
    """A FLAC stream.

    libsndfile stops at the first damaged frame. Then the frames are looked for by their headers, which carry the
    number of their first sample: the damaged ones become silence, and decoding starts anew behind them.

    Args:
        path: The file.
        head: Its STREAMINFO.
        pieces: Where its frames stand in the file.
        container: FLAC or OGG.
    """

    def __init__(self, path: Path, head: FlacHead, pieces: Sequence[Piece], container: str = "FLAC") -> None:
        super().__init__()
        self._path, self._head, self._pieces = path, head, pieces
        self.format = container
        self._position = 0  # of the next sample to be decoded
        self._reason = ""
        self._frames: FlacFrames | None = None
        try:
            self._open(pieces)
        except (OSError, RuntimeError) as error:
            raise AudioError(f"{printable(path)}: cannot be decoded ({reason(error)})") from error
        assert self._file is not None
        self.subtype: str = "FLAC" if container == "OGG" else self._file.subtype
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.n_declared: int | None = head.n_samples or None

    def _open(self, pieces: Sequence[Piece]) -> None:
        self.close()
        self._bytes = VirtualFile(self._path, [self._head.start, *pieces])
        try:
            self._file = Forward(self._bytes)
        except (OSError, RuntimeError):
            self.close()
            raise

    def _refill(self) -> bool:
        """Decode some samples, or note a stretch of silence; False at the end."""
        if self.failure:
            return False
        samples = self._decode(self._file, STEP)
        if samples is None:
            samples = self._repair()
        self._held = samples
        self._position += len(samples)
        return bool(len(samples) or self._silent)

    def _decode(self, file: Forward | None, n: int) -> np.ndarray | None:
        """Decode at most n samples; None where the data is damaged."""
        if file is None:
            return None
        try:
            samples: np.ndarray = file.read(n, dtype="float32", always_2d=True)
        except (OSError, RuntimeError) as error:
            self._reason = reason(error)
            return None
        return samples

    def _repair(self) -> np.ndarray:
        """The rest of the frame at the position, if it is good; else nothing, and silence up to the next frame."""
        self.close()
        frames = self._index()
        index = frames.at(self._position)
        nothing = np.zeros((0, self.channels), dtype=np.float32)
        if index >= len(frames.frames):
            self.failure = "" if frames.ends_well(self._position) else self._reason
            return nothing
        frame = frames.frames[index]
        if frame.first <= self._position:
            samples, end = self._alone(index), frame.first + frame.n_samples
            self._start(index + 1, end)
            if samples is not None:
                return samples[self._position - frame.first :]
            if index + 1 == len(frames.frames) and end != self._head.n_samples:
                self.failure = self._reason  # cut off within this frame
                return nothing
            silent = end - self._position
        else:
            self._start(index, frame.first)
            silent = frame.first - self._position
        if silent > _LONGEST_GAP:
            self.failure = f"{self._reason}; the numbers of its frames jump by {silent} samples"
            return nothing
        self.lost.append(Lost(self._position, silent))
        self._silent = silent
        self._position += silent
        return nothing

    def _index(self) -> FlacFrames:
        if self._frames is None:
            stream = VirtualFile(self._path, self._pieces)
            try:
                self._frames = FlacFrames(stream, stream.size, self._head)
            finally:
                stream.close()
        return self._frames

    def _alone(self, index: int) -> np.ndarray | None:
        """Decode one frame and nothing else; None where it is damaged."""
        frames = self._index()
        expected = frames.frames[index].n_samples
        try:
            self._open(cut(self._pieces, *frames.stretch(index)))
        except (OSError, RuntimeError):
            return None
        samples = self._decode(self._file, expected)
        return samples if samples is not None and len(samples) == expected else None

    def _start(self, index: int, sample: int) -> None:
        """Decode from a frame on, if it begins with a sample; otherwise the next step is another repair."""
        self.close()
        frames = self._index()
        if index < len(frames.frames) and frames.frames[index].first == sample:
            with contextlib.suppress(OSError, RuntimeError):
                self._open(cut(self._pieces, frames.frames[index].offset, frames.size))

    def jump(self, n: int) -> bool:
        """Leave out n samples at once; False where that is not possible."""
        waiting = len(self._held) + self._silent
        if self._file is None or waiting or not 0 < n < self._head.n_samples - self._position:
            return False
        if self._frames is not None:  # the decoder's own count began behind the damage
            return False
        try:
            self._file.seek(n, soundfile.SEEK_CUR)
        except (OSError, RuntimeError):
            self._start_over()
            return False
        self._position += n
        return True

    def _start_over(self) -> None:
        """Decode again from the position on, after a jump that failed."""
        self.close()
        self._reason = "the decoder could not jump"
