"""What a reader of an Ogg file will miss: libsndfile says nothing of a cut end or of a second stream behind the first.

Source: RFC 3533 (pages), RFC 3534 (chaining).
"""

from __future__ import annotations

from pathlib import Path

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
