"""One MPEG audio stream: as it is found in a file, and as the decoder gets it."""

from __future__ import annotations

from dataclasses import dataclass, field

from celesta.audio._mpeg_frames import Frame, Xing, front_gap, silent_frame, trimmed_length, xing_frame
from celesta.audio._virtual import Piece


@dataclass(frozen=True)
class Stream:
    """One MPEG audio stream of a file; joined files have several.

    Attributes:
        sample_rate: Hz.
        channels: 1 or 2.
        layer: 1, 2 or 3.
        pieces: The virtual file for the decoder.
        n_samples: Samples per channel that it decodes to.
        lost: Start and number of the samples that silence stands for.
        promised: Samples per channel by its own header, where the file is cut short; otherwise None.
        faithful: Whether its own Xing header is right and nothing is lost.
    """

    sample_rate: int
    channels: int
    layer: int
    pieces: tuple[Piece, ...]
    n_samples: int
    lost: tuple[tuple[int, int], ...]
    promised: int | None
    faithful: bool


@dataclass
class Gap:
    """Frames that are lost in a stream."""

    piece: int  # index of the silent frames among the pieces
    first: int
    frames: int
    most: int  # frames that can have stood there


@dataclass
class OpenStream:
    """A stream that is being walked."""

    frame: Frame
    start: int
    xing: Xing | None
    pieces: list[Piece] = field(default_factory=list)
    frames: int = 0
    n_bytes: int = 0  # of its good frames
    last: int | None = None  # offset of the latest good frame, if nothing stands between it and the next
    gaps: list[Gap] = field(default_factory=list)

    def add(self, start: int, stop: int, frames: int, last: int) -> None:
        self.frames += frames
        self.n_bytes += stop - start
        self.last = last
        if self.pieces and isinstance(self.pieces[-1], tuple) and self.pieces[-1][1] == start:
            start = self.pieces.pop()[0]  # type: ignore[assignment]
        self.pieces.append((start, stop))

    def drop_last(self) -> None:
        """Take the latest frame away again."""
        piece = self.pieces.pop()
        assert self.last is not None
        assert isinstance(piece, tuple)
        self.n_bytes -= piece[1] - self.last
        self.frames -= 1
        if self.last > piece[0]:
            self.pieces.append((piece[0], self.last))
        self.last = None

    def finish(self, size: int) -> Stream:
        """Turn what was walked in a file of a size into a stream for the decoder."""
        kind, xing, frames = self.frame, self.xing, self.frames
        lame = xing.lame if xing else b""
        promised = None
        if xing and xing.frames:
            frames += self._fit(xing.frames)
            cut = xing.n_bytes is None or self.start + xing.n_bytes > size
            if xing.frames > frames and cut:
                promised = xing.promised_samples(kind)
                if lame:  # the padding at the end is among what is missing
                    lame = lame[:22] + bytes([lame[22] & 0xF0, 0]) + lame[24:]
        head, delay, n = b"", 0, frames * kind.samples
        if kind.layer == 3:
            head, delay, n = xing_frame(kind.header, frames, lame), front_gap(lame), trimmed_length(n, lame)
        lost = []
        for gap in self.gaps:
            start = max(0, gap.first * kind.samples - delay)
            stop = min(n, (gap.first + gap.frames) * kind.samples - delay)
            if stop > start:
                lost.append((start, stop - start))
        return Stream(
            sample_rate=kind.sample_rate,
            channels=1 if kind.mono else 2,
            layer=kind.layer,
            pieces=(head, *self.pieces),
            n_samples=n,
            lost=tuple(lost),
            promised=promised,
            faithful=xing is not None and xing.frames == frames and len(self.pieces) == 1 and kind.layer == 3,
        )

    def _fit(self, promised: int) -> int:
        """Correct the estimated length of the largest gap by the number of frames in the Xing header."""
        gaps = [gap for gap in self.gaps if gap.piece >= 0]
        more = promised - self.frames
        if not gaps or not more:
            return 0
        gap = max(gaps, key=lambda one: one.frames)
        filled = self.pieces[gap.piece]
        assert isinstance(filled, bytes)
        silent = len(filled) // self.frame.size + more
        if not 0 <= silent <= gap.most:
            return 0
        gap.frames += more
        for other in self.gaps[self.gaps.index(gap) + 1 :]:
            other.first += more
        self.pieces[gap.piece] = silent_frame(self.frame) * silent
        return more
