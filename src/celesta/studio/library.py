"""A music library for many requests at once: all calls go through one thread, which holds the connection."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from celesta.errors import UsageError
from celesta.library import Duplicates, Library, LibraryStatus, Playlist, Similar, Song, write_playlist
from celesta.studio import warned
from celesta.studio.jobs import Report

T = TypeVar("T")
AXES = ("valence", "arousal", "tempo", "loudness", "brightness", "duration", "year")
"""Values by which songs can be laid out."""
_LOG = ("tempo", "brightness", "duration")


@dataclass(frozen=True, eq=False)
class Positions:
    """A map of songs.

    Attributes:
        ids: of the songs.
        xy: ``(songs, 2)`` positions.
        cluster: number of each song's cluster.
        clusters: what is typical of each.
    """

    ids: list[int]
    xy: np.ndarray
    cluster: list[int]
    clusters: list[str]


class LibraryDesk:
    """The library of a studio.

    Args:
        path: of the library file.

    Raises:
        LibraryError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, "celesta-library")
        self._songs: tuple[object, list[Song]] | None = None
        self._positions: tuple[object, Positions] | None = None
        self._ids: tuple[list[Song], dict[str, int]] | None = None
        self._known: tuple[list[Song], dict[int, Song]] | None = None
        self._library = self._thread.submit(Library, path, create=False).result()

    def _do(self, work: Callable[[Library], T]) -> T:
        def collected() -> T:
            with warned.collected():
                return work(self._library)

        return self._thread.submit(collected).result()

    def close(self) -> None:
        """Close the file."""
        self._thread.submit(self._library.close).result()
        self._thread.shutdown()

    def folders(self) -> list[Path]:
        """Return the folders and files that were added."""
        return self._do(lambda library: library.status().folders)

    def status(self) -> LibraryStatus:
        """Return what it holds."""
        return self._do(lambda library: library.status())

    def songs(self) -> list[Song]:
        """Return all songs that are there, by their paths; read again after a change."""
        return self._do(self._read_songs)

    def _read_songs(self, library: Library) -> list[Song]:
        stamp = self._stamp()
        if self._songs is None or self._songs[0] != stamp:
            self._songs = (stamp, library.search())
        return self._songs[1]

    def song(self, song_id: int) -> Song | None:
        """Return a song by its number."""
        return self._by_id().get(song_id)

    def id_of(self, path: Path) -> int | None:
        """Return the number of the song of a file; None where the library does not have it."""
        songs = self.songs()
        if self._ids is None or self._ids[0] is not songs:
            self._ids = (songs, {str(one.path): one.id for one in songs})
        return self._ids[1].get(str(path))

    def _by_id(self) -> dict[int, Song]:
        songs = self.songs()
        if self._known is None or self._known[0] is not songs:
            self._known = (songs, {one.id: one for one in songs})
        return self._known[1]

    def search(self, text: str, key: str, mood: str, genre: str, ranges: dict[str, str]) -> list[Song]:
        """Search; see :meth:`celesta.Library.search`."""
        given: dict[str, Any] = {name: value for name, value in ranges.items() if value}
        return self._do(lambda library: library.search(text, key=key, mood=mood, genre=genre, **given))

    def similar(self, source: int | Path, start: float | None, stop: float | None, by: str, n: int) -> list[Similar]:
        """Find similar songs; see :meth:`celesta.Library.similar`."""
        return self._do(lambda library: library.similar(source, start=start, stop=stop, by=by or None, n=n))

    def playlist(
        self, seeds: Sequence[int], start: int | None, end: int | None, n: int, no_repeat_artist: bool
    ) -> Playlist:
        """Make a playlist; see :meth:`celesta.Library.playlist`."""
        return self._do(
            lambda library: library.playlist(*seeds, start=start, end=end, n=n, no_repeat_artist=no_repeat_artist)
        )

    def write(self, ids: Sequence[int], path: Path) -> None:
        """Write a playlist with absolute paths, because nobody knows where a browser saves it.

        Raises:
            UsageError: no song of these is in the library, or the suffix is unknown.
        """
        known = self._by_id()
        chosen = [known[one] for one in ids if one in known]
        if not chosen:
            raise UsageError("none of these songs is in the library any more; reload the page")
        write_playlist(chosen, path, absolute=True)

    def duplicates(self, report: Report) -> Duplicates:
        """Find duplicates, with a connection of its own, so that other requests need not wait."""
        with Library(self.path, create=False) as library:
            return library.duplicates(progress=lambda done, total: report(done, total))

    def update(self, report: Report) -> dict[str, Any]:
        """Scan the folders again and analyse what is new, with a connection of its own."""

        def progress(one: Any) -> None:
            report(one.songs, one.total, "looking for files" if one.stage == "scan" else "analysing songs")

        with Library(self.path, create=False) as library:
            result = library.update(workers=max(1, (os.cpu_count() or 2) - 1), progress=progress)
            return {"analysed": result.analysis.analysed, "failed": result.analysis.failed}

    def layout(self, x: str, y: str) -> tuple[list[int], np.ndarray, np.ndarray]:
        """Return numbers of songs and their values of two of :data:`AXES`; songs without them are left out.

        Raises:
            UsageError: an axis is unknown.
        """
        for name in (x, y):
            if name not in AXES:
                raise UsageError(f"unknown axis {name!r}; choose two of {', '.join(AXES)}")
        found = [(song.id, _value(song, x), _value(song, y)) for song in self.songs()]
        chosen = [(one, a, b) for one, a, b in found if a is not None and b is not None]
        columns = np.array([[a, b] for _, a, b in chosen], float).reshape(-1, 2)
        return [one for one, _, _ in chosen], columns[:, 0], columns[:, 1]

    def positions(self) -> Positions:
        """Return the library's map, made where it is missing.

        Raises:
            LibraryError: the library has no analysed songs.
        """
        return self._do(self._read_positions)

    def _read_positions(self, library: Library) -> Positions:
        stamp = self._stamp()
        if self._positions is None or self._positions[0] != stamp:
            made = library.map()
            ids = [song.id for song in made.songs]
            found = Positions(ids, made.xy, made.cluster.tolist(), list(made.clusters))
            self._positions = (self._stamp(), found)  # making it has changed the file
        return self._positions[1]

    def _stamp(self) -> object:
        return tuple(_stamp(Path(f"{self.path}{suffix}")) for suffix in ("", "-wal"))


def scaled(values: np.ndarray, name: str) -> tuple[np.ndarray, list[float]]:
    """Scale values to 0..1, some on a logarithmic axis; also return the lowest and the highest one."""
    if not len(values):
        return values, [0.0, 0.0]
    shown = np.log(np.maximum(values, 1e-9)) if name in _LOG else values
    low, high = (-1.0, 1.0) if name in ("valence", "arousal") else (float(shown.min()), float(shown.max()))
    width = high - low if high > low else 1.0
    ends = [float(np.exp(low)), float(np.exp(high))] if name in _LOG else [low, high]
    return np.clip((shown - low) / width, 0, 1), ends


def _value(song: Song, name: str) -> float | None:
    return song.duration if name == "duration" else song.values.get(name)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns
