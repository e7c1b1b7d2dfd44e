"""What writing a .cel file asks of the disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from celesta.errors import LatentError


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn trouble with the disk into a LatentError that names the file."""
    try:
        yield
    except OSError as error:
        raise LatentError(f"{path}: cannot be written ({error.strerror}); mend its folder or the disk") from None


def write_whole(path: Path, head: Callable[[str], bytes], payload: Callable[[], Iterable[bytes]]) -> None:
    """Write a file under another name, flush it to the disk, and give it its own name when it is whole.

    Args:
        path: its final name.
        head: the file's head, given the payload's SHA-256.
        payload: its blocks, asked for twice: to be hashed, then to be written.

    Raises:
        LatentError: the disk is full or broken; nothing is left under either name.
    """
    temporary = path.with_name(f".cel-{secrets.token_hex(8)}.tmp")
    try:
        with disk_errors(path):
            digest = hashlib.sha256()
            for block in payload():
                digest.update(block)
            start = head(digest.hexdigest())
            with temporary.open("xb") as file:
                file.write(start)
                for block in payload():
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


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
