"""Environment variables that libraries read when they are imported or started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def defaults(**values: str) -> Iterator[bool]:
    """Set variables that are not set, and remove them again; yield whether none was set before.

    Example:
        >>> with defaults(CELESTA_EXAMPLE="1"):
        ...     os.environ["CELESTA_EXAMPLE"]
        '1'
        >>> "CELESTA_EXAMPLE" in os.environ
        False
    """
    unset = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in unset})
    try:
        yield len(unset) == len(values)
    finally:
        for name in unset:
            os.environ.pop(name, None)
