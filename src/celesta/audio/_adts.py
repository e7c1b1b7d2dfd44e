"""Raw AAC (ADTS): where its frames stand, so that damage keeps the time line.

Source: ISO/IEC 13818-7, section 6.2 (ADTS header).
"""

from __future__ import annotations

from typing import BinaryIO

from celesta.audio._trailer import Window, skip_tags, skip_zeros
from celesta.audio._virtual import Piece


def scan_adts(file: BinaryIO, at: int, size: int) -> tuple[tuple[Piece, ...], dict[int, int], str]:
    """Walk the frames of a raw AAC file.

    Args:
        file: The file.
        at: Offset of its first frame.
        size: Its length in bytes.

    Returns:
        The stretches of good frames; how many frames are missing before a frame, by its index among the good ones; and
        what a reader misses at the end, "" if nothing.
    """
    window = Window(file, size)
    pieces: list[Piece] = []
    missing: dict[int, int] = {}
    remark = ""
    kind, start, count, n_bytes = _kind(window, at), at, 0, 0
    while at < size:
        length = _length(window, at) if _kind(window, at) == kind else 0
        if length and at + length <= size:
            at, count, n_bytes = at + length, count + 1, n_bytes + length
            continue
        if at > start:
            pieces.append((start, at))
        behind = skip_tags(window, at)
        place = _next(window, behind, kind)
        if place is None:
            if behind == at and skip_zeros(window, at) < size:
                remark = f"the last {size - at} bytes are no complete frame"
            break
        if behind == at and count:
            missing[count] = missing.get(count, 0) + round((place - at) * count / n_bytes)
        start = at = place
    else:
        pieces.append((start, min(at, size)))
    return tuple(pieces), missing, remark


def _kind(window: Window, at: int) -> bytes:
    """What stays the same in the headers of a stream: version, layer, profile, sample rate, channels."""
    head = window.get(at, 4)
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return b""
    return bytes([head[1] & 0xFE, head[2] & 0xFD, head[3] & 0xC0])


def _length(window: Window, at: int) -> int:
    head = window.get(at, 7)
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if len(head) == 7 else 0
    return length if length > 7 else 0


def _next(window: Window, at: int, kind: bytes) -> int | None:
    """Offset of the next frame of a kind that is followed by another one, or by the end."""
    while at < window.size - 7:
        data = window.get(at, min(65_536, window.size - at))
        place = data.find(b"\xff")
        while place >= 0:
            here = at + place
            if _kind(window, here) == kind and (length := _length(window, here)):
                end = here + length
                if end == window.size or (end < window.size and _kind(window, end) == kind):
                    return here
            place = data.find(b"\xff", place + 1)
        at += max(1, len(data) - 1)
    return None
