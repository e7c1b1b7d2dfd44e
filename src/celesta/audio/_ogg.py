"""Ogg pages: what a reader of a file misses, and FLAC in Ogg, which libsndfile does not read.

libsndfile says nothing of a cut end or of a second stream behind the first.

Source: RFC 3533 (pages), RFC 3534 (chaining), RFC 9639 section 10.1 (FLAC in Ogg).
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from celesta.audio._flac import FlacHead
from celesta.audio._trailer import Window
from celesta.audio._virtual import Piece

_FIRST, _LAST = 2, 4  # flags of a page


def ogg_remark(path: Path) -> str:
    """Walk the pages of an Ogg file; a remark on what is wrong, "" where nothing is."""
    flags = _LAST
    started = False
    with open(path, "rb") as file:
        end = path.stat().st_size
        at = _skip_to_page(file.read(65_536))
        while at < end:
            file.seek(at)
            head = file.read(27)
            if len(head) < 27:
                return "it ends within a page"
            if head[:4] != b"OggS":
                return f"its page at byte {at} is damaged"
            lacing = file.read(head[26])
            flags = head[5]
            if flags & _FIRST and started:
                return "a second stream begins behind the first (chained files?)"
            started = started or not flags & _FIRST
            at += 27 + head[26] + sum(lacing)
            if len(lacing) < head[26] or at > end:
                return "it ends within a page"
    return "" if flags & _LAST else "its last page is not marked as the end"


def _skip_to_page(data: bytes) -> int:
    return max(0, data.find(b"OggS"))


def find_ogg_flac(file: BinaryIO, at: int, size: int) -> tuple[FlacHead, tuple[Piece, ...]] | None:
    """The head of the FLAC stream in an Ogg file and where its frames stand; None where there is no such stream.

    Damaged pages are left out; the numbers of the frames tell what is lost with them.
    """
    window = Window(file, size)
    head: FlacHead | None = None
    serial = b""
    pieces: list[tuple[int, int]] = []
    latest = at
    while at < size:
        page = window.get(at, 27)
        if page[:4] != b"OggS" or len(page) < 27:
            at = _next_page(window, latest + 1)  # bytes of the page before may be missing
            if pieces and at < pieces[-1][1]:
                pieces[-1] = (pieces[-1][0], at)
            continue
        latest = at
        lacing = window.get(at + 27, page[26])
        start = at + 27 + page[26]
        stop = start + sum(lacing)
        at = stop
        if head is None:
            if not page[5] & _FIRST:
                return None
            body = window.get(start, min(stop - start, 64))
            if body[:5] == b"\x7fFLAC" and body[9:17] == b"fLaC\x00\x00\x00\x22" and len(body) >= 51:
                head, serial = FlacHead(body[17:51], 0), page[14:18]
            continue
        if page[14:18] != serial or stop > size or start == stop:
            continue
        if not pieces and _is_header_page(window, start):
            continue
        pieces.append((start, stop))
    return (head, tuple(pieces)) if head else None


def _is_header_page(window: Window, start: int) -> bool:
    """Whether a page before the first frame holds other metadata: frames begin with a sync code on a fresh page."""
    first = window.get(start, 2)
    return first[:1] != b"\xff" or (len(first) > 1 and first[1] & 0xFC != 0xF8)


def _next_page(window: Window, at: int) -> int:
    while at < window.size:
        data = window.get(at, min(65_536, window.size - at))
        place = data.find(b"OggS")
        if place >= 0:
            return at + place
        at += max(1, len(data) - 3)
    return window.size
