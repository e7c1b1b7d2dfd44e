"""What stands behind or between the audio of a file: ID3, APE and Lyrics3 tags, zeros.

Source: the informal standards ID3v1, ID3v2.4, APEv2 and Lyrics3 v2.
"""

from __future__ import annotations

from typing import Protocol

WINDOW = 1 << 20


class Readable(Protocol):
    """What a window needs of a file."""

    def seek(self, offset: int, /) -> int:
        """Go to an offset."""

    def read(self, n: int, /) -> bytes | None:
        """The next at most n bytes."""


class Window:
    """Bytes of a file at any place, read in large blocks.

    Args:
        file: The opened file.
        size: Its length in bytes.
    """

    def __init__(self, file: Readable, size: int) -> None:
        self.size = size
        self._file = file
        self._data = b""
        self._base = 0

    def get(self, at: int, n: int) -> bytes:
        """At most n bytes from an offset on; fewer at the end of the file."""
        start = at - self._base
        if start < 0 or start + n > len(self._data):
            self._file.seek(at)
            self._data, self._base, start = self._file.read(max(n, WINDOW)) or b"", at, 0
        return self._data[start : start + n]


def skip_tags(window: Window, at: int) -> int:
    """Offset behind the tags at an offset and the zeros behind them; the same offset where there is no tag."""
    start = at
    while at < window.size:
        head = window.get(at, 32)
        if head[:3] == b"TAG":
            at += 227 if head[:4] == b"TAG+" else 128
        elif head[:3] == b"ID3" and len(head) > 9 and not any(b & 0x80 for b in head[6:10]):
            at += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + (10 if head[5] & 0x10 else 0)
        elif head[:8] == b"APETAGEX" and len(head) == 32:
            is_header = head[23] & 0x20
            at += 32 + (int.from_bytes(head[12:16], "little") if is_header else 0)
        elif head[:11] == b"LYRICSBEGIN":
            end = window.get(at, min(WINDOW, window.size - at)).find(b"LYRICS200")
            at += end + 9 if end >= 0 else 11
        else:
            break
    return skip_zeros(window, at) if at > start else start


def skip_zeros(window: Window, at: int) -> int:
    """Offset behind the zeros at an offset, at most the file's size."""
    while at < window.size:
        data = window.get(at, min(4_096, window.size - at))
        rest = data.lstrip(b"\0")
        at += len(data) - len(rest)
        if rest or not data:
            break
    return min(at, window.size)
