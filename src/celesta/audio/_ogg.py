"""Ogg pages: which are whole, to which stream they belong, and FLAC in Ogg.

Source: RFC 3533 (pages), RFC 3534 (chaining), RFC 7845 (Opus in Ogg), RFC 9639 section 10.1 (FLAC in Ogg), Vorbis I
specification appendix A (Vorbis in Ogg).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import BinaryIO

from celesta.audio._flac import FlacHead
from celesta.audio._trailer import Window, skip_tags, skip_zeros
from celesta.audio._virtual import Piece

_CONTINUED, _FIRST, _LAST = 1, 2, 4  # flags of a page
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_MOST_AHEAD = 48_000  # samples at 48 kHz that a position in an Opus page may be wrong
_HEADER_PACKETS = {b"\x01vorbis": 3, b"OpusHead": 2}


@dataclass(frozen=True)
class Page:
    """One page of an Ogg file."""

    start: int
    body: int  # offset of its body
    stop: int
    flags: int
    granule: int  # -1 where no packet ends on it
    serial: int
    number: int
    packets: int  # that end on it
    good: bool  # whether its checksum is right
    head: bytes = b""  # its first bytes for the decoder, where they differ from the file's

    @property
    def pieces(self) -> list[Piece]:
        """The page for a decoder."""
        return [self.head, (self.start + len(self.head), self.stop)]


@dataclass
class Link:
    """One logical stream of a file; chained files have several.

    Attributes:
        headers: Pages of its header packets.
        runs: Runs of its good pages without a gap between them.
        opus: Whether it is an Opus stream.
        pre_skip: Samples at 48 kHz that an Opus decoder leaves out at the front.
        resumed: The headers for a run that does not begin at the front, where nothing is to be left out.
        ended: Whether its last page is marked as such.
    """

    headers: list[Piece] = field(default_factory=list)
    runs: list[list[Page]] = field(default_factory=list)
    opus: bool = False
    pre_skip: int = 0
    resumed: list[Piece] = field(default_factory=list)
    ended: bool = False


@dataclass
class OggFile:
    """The Vorbis or Opus streams of a file.

    Attributes:
        links: In the order of the file.
        clean: Whether the file is one undamaged stream and nothing else.
        remark: What a reader misses at the end, "" if nothing.
    """

    links: list[Link]
    clean: bool
    remark: str

    @property
    def as_it_is(self) -> bool:
        """Whether a decoder can read the file itself: it is clean and no page has a corrected position."""
        return self.clean and not any(page.head for link in self.links for run in link.runs for page in run)


def ogg_checksum(data: bytes) -> int:
    """The checksum of a page whose checksum field is zero: zlib's CRC-32 with the bits the other way round."""
    crc = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


def _with_checksum(data: bytes) -> bytes:
    """The same page with the right checksum."""
    data = data[:22] + bytes(4) + data[26:]
    return data[:22] + ogg_checksum(data).to_bytes(4, "little") + data[26:]


def _pages(window: Window, at: int) -> Iterator[Page]:
    """All pages from an offset on, found anew behind damage."""
    latest = at
    while at < window.size:
        head = window.get(at, 27)
        if head[:4] != b"OggS" or len(head) < 27:
            place = _next_page(window, latest + 1)  # bytes of the page before may be missing
            at = place if place > latest else window.size
            latest = at
            continue
        latest = at
        lacing = window.get(at + 27, head[26])
        body = at + 27 + head[26]
        stop = body + sum(lacing)
        data = window.get(at, stop - at)
        whole = len(data) == stop - at and len(lacing) == head[26]
        crc = int.from_bytes(head[22:26], "little")
        yield Page(
            start=at,
            body=body,
            stop=min(stop, window.size),
            flags=head[5],
            granule=int.from_bytes(head[6:14], "little", signed=True),
            serial=int.from_bytes(head[14:18], "little"),
            number=int.from_bytes(head[18:22], "little"),
            packets=sum(value < 255 for value in lacing),
            good=whole and ogg_checksum(data[:22] + bytes(4) + data[26:]) == crc,
        )
        at = stop


def scan_ogg(file: BinaryIO, at: int, size: int) -> OggFile:
    """Walk the pages of a Vorbis or Opus file."""
    window = Window(file, size)
    result = OggFile([], True, "")
    link: Link | None = None
    serial, number, wanted, end = -1, -1, 0, at
    for page in _pages(window, at):
        begins = bool(page.flags & _FIRST) and page.good
        kind = next((k for k in _HEADER_PACKETS if window.get(page.body, 8).startswith(k)), b"") if begins else b""
        if kind and (link is None or link.ended or (page.serial != serial and link.runs)):
            link = Link()
            result.clean = result.clean and not result.links and page.start == at
            result.links.append(link)
            serial, wanted = page.serial, _HEADER_PACKETS[kind]
            data = window.get(page.start, page.stop - page.start)
            if kind == b"OpusHead":
                at_skip = page.body - page.start + 10
                link.pre_skip = int.from_bytes(data[at_skip : at_skip + 2], "little")
                data = data[:at_skip] + bytes(2) + data[at_skip + 2 :]
                data = _with_checksum(data)
                link.opus = True
            link.resumed.append(data)
        elif page.serial != serial or not page.good or link is None:
            result.clean = False
            if page.good and page.start == end:  # of another stream, which takes turns with this one
                end = page.stop
            continue
        gap = page.start != end or page.number != number + 1
        end, number = page.stop, page.number
        if wanted > 0:
            link.headers.append((page.start, page.stop))
            if page.number:
                link.resumed.append((page.start, page.stop))
            wanted -= page.packets
            continue
        if gap or not link.runs:
            result.clean = result.clean and not gap
            link.runs.append([])
        link.runs[-1].append(page)
        link.ended = bool(page.flags & _LAST)
    for opus in (one for one in result.links if one.opus):
        _correct_positions(file, opus)
    if end < size and skip_zeros(window, skip_tags(window, end)) < size:
        result.clean = False
        result.remark = "" if link and link.ended else f"the last {size - end} bytes are damaged"
    elif link is not None and not link.ended:
        result.remark = "its last page is not marked as the end"
    return result


def _correct_positions(file: BinaryIO, link: Link) -> None:
    """Make the positions in the pages of an Opus stream agree with the packets on them, and begin at 0.

    FFmpeg takes positions from the timestamps of its input, which may run ahead by some samples for a page or two. It
    decodes such files in full, as all packets are there, but libsndfile calls a page malformed that advances by less
    than its packets last. Only the last page may, as it says where the audio ends (RFC 7845, section 4.4). Positions
    that are more than a second ahead stay: audio may be missing there. A stream that begins far from 0, as a recording
    of a live stream does, is moved to 0, because libsndfile does not leave out its pre-skip.
    """
    first = 0
    for index, run in enumerate(link.runs):
        ends = list(accumulate(opus_durations(file, run)))
        ahead = [page.granule - end for page, end in zip(run, ends, strict=True)]
        inner = [n for page, n in zip(run, ahead, strict=True) if page.granule >= 0 and not page.flags & _LAST]
        front = run[0].number == len(link.headers)
        least = min(inner, default=first if front else ahead[-1])
        first = least if front else first
        start = max(0, least - first)
        link.runs[index] = [
            _moved(file, page, start + end, start - least) if page.granule >= 0 and n - least <= _MOST_AHEAD else page
            for page, end, n in zip(run, ends, ahead, strict=True)
        ]


def _moved(file: BinaryIO, page: Page, end: int, shift: int) -> Page:
    """A page with the position of its last packet's end; the last page may end earlier, where its own position says."""
    granule = max(0, min(page.granule + shift, end)) if page.flags & _LAST else end
    if granule == page.granule:
        return page
    file.seek(page.start)
    data = file.read(page.stop - page.start)
    data = _with_checksum(data[:6] + granule.to_bytes(8, "little") + data[14:])
    return replace(page, granule=granule, head=data[:26])


def opus_durations(file: BinaryIO, run: list[Page]) -> list[int]:
    """Samples at 48 kHz in the packets that end on each page and begin on these pages (RFC 6716, section 3.1)."""
    totals = []
    waiting: bytes | None = None  # the first two bytes of a packet that goes on on the next page
    for page in run:
        total = 0
        file.seek(page.start + 26)
        lacing = file.read(file.read(1)[0])
        body = file.read(sum(lacing))
        at, begin = 0, 0 if waiting is None and not page.flags & _CONTINUED else None
        for value in lacing:
            at += value
            if value < 255:
                total += _opus_packet(waiting or (body[begin : begin + 2] if begin is not None else b""))
                waiting, begin = None, at
        if lacing and lacing[-1] == 255 and waiting is None and begin is not None:
            waiting = body[begin : begin + 2]
        totals.append(total)
    return totals


def _opus_packet(start: bytes) -> int:
    """Samples at 48 kHz in a packet, by its first two bytes; 0 where its beginning is missing."""
    if not start:
        return 0
    config, code = start[0] >> 3, start[0] & 3
    if config < 12:
        size = (480, 960, 1_920, 2_880)[config & 3]
    elif config < 16:
        size = (480, 960)[config & 1]
    else:
        size = (120, 240, 480, 960)[config & 3]
    return size * (1, 2, 2, start[1] & 0x3F if len(start) > 1 else 0)[code]


def find_ogg_flac(file: BinaryIO, at: int, size: int) -> tuple[FlacHead, tuple[Piece, ...]] | None:
    """The head of the FLAC stream in an Ogg file and where its frames stand; None where there is no such stream.

    Damaged pages are kept as they are: the checksums of the frames tell what is lost.
    """
    window = Window(file, size)
    head: FlacHead | None = None
    serial = -1
    pieces: list[tuple[int, int]] = []
    for page in _pages(window, at):
        if head is None:
            if not page.flags & _FIRST:
                return None
            body = window.get(page.body, 51)
            if body[:5] == b"\x7fFLAC" and body[9:17] == b"fLaC\x00\x00\x00\x22" and len(body) == 51:
                head, serial = FlacHead(body[17:51], 0), page.serial
            continue
        if pieces and page.start < pieces[-1][1]:
            pieces[-1] = (pieces[-1][0], page.start)
        if page.serial == serial and page.body < page.stop and (pieces or not _is_header_page(window, page.body)):
            pieces.append((page.body, page.stop))
    return (head, tuple(pieces)) if head else None


def _is_header_page(window: Window, body: int) -> bool:
    """Whether a page before the first frame holds other metadata: frames begin with a sync code on a fresh page."""
    first = window.get(body, 2)
    return first[:1] != b"\xff" or (len(first) > 1 and first[1] & 0xFC != 0xF8)


def _next_page(window: Window, at: int) -> int:
    while at < window.size:
        data = window.get(at, min(65_536, window.size - at))
        place = data.find(b"OggS")
        if place >= 0:
            return at + place
        at += max(1, len(data) - 3)
    return window.size
