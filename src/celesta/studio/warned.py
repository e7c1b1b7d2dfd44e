"""Warnings of the threads of a studio, each collected by the thread that caused it."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator

_local = threading.local()


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Keep warnings off the terminal while the block runs; :func:`collected` gets them.

    ``warnings.catch_warnings`` changes the whole process, so threads must not use it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _show
        yield


@contextlib.contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the warnings of this thread as texts."""
    outer = getattr(_local, "found", None)
    _local.found = found = list[str]()
    try:
        yield found
    finally:
        _local.found = outer


def _show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    found = getattr(_local, "found", None)
    if found is not None and len(found) < 100:
        found.append(str(message))
