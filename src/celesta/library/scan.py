"""Compare folders with the library: what is new, changed, moved or missing. Nothing is decoded here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from celesta._files import printable
from celesta.audio import AUDIO_SUFFIXES, Skipped, walk
from celesta.library.identification import Entry, Identified, identify
from celesta.library.store import Store, now
from celesta.library.tags import store_tags

_AT = "SELECT 1 FROM files WHERE path = ? AND recording = ? AND missing_since IS NULL"
_BATCH = 500
"""Files a transaction: long enough to be fast, short enough that other processes wait little."""


@dataclass
class ScanResult:
    """What a scan found.

    Attributes:
        unchanged: files that are as they were (size, modification time and inode).
        new: files of recordings that the library did not have.
        attached: files whose audio the library knew: moved, renamed, re-tagged or copied.
        moved: of these, files that are at a new path and no longer at the old one.
        missing: files that were there at the last scan and are nowhere now; their recordings are kept.
        skipped: path and reason of what could not be read.
    """

    unchanged: int = 0
    new: int = 0
    attached: int = 0
    moved: int = 0
    missing: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """Return plain data, for JSON."""
        skipped = [{"path": printable(path), "reason": reason} for path, reason in self.skipped]
        counts = {name: getattr(self, name) for name in ("unchanged", "new", "attached", "moved", "missing")}
        return {**counts, "skipped": skipped}


@dataclass
class _Tally:
    """Counts of a scan while it runs: which recordings left a path, and which are at a path where no file was known.

    A file that left one path and came to another was moved, whichever folder was looked at first.
    """

    result: ScanResult = field(default_factory=ScanResult)
    left: Counter[int | None] = field(default_factory=Counter)
    came: Counter[int | None] = field(default_factory=Counter)
    lost: list[tuple[Path, str]] = field(default_factory=list)

    def finish(self, store: Store) -> ScanResult:
        """Count what moved and what is missing; a lost folder of which every file moved is no problem."""
        self.result.moved = (self.left & self.came).total()
        self.result.missing = self.left.total() - self.result.moved
        for root, reason in self.lost:
            known = [missing for *_, missing in _known(store, root).values()]
            if not known or None in known:
                self.result.skipped.append((root, reason))
        return self.result


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
    tally = _Tally()
    for root in roots:
        where = Path(os.path.abspath(root))
        if where.exists():
            _scan_root(store, where, tally, progress)
        elif _is_lost_file(store, where):
            tally.left.update(_mark_missing(store, [os.fsencode(where)]))
        else:
            tally.lost.append((where, "no such file or folder; is its disk mounted?"))
    return tally.finish(store)


def is_without_audio(store: Store, root: Path) -> bool:
    """Whether a path is a folder that can be read, holds no audio files, and never held any for this library."""
    skipped = list[Skipped]()
    known = _known(store, root) or store.rows("SELECT 1 FROM roots WHERE path = ?", (os.fsencode(root),))
    return root.is_dir() and not known and next(_entries(root, skipped), None) is None and not skipped


def _is_lost_file(store: Store, root: Path) -> bool:
    """Whether a root that is gone was a file, in a folder that still holds others."""
    if not store.rows("SELECT 1 FROM files WHERE path = ?", (os.fsencode(root),)):
        return False
    return root.parent.is_dir() and any(root.parent.iterdir())


def _mark_missing(store: Store, paths: list[bytes]) -> list[int | None]:
    """Mark files as missing, and return the recordings of those that were not before."""
    sql = "UPDATE files SET missing_since = ? WHERE path = ? AND missing_since IS NULL RETURNING recording"
    return [recording for path in paths for (recording,) in store.rows(sql, (now(), path))]


def _known(store: Store, root: Path) -> dict[bytes, tuple[int, int, int, float | None]]:
    """Size, modification time, inode and missing_since of each file at or below a path, by its path."""
    rows = store.rows(
        "SELECT path, size, mtime_ns, inode, missing_since FROM files WHERE path = ? OR (path > ? AND path < ?)",
        (os.fsencode(root), os.fsencode(root) + b"/", os.fsencode(root) + b"0"),
    )
    return {path: (size, mtime, inode, missing) for path, size, mtime, inode, missing in rows}


def _scan_root(store: Store, root: Path, tally: _Tally, progress: Callable[[int, int | None], None]) -> None:
    known, result = _known(store, root), tally.result
    changed: list[Entry] = []
    seen: set[bytes] = set()
    skipped: list[Skipped] = []
    for number, entry in enumerate(_entries(root, skipped)):
        seen.add(entry.path)
        if known.get(entry.path) == (entry.size, entry.mtime_ns, entry.inode, None):
            result.unchanged += 1
        else:
            changed.append(entry)
        if number % 200 == 0:
            progress(number, None)
    total, unreadable = len(seen), [os.fsencode(one.path) + b"/" for one in skipped]
    result.skipped += [(one.path, one.reason) for one in skipped]
    if known and not seen and not unreadable:
        tally.lost.append((root, "none of its audio files is there; is its disk mounted?"))
        return
    there = [path for path, (*_, missing) in known.items() if missing is None]
    gone = [path for path in there if path not in seen and not any((path + b"/").startswith(u) for u in unreadable)]
    # Recordings must be there before their old places are given up, so that a move never loses sight of one.
    for i in range(0, len(changed), _BATCH):
        _store_files(store, identify(store, changed[i : i + _BATCH]), tally)
        progress(total - len(changed) + min(len(changed), i + _BATCH), total)
    with store.transaction():
        tally.left.update(_mark_missing(store, gone))
    progress(total, total)


def _store_files(store: Store, files: list[Identified], tally: _Tally) -> None:
    result = tally.result
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
            if not store.rows(_AT, (entry.path, recording)):
                tally.came[recording] += 1
            store.execute(
                "INSERT INTO files (path, recording, size, mtime_ns, inode) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (path) DO UPDATE SET recording = excluded.recording, size = excluded.size,"
                " mtime_ns = excluded.mtime_ns, inode = excluded.inode, missing_since = NULL",
                (entry.path, recording, entry.size, entry.mtime_ns, entry.inode),
            )
            if not made.rowcount:
                tally.left.update(_mark_moved(store, recording))
            store_tags(store, recording, entry.path, file.tags)
            store.execute("DELETE FROM errors WHERE path = ?", (entry.path,))


def _mark_moved(store: Store, recording: int) -> list[int | None]:
    """Mark the places of a recording at which it is no more, whatever folder they are in; see _mark_missing."""
    rows = store.rows("SELECT path FROM files WHERE recording = ? AND missing_since IS NULL", (recording,))
    return _mark_missing(store, [path for (path,) in rows if not os.path.exists(path)])


def note_error(store: Store, path: bytes, stage: str, message: str) -> None:
    """Record what is wrong with a file; a newer error of the same file replaces it."""
    store.execute(
        "INSERT INTO errors (path, happened, stage, message) VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE"
        " SET happened = excluded.happened, stage = excluded.stage, message = excluded.message",
        (path, now(), stage, message),
    )


def _entries(root: Path, skipped: list[Skipped]) -> Iterator[Entry]:
    """Yield the audio files below a folder, or a file."""
    if root.is_file():
        yield Entry.of(os.fsencode(root), root.stat())
        return
    for one in walk(root, AUDIO_SUFFIXES, skipped):
        try:
            if one.is_file():
                yield Entry.of(os.fsencode(one.path), one.stat())
        except OSError as error:
            skipped.append(Skipped(Path(one.path), error.strerror or str(error)))
