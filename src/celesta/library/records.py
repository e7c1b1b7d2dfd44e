"""Songs of a library, read from the store."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celesta._files import printable
from celesta.library.payload import payload_id
from celesta.library.reasons import PITCHES, Facts
from celesta.library.store import Store

Source = str | os.PathLike[str] | int
"""A file, of the library or any other, or the number of a song of the library."""

_NO_ARTIST = ("", "unknown", "unknown artist", "no artist", "none", "n/a", "various", "various artists", "va", "artist")


@dataclass(frozen=True, eq=False, repr=False)
class Song:
    """A recording of the library.

    Attributes:
        id: number in the library, which never changes.
        path: of its file; the one seen last where there are several.
        missing: whether none of its files was there at the last scan.
        duration: seconds; None where it is not analysed.
        tags: text tags of the file, with lower-case names.
        values: what was measured, see :class:`celesta.library.analysis.SongRecord`, and ``year``.
        labels: predictor to label to probability.

    Example:
        >>> tags = {"artist": "Anna", "title": "Ballad"}
        >>> song = Song(7, Path("a.mp3"), False, 180.0, tags, {"key": 9.0, "mode": 0.0})
        >>> song.name, song.key
        ('Anna - Ballad', 'A minor')
    """

    id: int
    path: Path
    missing: bool
    duration: float | None
    tags: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Title by the tags, else the file's name without its suffix; printable."""
        return printable(self.tags.get("title") or self.path.stem)

    @property
    def artist(self) -> str:
        """Artist by the tags, "" where unknown; printable."""
        return printable(self.tags.get("artist", ""))

    @property
    def name(self) -> str:
        """``Artist - Title``."""
        return f"{self.artist} - {self.title}" if self.artist else self.title

    @property
    def key(self) -> str:
        """Key such as ``C# minor``; "" where there is none."""
        if "key" not in self.values:
            return ""
        return f"{PITCHES[int(self.values['key']) % 12]} {'major' if self.values.get('mode') else 'minor'}"

    def label(self, predictor: str) -> str:
        """Return the most probable label of a predictor, "" where it has none."""
        found = self.labels.get(predictor, {})
        return max(found, key=lambda name: found[name]) if found else ""

    @property
    def facts(self) -> Facts:
        """What :func:`celesta.library.reasons.reasons` needs."""
        return Facts(self.values, self.labels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "id": self.id,
            "path": printable(self.path),
            "missing": self.missing,
            "duration": None if self.duration is None else round(self.duration, 3),
            "tags": dict(self.tags),
            "key": self.key or None,
            "values": {name: round(value, 4) for name, value in self.values.items()},
            "labels": {
                name: {label: round(p, 4) for label, p in sorted(found.items(), key=lambda pair: -pair[1])}
                for name, found in self.labels.items()
            },
        }

    def __repr__(self) -> str:
        return f"Song({self.id}, {self.name!r})"


def songs(store: Store, ids: Iterable[int]) -> list[Song]:
    """Read songs by their ids, in that order; unknown ids are left out."""
    wanted = list(ids)
    chosen = (json.dumps(wanted),)
    inside = "IN (SELECT value FROM json_each(?))"
    paths: dict[int, tuple[bytes, bool]] = {}
    for recording, path, missing in store.rows(
        f"SELECT recording, path, missing_since IS NOT NULL FROM files WHERE recording {inside}"
        " ORDER BY missing_since IS NULL, missing_since, id",
        chosen,
    ):
        paths[recording] = (path, bool(missing))
    tags: dict[int, dict[str, str]] = {}
    for recording, name, text in store.rows(
        f"SELECT recording, name, value FROM tags WHERE recording {inside}", chosen
    ):
        tags.setdefault(recording, {})[name] = text
    values: dict[int, dict[str, float]] = {}
    sql = f"SELECT recording, name, value FROM descriptors WHERE recording {inside}"
    for recording, name, value in store.rows(sql, chosen):
        values.setdefault(recording, {})[name] = value
    labels: dict[int, dict[str, dict[str, float]]] = {}
    sql = f"SELECT recording, predictor, label, probability FROM predictions WHERE recording {inside}"
    for recording, predictor, label, probability in store.rows(sql, chosen):
        labels.setdefault(recording, {}).setdefault(predictor, {})[label] = probability
    sql = f"SELECT id, duration FROM recordings WHERE id {inside}"
    durations = dict(store.rows(sql, chosen))
    return [
        Song(
            one,
            Path(os.fsdecode(paths[one][0])),
            paths[one][1],
            durations[one],
            tags.get(one, {}),
            values.get(one, {}),
            labels.get(one, {}),
        )
        for one in wanted
        if one in paths and one in durations
    ]


def read_artists(store: Store, ids: Sequence[int]) -> tuple[list[str], list[float]]:
    """Return the artist and the seconds of each song.

    Artists are in lower case, and "" where the tags name none, or say "Unknown Artist", "Various Artists" or the like.
    """
    rows = store.rows(
        "SELECT r.id, r.duration, t.value FROM recordings r"
        " LEFT JOIN tags t ON t.recording = r.id AND t.name = 'artist'"
    )
    known = {recording: (artist or "", duration or 0.0) for recording, duration, artist in rows}
    names = [known[one][0].strip().casefold() for one in ids]
    return ["" if name.strip("<>[]()- ") in _NO_ARTIST else name for name in names], [known[one][1] for one in ids]


def find_recording(store: Store, source: Source) -> int | None:
    """Return the id of a source's recording; None if it is a file whose audio the library does not know.

    A file of the library that is as it was is found by its path, any other by its payload.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, int):
        return source if store.rows("SELECT 1 FROM recordings WHERE id = ?", (source,)) else None
    path = os.fsencode(os.path.abspath(source))
    rows = store.rows("SELECT recording, size, mtime_ns FROM files WHERE path = ?", (path,))
    try:
        about = os.stat(path)
    except OSError:
        return int(rows[0][0]) if rows else None
    if rows and rows[0][1:] == (about.st_size, about.st_mtime_ns):
        return int(rows[0][0])
    rows = store.rows("SELECT id FROM recordings WHERE payload = ?", (payload_id(os.fsdecode(path)),))
    return int(rows[0][0]) if rows else None
