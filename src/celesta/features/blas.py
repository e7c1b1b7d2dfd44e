"""The number of threads of NumPy's products of matrices."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import threadpoolctl

_blas_lock = threading.Lock()
_blas_users: list[object] = []
_blas_limit: list[Any] = []


@contextlib.contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Let BLAS compute with one thread until the last of several songs leaves the block; then restore the number.

    Products of matrices this small gain nothing from more threads, which wait for each other in a busy loop, and
    results would depend on their number. Enter it in the main thread before others are started: OpenBLAS does not
    always take the number from other threads.
    """
    me = object()
    with _blas_lock:
        if not _blas_users:
            _blas_limit.append(threadpoolctl.threadpool_limits(1, user_api="blas"))
        _blas_users.append(me)
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users.remove(me)
            if not _blas_users:
                _blas_limit.pop().restore_original_limits()
