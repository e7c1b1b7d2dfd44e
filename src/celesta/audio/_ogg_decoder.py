"""Vorbis and Opus, decoded by libsndfile; goes on behind damaged pages and into chained streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from celesta._files import printable
from celesta.audio._layout import from_vorbis
from celesta.audio._lost import Lost
from celesta.audio._ogg import Link, OggFile, Page, opus_durations
from celesta.audio._soundfile import STEP, Forward, ResumingDecoder, native_path, reason
from celesta.audio._virtual import Piece, VirtualFile
from celesta.errors import AudioError

_LONGEST_GAP = 600  # seconds of silence in one place: more is a wrong number rather than a damaged disk
_OPUS_RATE = 48_000  # of the positions in Opus pages


class OggDecoder(ResumingDecoder):
    """A Vorbis or Opus file.

    libsndfile leaves damaged pages out without a word. So a file that is not clean is decoded in runs of good pages:
    the position in each page tells where its run belongs, and silence fills what is between.
    """

    format = "OGG"

    def __init__(self, path: Path, ogg: OggFile) -> None:
        super().__init__()
        self._path, self._ogg = path, ogg
        if not any(link.runs for link in ogg.links):
            raise AudioError(f"{printable(path)}: holds no undamaged Vorbis or Opus page; it cannot be decoded")
        try:
            self._file = Forward(native_path(path) if ogg.as_it_is else self._virtual(ogg.links[0], None))
        except (OSError, RuntimeError) as error:
            self.close()
            raise AudioError(f"{printable(path)}: cannot be decoded ({reason(error)})") from error
        self.subtype: str = self._file.subtype
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        frames = self._file.frames
        self._runs = [(link, run) for link in ogg.links for run in link.runs]
        self._base = 0  # of the link that is being decoded, in samples of the file
        self._index = 0
        self._position = 0
        self._drop = 0
        if ogg.clean:
            self.n_declared: int | None = frames if 0 < frames < 2**62 else None
        else:
            self.n_declared = sum(self._last_position(link) for link in ogg.links) or None
            self._start()

    def _virtual(self, link: Link, run: list[Page] | None) -> VirtualFile:
        """The link's headers and a run of its pages, all of them where run is None."""
        self._close_bytes()
        pages = [page for one in link.runs for page in one] if run is None else run
        headers = link.headers if run is None or self._is_front(link, run) else link.resumed
        pieces: list[Piece] = [*headers, *(piece for page in pages for piece in page.pieces)]
        self._bytes = VirtualFile(self._path, pieces)
        return self._bytes

    @staticmethod
    def _is_front(link: Link, run: list[Page]) -> bool:
        return run[0].number == len(link.headers)

    def _samples_at(self, link: Link, granule: int) -> int:
        """Position of a page's last sample from the link's start, in samples of the file."""
        if self.subtype == "OPUS":
            return max(0, granule - link.pre_skip) * self.sample_rate // _OPUS_RATE
        return max(0, granule)

    def _last_position(self, link: Link) -> int:
        granules = [page.granule for run in link.runs for page in run if page.granule >= 0]
        return self._samples_at(link, granules[-1]) if granules else 0

    def _start(self) -> bool:
        """Go to the run at the index: what is lost before it, and its decoder. False where there is none."""
        if self._index >= len(self._runs):
            return False
        link, run = self._runs[self._index]
        if self._index and link is not self._runs[self._index - 1][0]:
            self._base = self._position
        begin = self._base + self._begin(link, run)
        gap = begin - self._position
        if not 0 <= gap <= _LONGEST_GAP * self.sample_rate:
            self._drop, gap = max(0, -gap), 0
        if gap:
            self.lost.append(Lost(self._position, gap))
            self._silent = gap
            self._position += gap
        self._file = self._open(link, run)
        return True

    def _begin(self, link: Link, run: list[Page]) -> int:
        """Position of the first sample that a run decodes to, from the link's start.

        It is the position at the end of the first page that has one, less the samples up to there.
        """
        if self._is_front(link, run):
            return 0
        place = next((i for i, page in enumerate(run) if page.granule >= 0), None)
        if place is None:
            return self._position - self._base
        granule = run[place].granule
        if self.subtype == "OPUS":
            with open(self._path, "rb") as file:
                first = granule - link.pre_skip - sum(opus_durations(file, run[: place + 1]))
            return max(0, first * self.sample_rate // _OPUS_RATE)
        decoder = self._open(link, run[: place + 1])
        n = 0
        while part := len(self._decode(decoder)):
            n += part
        return max(0, granule - n)

    def _open(self, link: Link, run: list[Page]) -> Forward | None:
        """A decoder for a run; None where it cannot be decoded or does not fit to the first stream."""
        self._close_file()
        try:
            decoder = Forward(self._virtual(link, run))
        except (OSError, RuntimeError):
            return None
        if (decoder.samplerate, decoder.channels) != (self.sample_rate, self.channels):
            self.failure = "a stream with another sample rate or other channels follows and is left out"
            return None
        return decoder

    def _decode(self, decoder: Forward | None) -> np.ndarray:
        nothing = np.zeros((0, self.channels), dtype=np.float32)
        if decoder is None:
            return nothing
        try:
            samples: np.ndarray = decoder.read(STEP, dtype="float32", always_2d=True)
        except (OSError, RuntimeError) as error:
            if self._ogg.clean:
                self.failure = reason(error)
            return nothing
        return samples

    def _refill(self) -> bool:
        """Decode some samples, or note a stretch of silence; False at the end."""
        while True:
            samples = self._decode(self._file)
            if len(samples):
                dropped = min(self._drop, len(samples))
                self._drop -= dropped
                self._held = samples[dropped:]
                self._position += len(self._held)
                if len(self._held):
                    return True
                continue
            self._index += 1
            if self._ogg.clean or self.failure or not self._start():
                self.failure = self.failure or self._ogg.remark
                return False
            if self._silent:
                return True

    def _ordered(self, samples: np.ndarray) -> np.ndarray:
        return from_vorbis(samples)
