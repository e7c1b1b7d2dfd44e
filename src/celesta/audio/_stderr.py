"""Catch what a C library writes to the standard error stream, without touching the process's own.

libmpg123 prints its complaints there. They are the only sign of damage inside of an MPEG frame, so they are wanted,
but not on the user's terminal. File descriptor 2 stays as it is: only the variable `stderr` of the C library points
to another stream during a call, so that Python's output, other processes and crash reports are not affected.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Iterator

_UNBUFFERED = 2  # _IONBF
_OF_MPG123 = ("Note: ", "Warning: ", "mpg123")


class _Stream:
    """A C stream into an unnamed file, and the C variable that names the standard error stream."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self.variable = ctypes.c_void_p.in_dll(library, "__stderrp" if sys.platform == "darwin" else "stderr")
        if hasattr(os, "memfd_create"):
            self.handle = os.memfd_create("celesta")
        else:
            with tempfile.TemporaryFile() as file:
                self.handle = os.dup(file.fileno())
        library.fdopen.restype = ctypes.c_void_p
        library.fdopen.argtypes = [ctypes.c_int, ctypes.c_char_p]
        library.setvbuf.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
        self.pointer = library.fdopen(self.handle, b"w+")
        if not self.pointer:
            raise OSError("fdopen failed")
        library.setvbuf(self.pointer, None, _UNBUFFERED, 0)
        self.own = self.variable.value

    def take(self) -> str:
        """What was written since the last call."""
        size = os.fstat(self.handle).st_size
        if not size:
            return ""
        data = os.pread(self.handle, size, 0)
        os.ftruncate(self.handle, 0)
        os.lseek(self.handle, 0, os.SEEK_SET)
        return data.decode("utf-8", "replace")


class _Catcher:
    """The one stream of the process, and the lock of whoever uses it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stream: _Stream | None = None
        self.tried = False

    def open(self) -> _Stream | None:
        if not self.tried:
            self.tried = True
            if sys.platform == "darwin" or platform.libc_ver()[0] == "glibc":  # elsewhere the variable is a constant
                with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
                    self.stream = _Stream()
        return self.stream


_CATCHER = _Catcher()


def _renew() -> None:
    """Give a forked process its own standard error stream and a free lock, should another thread have held it."""
    global _CATCHER
    if _CATCHER.stream is not None and _CATCHER.lock.locked():
        _CATCHER.stream.variable.value = _CATCHER.stream.own
    _CATCHER = _Catcher()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


@contextlib.contextmanager
def caught_stderr() -> Iterator[list[str]]:
    """Collect the lines that libmpg123 writes to the C standard error stream in the ``with`` block.

    Other libraries' lines, written by other threads meanwhile, are passed on to the standard error stream. One thread
    at a time is let in. Where the C library does not allow it (musl, Windows), nothing is collected.

    Yields:
        A list that is filled when the block ends.
    """
    lines: list[str] = []
    catcher = _CATCHER
    with catcher.lock:
        stream = catcher.open()
        if stream is None:
            yield lines
            return
        stream.own = stream.variable.value
        stream.variable.value = stream.pointer
        try:
            yield lines
        finally:
            stream.variable.value = stream.own
            for line in stream.take().splitlines():
                if "libmpg123" in line or line.startswith(_OF_MPG123):
                    lines.append(line)
                elif line.strip():
                    with contextlib.suppress(OSError):
                        os.write(2, f"{line}\n".encode())
