"""A file made of pieces of another file and of bytes put between them, for decoders that read through callbacks."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Piece = bytes | tuple[int, int]  # bytes, or the stretch of the file from the first offset to the second


def length(piece: Piece) -> int:
    """Bytes of a piece."""
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


def cut(pieces: Sequence[Piece], start: int, stop: int) -> list[Piece]:
    """The pieces of a stretch of a virtual file, from offset start to offset stop."""
    result: list[Piece] = []
    at = 0
    for piece in pieces:
        first, last = max(0, start - at), min(length(piece), stop - at)
        if first < last:
            result.append(piece[first:last] if isinstance(piece, bytes) else (piece[0] + first, piece[0] + last))
        at += length(piece)
    return result


class VirtualFile(io.RawIOBase):
    """A readable file of pieces.

    Args:
        path: The real file.
        pieces: What the virtual file consists of, in order.
        extra: Bytes that its size is given too large, where a decoder shall not stop at an estimate of its own.
    """

    def __init__(self, path: Path, pieces: Sequence[Piece], extra: int = 0) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  (closed by close())
        self._pieces = [piece for piece in pieces if length(piece)]
        self._starts = [0]
        for piece in self._pieces:
            self._starts.append(self._starts[-1] + length(piece))
        self._extra = extra
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return self._starts[-1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._starts[-1] + self._extra)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        end = self._starts[-1]
        if self._at > end:  # a decoder looks for tags at the end it was given
            done = max(0, min(len(view), end + self._extra - self._at))
            view[:done] = bytes(done)
            self._at += done
            return done
        done = 0
        while done < len(view) and self._at < end:
            data = self._piece_bytes(len(view) - done)
            if not data:  # the real file has become shorter
                break
            view[done : done + len(data)] = data
            done += len(data)
            self._at += len(data)
        return done

    def _piece_bytes(self, most: int) -> bytes:
        index = bisect_right(self._starts, self._at) - 1
        piece = self._pieces[index]
        inside = self._at - self._starts[index]
        if isinstance(piece, bytes):
            return piece[inside : inside + most]
        self._file.seek(piece[0] + inside)
        return self._file.read(min(most, piece[1] - piece[0] - inside))

    def close(self) -> None:
        self._file.close()
        super().close()
