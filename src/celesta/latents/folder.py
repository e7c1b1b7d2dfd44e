"""Recognise and find .cel files."""

from __future__ import annotations

import os
from pathlib import Path

from celesta._files import printable
from celesta.errors import LatentError, LatentWarning, warn

SUFFIX = ".cel"


def is_cel(path: str | os.PathLike[str]) -> bool:
    """Whether a path is named as a .cel file, whatever the case of the suffix; the file itself is not looked at.

    Args:
        path: of a file, which need not exist.

    Example:
        >>> is_cel("albums/Song.CEL"), is_cel("song.mp3")
        (True, False)
    """
    return os.path.splitext(path)[1].lower() == SUFFIX


def find_cel(path: str | Path) -> list[Path]:
    """List the .cel files below a folder, whatever the case of the suffix, sorted; a file stands for itself.

    Hidden folders are left out, and unreadable ones named in a :class:`~celesta.errors.LatentWarning`.

    Args:
        path: the folder or file.

    Raises:
        LatentError: the path does not exist, or the folder holds no .cel file.

    Example:
        >>> find_cel("song.cel")
        [PosixPath('song.cel')]
    """
    root = Path(path)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise LatentError(f"{printable(root)}: no such file or folder")

    def unreadable(error: OSError) -> None:
        said = f"{printable(error.filename)}: skipped, cannot be read ({error.strerror})"
        warn(LatentWarning(said))

    found: list[Path] = []
    for folder, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names = (name for name in files if is_cel(name) and not name.startswith("."))
        found += [Path(folder, name) for name in names]
    if not found:
        raise LatentError(f"{printable(root)}: holds no .cel file")
    return sorted(found)
