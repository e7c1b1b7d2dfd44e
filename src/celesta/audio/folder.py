"""Find the audio files, or other files by their suffix, below a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from celesta._files import printable
from celesta._names import check_the_path
from celesta.audio._headers import AudioWarning
from celesta.errors import AudioError, warn

_PLAIN = (".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au")
_PACKED = (".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2")
_BY_PYAV = (".m4a", ".m4b", ".mp4", ".aac", ".mka", ".mkv", ".webm", ".mov", ".wma")
AUDIO_SUFFIXES = frozenset(_PLAIN + _PACKED + _BY_PYAV)


class SkippedWarning(AudioWarning):
    """A folder could not be read, so its files are missing from a list."""


@dataclass(frozen=True)
class Skipped:
    """A folder or file that could not be looked at, and why.

    Attributes:
        path: The folder or file.
        reason: The system's words, for example ``Permission denied``.

    Example:
        >>> Skipped(Path("music/private"), "Permission denied").reason
        'Permission denied'
    """

    path: Path
    reason: str


class AudioFiles(list[Path]):
    """Paths of files: a list that also says what was skipped.

    Attributes:
        skipped: Folders that could not be read, in the order in which they were met.

    Example:
        >>> files = find_audio("music")
        >>> [file.name for file in files], files.skipped
        (['a.ogg', 'b.ogg'], ())
    """

    def __init__(self, paths: Iterable[Path] = (), skipped: Iterable[Skipped] = ()) -> None:
        super().__init__(paths)
        self.skipped = tuple(skipped)


def find_audio(folder_or_file: str | Path) -> AudioFiles:
    """Find all audio files below a folder by their suffixes; see :func:`find_files`.

    Args:
        folder_or_file: Where to look.

    Returns:
        Sorted paths; `AudioFiles.skipped` has the folders that could not be read.

    Raises:
        AudioError: There is no such file or folder, or the folder itself cannot be read.

    Example:
        >>> [file.as_posix() for file in find_audio("music")]
        ['music/a.ogg', 'music/b.ogg']
    """
    return find_files(folder_or_file, AUDIO_SUFFIXES)


def find_files(folder_or_file: str | Path, suffixes: Collection[str]) -> AudioFiles:
    """Find all files below a folder that have one of some suffixes.

    A file stands for itself, whatever its suffix. Hidden files and folders are left out, which includes the
    ``._song.mp3`` files of macOS. Linked folders are followed; a folder that can be reached by several ways is
    visited once, so circles of links end. A folder that cannot be read is skipped with a `SkippedWarning`.

    Args:
        folder_or_file: Where to look.
        suffixes: In lower case with their dot; the files' own case does not matter.

    Returns:
        Sorted paths; `AudioFiles.skipped` has the folders that could not be read.

    Raises:
        AudioError: There is no such file or folder, or the folder itself cannot be read.

    Example:
        >>> [file.as_posix() for file in find_files("music", {".ogg", ".mp3"})]
        ['music/a.ogg', 'music/b.ogg']
    """
    root = Path(folder_or_file)
    try:
        if root.is_file():
            return AudioFiles([root])
        if not root.is_dir():
            raise AudioError(f"{printable(root)}: no such file or folder; {check_the_path(root)}")
    except (OSError, ValueError) as error:
        raise AudioError(f"{printable(root)}: cannot be read ({_words(error)}); check the path") from None
    skipped: list[Skipped] = []
    found = sorted(Path(entry.path) for entry in walk(root, suffixes, skipped))
    if skipped and skipped[0].path == root:
        raise AudioError(f"{printable(root)}: cannot be read ({skipped[0].reason}); check its permissions")
    for one in skipped:
        text = f"{printable(one.path)}: cannot be read ({one.reason}) and is skipped; check its permissions"
        warn(SkippedWarning(text))
    return AudioFiles(found, skipped)


def walk(root: str | Path, suffixes: Collection[str], skipped: list[Skipped]) -> Iterator[os.DirEntry[str]]:
    """Yield what lies below a folder, is no folder itself and has one of some suffixes; see :func:`find_files`.

    Args:
        root: The folder.
        suffixes: In lower case with their dot.
        skipped: Gets the folders that cannot be read.

    Example:
        >>> skipped = []
        >>> sorted(entry.name for entry in walk("music", {".ogg"}, skipped)), skipped
        (['a.ogg', 'b.ogg'], [])
    """
    seen: set[tuple[int, int]] = set()
    folders, links = [str(root)], list[str]()
    while folders or links:
        if not folders:  # links are followed after all folders, so that files keep their own folders' names
            folders, links = sorted(links, reverse=True), []
        for entry in _entries(folders.pop(), seen, skipped):
            try:
                if entry.is_dir():
                    (links if entry.is_symlink() else folders).append(entry.path)
                elif os.path.splitext(entry.name)[1].lower() in suffixes:
                    yield entry
            except OSError as error:
                if error.errno != errno.ELOOP:
                    skipped.append(Skipped(Path(entry.path), _words(error)))


def _entries(folder: str, seen: set[tuple[int, int]], skipped: list[Skipped]) -> list[os.DirEntry[str]]:
    """List what is in a folder, without what is hidden; nothing of a folder that was seen before."""
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as listing:
            return sorted((one for one in listing if not one.name.startswith(".")), key=lambda one: one.name)
    except OSError as error:
        skipped.append(Skipped(Path(folder), _words(error)))
        return []


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
