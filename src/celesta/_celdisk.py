"""What writing a .cel file asks of the disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from celesta.errors import LatentError


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn trouble with the disk into a LatentError that names the file."""
    try:
        yield
    except OSError as error:
        raise LatentError(f"{path}: cannot be written ({error.strerror}); mend its folder or the disk") from None


def sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
