"""Write files as a whole or not at all, and print file names that are not clean text."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from celesta.errors import CelestaError, LatentError


def printable(text: object) -> str:
    r"""Return text or a path as one line that any terminal, page or JSON file can hold.

    Bytes that are not UTF-8 and control characters are escaped, for example ``b\xe9.wav``.
    """
    out = []
    for c in str(text):
        if 0xDC80 <= ord(c) <= 0xDCFF:  # what os.fsdecode makes of a byte that is not UTF-8
            out.append(f"\\x{ord(c) - 0xDC00:02x}")
        elif c.isprintable():
            out.append(c)
        else:
            out.append(c.encode("unicode_escape").decode("ascii"))
    return "".join(out)


def read_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read the arrays and the metadata of a safetensors file.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: it is damaged or not a safetensors file.
    """
    try:
        with safe_open(path, "np") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from None


@contextlib.contextmanager
def atomic(path: str | Path, error: type[CelestaError] = LatentError) -> Iterator[Path]:
    """Give a temporary path in the target's folder; rename it to the target when the block ends without an error.

    The data is flushed to the disk before the rename. After an error, or a signal that was turned into an exception,
    nothing is left under either name. The file gets the permissions of any new file (the process's umask), whatever
    the library that wrote it gave.

    Args:
        path: the final name.
        error: raised, with the file's name and the reason, where the system refuses to write.

    Yields:
        A path that does not exist yet, with the target's suffix, so that writers that go by the suffix can be used.

    Raises:
        CelestaError: of the given type; the disk is full, the folder is missing or not writable, the name too long.
    """
    path = Path(path)
    temporary = path.with_name(f".celesta-{secrets.token_hex(8)}{path.suffix[:16]}")
    try:
        with disk_errors(path, error):
            mode = _new_file_mode(temporary)
            yield temporary
            os.chmod(temporary, mode)
            handle = os.open(temporary, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            os.replace(temporary, path)
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _new_file_mode(path: Path) -> int:
    """Return the permissions that a new file gets here; refuses, before any work, where none can be made."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return stat.S_IMODE(os.fstat(handle).st_mode)
    finally:
        os.close(handle)
        os.unlink(path)


@contextlib.contextmanager
def disk_errors(path: Path, error: type[CelestaError] = LatentError) -> Iterator[None]:
    """Turn an OSError into an error that names the file and the reason."""
    try:
        yield
    except OSError as reason:
        said = reason.strerror or str(reason) or type(reason).__name__
        raise error(f"{printable(path)}: cannot be written ({said}); check the folder and the free space") from None


def write_whole(
    path: Path,
    head: Callable[[str], bytes],
    payload: Callable[[], Iterable[bytes]],
    check: Callable[[Path], None] | None = None,
) -> int:
    """Write a header and a payload as one file, which gets its name when it is complete.

    Args:
        path: its final name.
        head: gives the header for the payload's SHA-256.
        payload: gives the payload's blocks; called twice: to hash them, then to write them.
        check: called with the temporary file before it gets its name; an error leaves nothing behind, and its message
            names the final file.

    Returns:
        Size of the file in bytes.

    Raises:
        LatentError: the disk is full or broken; nothing is left under either name.
    """
    with atomic(path) as temporary:
        digest = hashlib.sha256()
        for block in payload():
            digest.update(block)
        with temporary.open("xb") as file:
            file.write(head(digest.hexdigest()))
            for block in payload():
                file.write(block)
            size = file.tell()
        if check is not None:
            try:
                check(temporary)
            except CelestaError as error:
                raise type(error)(str(error).replace(printable(temporary), printable(path))) from None
        return size


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
