"""Find the audio files, or other files by their suffix, below a folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from celesta._files import printable
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
    """

    path: Path
    reason: str


class AudioFiles(list[Path]):
    """Paths of files: a list that also says what was skipped.

    Attributes:
        skipped: Folders that could not be read, in the order in which they were met.
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
    """
    root = Path(folder_or_file)
    try:
        if root.is_file():
            return AudioFiles([root])
        if not root.is_dir():
            raise AudioError(f"{printable(root)}: no such file or folder; check the path")
    except (OSError, ValueError) as error:
        raise AudioError(f"{printable(root)}: cannot be read ({_words(error)}); check the path") from None
    found: list[Path] = []
    skipped: list[Skipped] = []
    seen: set[tuple[int, int]] = set()
    links = [str(root)]
    while links:
        following, links = links, []
        for folder in following:  # links are followed after all folders, so that files keep their own folders' names
            links += _walk(folder, suffixes, seen, found, skipped)
        links.sort()
    if skipped and skipped[0].path == root:
        raise AudioError(f"{printable(root)}: cannot be read ({skipped[0].reason}); check its permissions")
    for one in skipped:
        text = f"{printable(one.path)}: cannot be read ({one.reason}) and is skipped; check its permissions"
        warn(SkippedWarning(text))
    return AudioFiles(sorted(found), skipped)


def _walk(
    top: str, suffixes: Collection[str], seen: set[tuple[int, int]], found: list[Path], skipped: list[Skipped]
) -> list[str]:
    """Look through a folder and what lies below it; returns the linked folders, which are not entered."""
    links: list[str] = []
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as error:
            skipped.append(Skipped(Path(folder), _words(error)))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            kind = _kind(entry)
            if kind == "folder":
                waiting.append(entry.path)
            elif kind == "link":
                links.append(entry.path)
            elif kind == "file" and os.path.splitext(entry.name)[1].lower() in suffixes:
                found.append(Path(entry.path))
    return links


def _kind(entry: os.DirEntry[str]) -> str:
    """What an entry of a folder is: "folder", "link" (to a folder), "file", or "" for a link in a circle."""
    try:
        if entry.is_dir():
            return "link" if entry.is_symlink() else "folder"
    except OSError:
        return ""
    return "file"


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
