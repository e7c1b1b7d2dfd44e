"""Arrays that are read or computed once, and then again from a temporary file."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO

import numpy as np

MOST_BYTES = 1 << 30
"""About 50 minutes of stereo at 44.1 kHz; longer songs are read again."""


class Replay:
    """Lists of arrays that can be gone through several times.

    They are written to a temporary file the first time and read from there later, unless they are too large, or the
    disk is full: then they are made anew. Used with ``with``, which removes the file.

    Args:
        make: gives the lists from the first on.
        most_bytes: largest size of the file.

    Example:
        >>> with Replay(lambda: iter([[np.ones(2)], [np.zeros(1)]])) as twice:
        ...     [len(arrays[0]) for _ in range(2) for arrays in twice]
        [2, 1, 2, 1]
    """

    def __init__(self, make: Callable[[], Iterator[list[np.ndarray]]], most_bytes: int = MOST_BYTES) -> None:
        self._make, self._most = make, most_bytes
        self._fits = True
        self._file: IO[bytes] | None = None
        self._kept: list[list[tuple[np.dtype, tuple[int, ...]]]] = []
        self._complete = False

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        if self._complete:
            yield from self._stored()
            return
        self.close()
        if self._fits:
            with contextlib.suppress(OSError):
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        for arrays in self._make():
            self._store(arrays)
            yield arrays
        self._complete = self._file is not None

    def _store(self, arrays: list[np.ndarray]) -> None:
        if self._file is None:
            return
        try:
            for array in arrays:
                self._file.write(np.ascontiguousarray(array).data)
            self._kept.append([(array.dtype, array.shape) for array in arrays])
            self._fits = self._file.tell() <= self._most
        except OSError:
            self._fits = False
        if not self._fits:
            self.close()

    def _stored(self) -> Iterator[list[np.ndarray]]:
        assert self._file is not None
        at = 0
        for layout in self._kept:
            self._file.seek(at)  # others may be in the middle of it
            arrays = []
            for dtype, shape in layout:
                data = self._file.read(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
                arrays.append(np.frombuffer(data, dtype).reshape(shape))
            at = self._file.tell()
            yield arrays

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file, self._kept, self._complete = None, [], False

    def __enter__(self) -> Replay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
