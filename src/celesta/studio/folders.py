"""The folders and files that a studio serves, and names by which a page asks for them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from celesta._files import printable
from celesta.audio import AUDIO_SUFFIXES
from celesta.errors import CelestaError, UsageError

SUFFIXES = AUDIO_SUFFIXES | {".cel"}
_SAFE = "/ ()&+,'!=@;"
_MOST_FOUND = 300
_MOST_LOOKED_AT = 200_000


class NotServedError(CelestaError):
    """A file or folder does not exist, or lies outside what is served."""


@dataclass(frozen=True)
class Entry:
    """A file or folder.

    Attributes:
        ref: its name in requests.
        name: to show.
        folder: whether it is a folder.
    """

    ref: str
    name: str
    folder: bool


class Folders:
    """Folders and files that may be read, each with a number; what is below a folder may be read too.

    A reference is ``NUMBER`` or ``NUMBER/relative/path`` with percent-encoded bytes. Links that lead out of a folder
    are refused.

    Args:
        sources: folders and files.

    Raises:
        UsageError: one of them does not exist.
    """

    def __init__(self, sources: Iterable[str | Path]) -> None:
        self._roots: list[tuple[Path, str]] = []  # as given, and its real path
        for source in sources:
            self.add(source)

    def add(self, source: str | Path) -> None:
        """Serve one more folder or file.

        Raises:
            UsageError: it does not exist, or is a file of another kind.
        """
        path = Path(os.path.abspath(source))
        if not path.exists():
            raise UsageError(f"{printable(source)}: no such file or folder; check the path")
        if not path.is_dir() and path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"{printable(source)}: is neither audio, a .cel file nor a library; name one, or a folder")
        real = os.path.realpath(path)
        if all(real != other for _, other in self._roots):
            self._roots.append((path, real))

    def path(self, ref: str, *, folder: bool = False) -> Path:
        """Return the real path of a reference.

        Args:
            ref: the reference.
            folder: whether a folder is asked for; else it must be a regular file of audio or a .cel file.

        Raises:
            NotServedError: there is no such file, it is of another kind, or it lies outside.
        """
        root, inner = self._split(ref)
        path = os.path.realpath(os.path.join(os.fsencode(root), inner) if inner else os.fsencode(root))
        if path != os.fsencode(root) and not path.startswith(os.fsencode(root).rstrip(b"/") + b"/"):
            raise NotServedError(f"{printable(ref)}: lies outside the folders that are served")
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError):
            raise NotServedError(f"{printable(ref)}: no such file; was it moved?") from None
        if not (stat.S_ISDIR(mode) if folder else stat.S_ISREG(mode)):
            raise NotServedError(f"{printable(ref)}: is no {'folder' if folder else 'file'}")
        if not folder and os.path.splitext(path)[1].decode("latin-1").lower() not in SUFFIXES:
            raise NotServedError(f"{printable(ref)}: is neither audio nor a .cel file")
        return Path(os.fsdecode(path))

    def ref(self, path: str | Path) -> str | None:
        """Return the reference of a path; None where it lies outside or is no file."""
        real = os.path.realpath(path)
        for number, (_, root) in enumerate(self._roots):
            if real == root:
                return str(number)
            if real.startswith(root.rstrip("/") + "/"):
                inner = os.fsencode(os.path.relpath(real, root))
                return f"{number}/{quote_from_bytes(inner, safe=_SAFE)}"
        return None

    def entries(self, ref: str = "") -> list[Entry]:
        """Return the folders, then the files in a folder, sorted; without a reference, what was given.

        Raises:
            NotServedError: there is no such folder, or it cannot be read.
        """
        if not ref:
            return [
                Entry(str(number), printable(path.name or path), path.is_dir())
                for number, (path, _) in enumerate(self._roots)
            ]
        folder = self.path(ref, folder=True)
        found: list[tuple[bool, str]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        found.append((True, entry.name))
                    elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                        found.append((False, entry.name))
        except OSError as error:
            raise NotServedError(f"{printable(folder)}: cannot be read ({error.strerror})") from None
        base = self.ref(folder) or ref
        return [
            Entry(f"{base}/{quote_from_bytes(os.fsencode(name), safe=_SAFE)}", printable(name), is_folder)
            for is_folder, name in sorted(found, key=lambda one: (not one[0], one[1].casefold(), one[1]))
        ]

    def find(self, text: str) -> list[Entry]:
        """Return files whose path below their folder holds all words of a text; at most 300."""
        words = text.casefold().split()
        found: list[Entry] = []
        for looked_at, (number, root, inner) in enumerate(self._files()):
            if looked_at >= _MOST_LOOKED_AT or len(found) >= _MOST_FOUND:
                break
            shown = printable(inner or os.path.basename(root))
            if all(word in shown.casefold() for word in words):
                quoted = quote_from_bytes(os.fsencode(inner), safe=_SAFE)
                found.append(Entry(f"{number}/{quoted}" if inner else str(number), shown, False))
        return found

    def _files(self) -> Iterator[tuple[int, str, str]]:
        """Yield all files: number of the root, the root, and the path below it."""
        for number, (_, root) in enumerate(self._roots):
            if os.path.isfile(root):
                yield number, root, ""
                continue
            for folder, folders, names in os.walk(root):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                for name in sorted(names):
                    if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                        yield number, root, os.path.relpath(os.path.join(folder, name), root)

    def _split(self, ref: str) -> tuple[str, bytes]:
        number, _, inner = ref.partition("/")
        if not (number.isascii() and number.isdigit() and len(number) < 6 and int(number) < len(self._roots)):
            raise NotServedError(f"{printable(ref)}: no such file; open it again from the list")
        try:
            path = unquote_to_bytes(inner)
        except ValueError:
            raise NotServedError(f"{printable(ref)}: is no name of a file") from None
        if b"\0" in path or path.startswith(b"/") or b".." in path.split(b"/") or len(path) > 4_096:
            raise NotServedError(f"{printable(ref)}: lies outside the folders that are served")
        return self._roots[int(number)][1], path
