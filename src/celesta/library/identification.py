"""Identify listed files by their audio, so that a damaged FLAC file is not taken for the song whose MD5 it names."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from celesta.audio import read_tags
from celesta.library.payload import FLAC, FLAC_BYTES, flac_bytes_id, flac_is_whole, payload_id
from celesta.library.store import Store


@dataclass(frozen=True)
class Entry:
    """A file as the folder lists it."""

    path: bytes
    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: bytes, found: os.stat_result) -> Entry:
        """Make an entry of what the system says of a file."""
        return cls(path, found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True)
class Identified:
    """A file with its payload's identity and its tags, or with the reason why it cannot be read."""

    entry: Entry
    payload: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    reason: str = ""


def identify(store: Store, entries: list[Entry]) -> list[Identified]:
    """Identify files; of FLAC files that claim to hold the same audio the damaged ones get identities of their own."""
    found: dict[bytes, Identified] = {}
    first: dict[str, bytes] = {}
    whole = lru_cache(maxsize=None)(flac_is_whole)  # of many copies the first is compared with each
    for entry in entries:
        path = Path(os.fsdecode(entry.path))
        try:
            payload = payload_id(path)
            if payload.startswith(FLAC):
                other = first.setdefault(payload, entry.path)
                if other != entry.path and not whole(os.fsdecode(other)):
                    found[other] = replace(found[other], payload=flac_bytes_id(os.fsdecode(other)))
                    first[payload] = entry.path
                if other != entry.path or _may_be_damaged(store, payload, entry):
                    payload = payload if whole(path) else flac_bytes_id(path)
            found[entry.path] = Identified(entry, payload, read_tags(path))
        except OSError as error:
            found[entry.path] = Identified(entry, reason=error.strerror or str(error))
    return list(found.values())


def _may_be_damaged(store: Store, payload: str, entry: Entry) -> bool:
    """Whether a FLAC file has to be decoded to know that it is the recording of its MD5.

    It has to be where the library has that recording, unless the file was only moved, and where it was damaged before.
    A recording that waits for its analysis and turns out to be damaged gives the identity up.
    """
    if store.rows(
        "SELECT 1 FROM files f JOIN recordings r ON r.id = f.recording WHERE f.path = ? AND r.payload LIKE ?",
        (entry.path, f"{FLAC_BYTES}%"),
    ):
        return True
    known = store.rows(
        "SELECT f.path, f.size, f.mtime_ns, f.inode, r.id, r.analysed FROM files f JOIN recordings r"
        " ON r.id = f.recording WHERE r.payload = ?",
        (payload,),
    )
    if any((size, mtime, inode) == (entry.size, entry.mtime_ns, entry.inode) for _, size, mtime, inode, *_ in known):
        return False
    for path, *_, recording, analysed in known:
        if analysed is None and path != entry.path and os.path.exists(path):
            give_up_md5(store, recording, path)
    return bool(known)


def give_up_md5(store: Store, recording: int, path: bytes) -> None:
    """Identify the recording of a FLAC file by its encoded audio if it is damaged, so that an intact copy is another.

    Raises:
        OSError: the file cannot be read.
    """
    file = os.fsdecode(path)
    ((payload,),) = store.rows("SELECT payload FROM recordings WHERE id = ?", (recording,))
    if payload.startswith(FLAC) and not flac_is_whole(file):
        store.execute("UPDATE OR IGNORE recordings SET payload = ? WHERE id = ?", (flac_bytes_id(file), recording))
