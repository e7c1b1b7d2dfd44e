"""Where the audio stands in an MPEG audio file (MP3, MP2, MP1): streams, tags between them, damage.

The file is walked frame by frame, so its length is known whatever its headers say. The decoder gets a virtual file
for each stream: a Xing header with the true number of frames, the good frames, and silent frames where frames are
lost, so that the time line is kept and the decoder never has to look for the next frame itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from celesta.audio._mpeg_frames import (
    LONGEST_FRAME,
    RESERVOIR,
    Frame,
    main_data_begin,
    muted,
    parse_frame,
    parse_xing,
    silent_frame,
    sizes_by_header,
)
from celesta.audio._mpeg_stream import Gap, OpenStream, Stream
from celesta.audio._trailer import WINDOW, Window, skip_tags, skip_zeros

_SEARCH = 65_536  # bytes of padding or junk before the first frame that are tolerated
_HEADERS = (b"Xing", b"Info")


@dataclass(frozen=True)
class Mpeg:
    """All streams of an MPEG audio file.

    Attributes:
        streams: In the order of the file; at least one.
        remark: What a reader of the file misses at its end, "" if nothing.
    """

    streams: tuple[Stream, ...]
    remark: str


def find_mpeg(file: BinaryIO, at: int) -> int | None:
    """Find the first MPEG audio frame at an offset or shortly behind it; None if there is none.

    A frame right at the offset is believed; further on (padding, junk) it must be followed by another of its kind.
    """
    file.seek(at)
    data = file.read(_SEARCH + 2 * LONGEST_FRAME)
    if parse_frame(data) is not None:
        return at
    place = data.find(b"\xff")
    while 0 <= place < _SEARCH:
        one = parse_frame(data, place)
        two = parse_frame(data, place + one.size) if one else None
        if one and two and one.family[:3] == two.family[:3]:
            return at + place
        place = data.find(b"\xff", place + 1)
    return None


def inspect_mpeg(file: BinaryIO, start: int, size: int) -> Mpeg:
    """Walk the file of the given size whose first frame stands at ``start``."""
    return _Scanner(file, size).scan(start)


class _Scanner:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._window = Window(file, size)
        self._size = size
        self._streams: list[Stream] = []
        self._remark = ""

    def scan(self, start: int) -> Mpeg:
        at, stream = self._begin(start)
        while at < self._size:
            at = self._walk(at, stream)
            if at >= self._size:
                break
            behind = skip_tags(self._window, at)
            at, fresh = self._go_on(at, stream) if behind == at else self._behind_tags(behind)
            if fresh is not None:
                self._finish(stream)
                stream = fresh
        self._finish(stream)
        return Mpeg(tuple(self._streams), self._remark)

    def _begin(self, at: int) -> tuple[int, OpenStream]:
        """Start a stream at its first frame, which may hold a Xing header."""
        data = self._window.get(at, 256)
        frame = parse_frame(data)
        assert frame is not None
        xing = parse_xing(frame, data)
        return at + (frame.size if xing else 0), OpenStream(frame, at, xing)

    def _walk(self, at: int, stream: OpenStream) -> int:
        """Add frame after frame; returns where something else begins."""
        kind = stream.frame
        sizes = sizes_by_header(kind.header[1], kind.header[2] >> 2 & 3)
        mono, tag = kind.mono, 4 + kind.side_size
        start = last = at
        frames, cut = 0, False
        while True:
            head = self._window.get(at, 40)
            size = sizes.get(head[:3])
            if size is None or len(head) < 4 or (head[3] >= 0xC0) != mono:
                break
            if kind.layer == 3 and (head[tag : tag + 4] in _HEADERS or head[36:] == b"VBRI"):
                break
            if at + size > self._size:
                cut = frames + stream.frames > 0
                break
            last = at
            at += size
            frames += 1
        if frames:
            stream.add(start, at, frames, last)
        if cut:
            self._remark = "it ends within a frame"
        return self._size if cut else at

    def _behind_tags(self, at: int) -> tuple[int, OpenStream | None]:
        """Start the stream that follows tags, if there is one."""
        place = at if self._confirmed(at, None) else self._find(at, None)
        if place is None:
            self._note_rest(at)
            return self._size, None
        return self._begin(place)

    def _go_on(self, at: int, stream: OpenStream) -> tuple[int, OpenStream | None]:
        """Find the next frame behind something that is neither frame nor tag."""
        frame = parse_frame(self._window.get(at, 256))
        if frame and (parse_xing(frame, self._window.get(at, 256)) or self._confirmed(at, None)):
            return self._begin(at)
        place = self._find(at if stream.last is None else stream.last + 4, stream.frame)
        if place is None:
            self._note_rest(at)
            return self._size, None
        data = self._window.get(place, 256)
        frame = parse_frame(data)
        assert frame is not None
        if parse_xing(frame, data) or frame.family != stream.frame.family:
            return self._begin(place)
        lost = self._bridge(at, place, stream)
        return (self._recover(place, stream) if lost else place), None

    def _bridge(self, at: int, place: int, stream: OpenStream) -> int:
        """Put silent frames where frames are lost between the stream so far and ``place``; returns their number."""
        first = at if stream.last is None else stream.last
        n = max(1, round((place - first) / self._mean_size(first, place, stream)))
        if stream.last is not None:
            tail = self._window.get(max(first, at - 8), 9)
            blank = n > 1 and len(set(tail)) == 1 and at - first > 8  # the damage began in the frame before
            if place < at or blank:
                stream.drop_last()
            else:
                n -= 1
        if place > at or n:
            stream.gaps.append(Gap(len(stream.pieces), stream.frames, n, (place - first) // 24 + 1))
            stream.pieces.append(silent_frame(stream.frame) * n)
            stream.frames += n
        stream.last = None
        return n

    def _mean_size(self, first: int, place: int, stream: OpenStream) -> float:
        """Mean size of frames around a gap: over the stream where the bitrate is constant, else of the neighbours."""
        near = [f.size for f in (parse_frame(self._window.get(i, 4)) for i in (first, place)) if f]
        mean = stream.n_bytes / stream.frames if stream.frames > 8 else 0.0
        constant = all(abs(size - mean) < 2 for size in near)
        return mean if constant and mean else sum(near) / len(near)

    def _recover(self, at: int, stream: OpenStream) -> int:
        """Mute the Layer III frames behind a gap that need bytes from within the gap."""
        if stream.frame.layer != 3 or not stream.gaps:
            return at
        have = 0
        while have < RESERVOIR[stream.frame.first]:
            frame = parse_frame(self._window.get(at, 4))
            if frame is None or frame.family != stream.frame.family or at + frame.size > self._size:
                break
            data = self._window.get(at, frame.size)
            if main_data_begin(frame, data) > have:
                stream.pieces.append(muted(frame, data))
                gap = stream.gaps[-1]
                if gap.first + gap.frames == stream.frames:
                    gap.frames += 1
                else:
                    stream.gaps.append(Gap(-1, stream.frames, 1, 1))
                stream.frames += 1
                stream.last = None
            else:
                stream.add(at, at + frame.size, 1, at)
            have += frame.size - frame.side_start - frame.side_size
            at += frame.size
        return at

    def _find(self, at: int, kind: Frame | None) -> int | None:
        """Offset of the next frame that is followed by others of its kind."""
        while at < self._size - 4:
            data = self._window.get(at, min(WINDOW, self._size - at))
            place = data.find(b"\xff")
            while place >= 0:
                if place + 1 < len(data) and data[place + 1] >= 0xE0 and self._confirmed(at + place, kind):
                    return at + place
                place = data.find(b"\xff", place + 1)
            at += len(data) - 1 if len(data) > 1 else 1
        return None

    def _confirmed(self, at: int, kind: Frame | None) -> bool:
        """Whether a chain of frames begins at an offset: two of a known kind, four of any kind, or to the end."""
        first = parse_frame(self._window.get(at, 4))
        if first is None:
            return False
        known = kind is not None and first.family == kind.family
        frame: Frame | None = first
        for _ in range(1 if known else 3):
            assert frame is not None
            at += frame.size
            if at == self._size or (at < self._size and skip_tags(self._window, at) > at):
                return True
            frame = parse_frame(self._window.get(at, 4))
            if frame is None or frame.family != first.family:
                return False
        return True

    def _note_rest(self, at: int) -> None:
        """Remark on bytes behind the last frame, unless they are zeros or too few for a frame."""
        if self._size - at >= 4 and skip_zeros(self._window, at) < self._size:
            self._remark = f"the last {self._size - at} bytes are not MPEG audio"

    def _finish(self, stream: OpenStream) -> None:
        if stream.frames:
            self._streams.append(stream.finish(self._size))
