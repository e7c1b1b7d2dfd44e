"""Compare folders with the library: what is new, changed, moved or missing. Nothing is decoded here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from celesta._files import printable
from celesta.audio import AUDIO_SUFFIXES, read_tags
from celesta.library.payload import payload_id
from celesta.library.store import Store, now
from celesta.library.tags import store_tags

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
        roots: folders or files. Where one is gone, or holds none of the files that it had (an unmounted disk), it is
            listed in ``skipped`` and nothing below it is marked.
        progress: called with the number of files done and None, then the total.

    Raises:
        LibraryError: the library cannot be written.
    """
    result = ScanResult()
    for root in roots:
        where = Path(os.path.abspath(root))
        if not where.exists():
            if _is_lost_file(store, where):
                result.missing += _mark_missing(store, [os.fsencode(where)])
                continue
            result.skipped.append((where, "no such file or folder; is its disk mounted?"))
            continue
        _scan_root(store, where, result, progress)
    return result


def _is_lost_file(store: Store, root: Path) -> bool:
    """Whether a root that is gone was a file, in a folder that still holds others."""
    if not store.rows("SELECT 1 FROM files WHERE path = ?", (os.fsencode(root),)):
        return False
    return root.parent.is_dir() and any(root.parent.iterdir())


def _mark_missing(store: Store, paths: list[bytes]) -> int:
    """Mark files as missing, and return how many were not before."""
    sql = "UPDATE files SET missing_since = ? WHERE path = ? AND missing_since IS NULL"
    return sum(store.execute(sql, (now(), path)).rowcount for path in paths)


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
    if known and not seen and not unreadable:
        result.skipped.append((root, "none of its audio files is there; is its disk mounted?"))
        return
    gone = [
        path
        for path, (*_, missing) in known.items()
        if path not in seen and missing is None and not any(path.startswith(folder) for folder in unreadable)
    ]
    # Recordings must be there before their old places are given up, so that a move never loses sight of one.
    for i in range(0, len(changed), _BATCH):
        _store_files(store, [_identified(entry) for entry in changed[i : i + _BATCH]], result)
        progress(total - len(changed) + min(len(changed), i + _BATCH), total)
    with store.transaction():
        result.missing += _mark_missing(store, gone)
    progress(total, total)


@dataclass(frozen=True)
class _Identified:
    """A file with its payload's identity and its tags, or with the reason why it cannot be read."""

    entry: _Entry
    payload: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    reason: str = ""


def _identified(entry: _Entry) -> _Identified:
    path = Path(os.fsdecode(entry.path))
    try:
        return _Identified(entry, payload_id(path), read_tags(path))
    except OSError as error:
        return _Identified(entry, reason=error.strerror or str(error))


def _store_files(store: Store, files: list[_Identified], result: ScanResult) -> None:
    with store.transaction():
        for file in files:
            entry = file.entry
            if file.reason:
                result.skipped.append((Path(os.fsdecode(entry.path)), file.reason))
                note_error(store, entry.path, "scan", file.reason)
                continue
            made = store.execute(
                "INSERT INTO recordings (payload, added) VALUES (?, ?) ON CONFLICT (payload) DO NOTHING",
                (file.payload, now()),
            )
            result.new += made.rowcount
            result.attached += 1 - made.rowcount
            ((recording,),) = store.rows("SELECT id FROM recordings WHERE payload = ?", (file.payload,))
            store.execute(
                "INSERT INTO files (path, recording, size, mtime_ns, inode) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (path) DO UPDATE SET recording = excluded.recording, size = excluded.size,"
                " mtime_ns = excluded.mtime_ns, inode = excluded.inode, missing_since = NULL",
                (entry.path, recording, entry.size, entry.mtime_ns, entry.inode),
            )
            if not made.rowcount:
                result.missing += _mark_moved(store, recording)
            store_tags(store, recording, entry.path, file.tags)
            store.execute("DELETE FROM errors WHERE path = ?", (entry.path,))


def _mark_moved(store: Store, recording: int) -> int:
    """Mark the places of a recording at which it is no more, whatever folder they are in; return their number."""
    rows = store.rows("SELECT path FROM files WHERE recording = ? AND missing_since IS NULL", (recording,))
    return _mark_missing(store, [path for (path,) in rows if not os.path.exists(path)])


def note_error(store: Store, path: bytes, stage: str, message: str) -> None:
    """Record what is wrong with a file; a newer error of the same file replaces it."""
    store.execute(
        "INSERT INTO errors (path, happened, stage, message) VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE"
        " SET happened = excluded.happened, stage = excluded.stage, message = excluded.message",
        (path, now(), stage, message),
    )


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
