"""Compare folders with the library: what is new, changed, moved or missing. Nothing is decoded here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from celesta._files import printable
from celesta.audio import AUDIO_SUFFIXES
from celesta.errors import LibraryError
from celesta.library.payload import payload_id
from celesta.library.store import Store, now

_SUFFIXES = tuple(sorted(AUDIO_SUFFIXES))
_BATCH = 500
"""Files a transaction: long enough to be fast, short enough that other processes wait little."""


@dataclass
class ScanResult:
    """What a scan found.

    Attributes:
        unchanged: files that are as they were (size, modification time and inode).
        new: files of recordings that the library did not have.
        attached: files whose audio the library knew: moved, renamed, re-tagged or copied.
        missing: files that were there at the last scan and are not now; their recordings are kept.
        skipped: path and reason of what could not be read.
    """

    unchanged: int = 0
    new: int = 0
    attached: int = 0
    missing: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """Return plain data, for JSON."""
        skipped = [{"path": printable(path), "reason": reason} for path, reason in self.skipped]
        counts = {name: getattr(self, name) for name in ("unchanged", "new", "attached", "missing")}
        return {**counts, "skipped": skipped}


@dataclass(frozen=True)
class _Entry:
    """A file as the folder lists it."""

    path: bytes
    size: int
    mtime_ns: int
    inode: int


def scan(
    store: Store,
    roots: Iterable[str | Path],
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> ScanResult:
    """Bring the library's list of files up to date with folders and files.

    A file with the same size, modification time and inode costs one look at its folder. Any other file is identified by
    its payload (:func:`celesta.library.payload.payload_id`): a known payload is attached to its recording, an unknown
    one becomes a new recording that waits for analysis. Rows are never deleted: a file that has vanished is marked.

    Args:
        store: the library.
        roots: folders or files. A folder that is gone or empty of its files (an unmounted disk) is reported as an
            error and nothing below it is marked.
        progress: called with the number of files done and None, then the total.

    Raises:
        LibraryError: a root does not exist, or the library cannot be written.
    """
    result = ScanResult()
    for root in roots:
        where = Path(os.path.abspath(root))
        if not where.exists():
            raise LibraryError(f"{printable(where)}: no such file or folder; is its disk mounted?")
        _scan_root(store, where, result, progress)
    return result


def _scan_root(store: Store, root: Path, result: ScanResult, progress: Callable[[int, int | None], None]) -> None:
    known = {
        path: (size, mtime, inode, missing)
        for path, size, mtime, inode, missing in store.rows(
            "SELECT path, size, mtime_ns, inode, missing_since FROM files WHERE path = ? OR (path > ? AND path < ?)",
            (os.fsencode(root), os.fsencode(root) + b"/", os.fsencode(root) + b"0"),
        )
    }
    changed: list[_Entry] = []
    seen: set[bytes] = set()
    unreadable: list[bytes] = []
    for number, entry in enumerate(_walk(root, result.skipped, unreadable)):
        seen.add(entry.path)
        if known.get(entry.path) == (entry.size, entry.mtime_ns, entry.inode, None):
            result.unchanged += 1
        else:
            changed.append(entry)
        if number % 200 == 0:
            progress(number, None)
    total = len(seen)
    gone = [
        path
        for path, (*_, missing) in known.items()
        if path not in seen and missing is None and not any(path.startswith(folder) for folder in unreadable)
    ]
    # Recordings must be there before their old places are given up, so that a move never loses sight of one.
    for i in range(0, len(changed), _BATCH):
        _store_files(store, [(e, _identify(e, result)) for e in changed[i : i + _BATCH]], result)
        progress(total - len(changed) + min(len(changed), i + _BATCH), total)
    with store.transaction():
        for path in gone:
            store.execute("UPDATE files SET missing_since = ? WHERE path = ?", (now(), path))
    result.missing += len(gone)
    progress(total, total)


def _identify(entry: _Entry, result: ScanResult) -> str | None:
    """The payload's identity; None where the file cannot be read, with the reason in ``result.skipped``."""
    try:
        return payload_id(os.fsdecode(entry.path))
    except OSError as error:
        result.skipped.append((Path(os.fsdecode(entry.path)), error.strerror or str(error)))
        return None


def _store_files(store: Store, identified: list[tuple[_Entry, str | None]], result: ScanResult) -> None:
    with store.transaction():
        for entry, payload in identified:
            if payload is None:
                continue
            made = store.execute(
                "INSERT INTO recordings (payload, added) VALUES (?, ?) ON CONFLICT (payload) DO NOTHING",
                (payload, now()),
            )
            result.new += made.rowcount
            result.attached += 1 - made.rowcount
            store.execute(
                "INSERT INTO files (path, recording, size, mtime_ns, inode)"
                " VALUES (?, (SELECT id FROM recordings WHERE payload = ?), ?, ?, ?)"
                " ON CONFLICT (path) DO UPDATE SET recording = excluded.recording, size = excluded.size,"
                " mtime_ns = excluded.mtime_ns, inode = excluded.inode, missing_since = NULL",
                (entry.path, payload, entry.size, entry.mtime_ns, entry.inode),
            )
            store.execute("DELETE FROM errors WHERE path = ?", (entry.path,))


def _walk(root: Path, skipped: list[tuple[Path, str]], unreadable: list[bytes]) -> Iterator[_Entry]:
    """Audio files below a folder; each folder once, whatever links lead to it. Hidden ones are left out."""
    if root.is_file():
        found = root.stat()
        yield _Entry(os.fsencode(root), found.st_size, found.st_mtime_ns, found.st_ino)
        return
    stack, visited = [os.fsencode(root)], set()
    while stack:
        folder = stack.pop()
        try:
            about = os.stat(folder)
            if (about.st_dev, about.st_ino) in visited:
                continue
            visited.add((about.st_dev, about.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda e: e.name)
        except OSError as error:
            skipped.append((Path(os.fsdecode(folder)), error.strerror or str(error)))
            unreadable.append(folder + b"/")
            continue
        for one in entries:
            if one.name.startswith(b"."):
                continue
            try:
                if one.is_dir():
                    stack.append(one.path)
                elif os.fsdecode(one.name).lower().endswith(_SUFFIXES) and one.is_file():
                    found = one.stat()
                    yield _Entry(one.path, found.st_size, found.st_mtime_ns, found.st_ino)
            except OSError as error:
                skipped.append((Path(os.fsdecode(one.path)), error.strerror or str(error)))
