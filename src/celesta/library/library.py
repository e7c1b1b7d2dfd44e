"""The library as one object, with the same words as the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from celesta._files import printable
from celesta.errors import LibraryError, UsageError
from celesta.library.adding import AddProgress, Progress, analyse_waiting
from celesta.library.analysis import analyser
from celesta.library.duplicates import Duplicates, find_duplicates
from celesta.library.neighbours import Seed, Similar, SongSpace, find_similar, parse_weights
from celesta.library.playlists import around
from celesta.library.playlists import path as song_path
from celesta.library.records import Song, Source, find_recording, read_artists, songs
from celesta.library.results import AddResult, FileError, LibraryStatus, read_errors, read_roots, read_status
from celesta.library.scan import scan
from celesta.library.search import Query, Range, check_label, parse_key, parse_range, search
from celesta.library.store import Store, default_path


def _silent(_: AddProgress) -> None:
    pass


class Library:
    """A music library: one SQLite file that knows songs by their audio.

    Several processes may use one library at once.

    Args:
        path: the library file; by default ``$CELESTA_LIBRARY``, else ``library.db`` in the user's data folder.
        create: whether a missing file is made.

    Raises:
        LibraryError: the file cannot be opened or is not a library.

    Example:
        with celesta.Library("music.db") as library:
            library.add("Music")
            for found in library.similar("song.mp3", n=5):
                print(found.similarity, found.song.path, found.reasons)
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, create: bool = True) -> None:
        self._store = Store(default_path() if path is None else Path(path), create=create)
        self._space: tuple[tuple[int, int], SongSpace] | None = None

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Library({self._store.name!r})"

    @property
    def path(self) -> Path:
        """Path of the library file."""
        return self._store.path

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def add(
        self,
        *paths: str | os.PathLike[str],
        workers: int | None = None,
        retry: bool = False,
        progress: Progress = _silent,
    ) -> AddResult:
        """Scan folders and files, and analyse every song of the library that waits for it.

        A song is stored as soon as it is analysed; after an interruption the same call goes on.

        Args:
            paths: folders or audio files; folders are scanned again by :meth:`update`.
            workers: processes that analyse; by default one for each processor.
            retry: whether files that could not be analysed before are tried again.
            progress: called often with an :class:`AddProgress`.

        Raises:
            LibraryError: a path does not exist, or the library cannot be written.
        """
        roots = [Path(os.path.abspath(path)) for path in paths]
        for root in roots:
            if not root.exists():
                raise LibraryError(f"{printable(root)}: no such file or folder; check the path")
        for root in roots:
            self._store.execute("INSERT OR IGNORE INTO roots (path) VALUES (?)", (os.fsencode(root),))
        return self._bring_up_to_date(roots, workers, retry, progress)

    def update(self, *, workers: int | None = None, retry: bool = False, progress: Progress = _silent) -> AddResult:
        """Scan the folders that were added before, and analyse what waits; see :meth:`add`.

        A folder that is not there (an unmounted disk) is listed in the result, and its files are not marked missing.
        """
        return self._bring_up_to_date(self._roots(), workers, retry, progress)

    def _bring_up_to_date(
        self, roots: Sequence[Path], workers: int | None, retry: bool, progress: Progress
    ) -> AddResult:
        if workers is not None and workers < 1:
            raise UsageError(f"workers must be 1 or more, got {workers}")
        if retry:
            self._store.execute("DELETE FROM errors WHERE stage <> 'warning'")
        found = scan(self._store, roots, lambda done, total: progress(AddProgress("scan", done, total)))
        return AddResult(found, analyse_waiting(self._store, workers or os.cpu_count() or 1, progress))

    def _roots(self) -> list[Path]:
        return read_roots(self._store)

    def prune(self) -> int:
        """Forget the recordings whose files have all vanished, and return how many there were."""
        with self._store.transaction() as store:
            store.execute("DELETE FROM files WHERE missing_since IS NOT NULL")
            gone = [
                one
                for (one,) in store.rows(
                    "SELECT id FROM recordings r WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.recording = r.id)"
                )
            ]
            for one in gone:
                store.execute("DELETE FROM song_text WHERE rowid = ?", (one,))
                store.execute("DELETE FROM recordings WHERE id = ?", (one,))
        return len(gone)

    def status(self) -> LibraryStatus:
        """Return what the library holds."""
        return read_status(self._store)

    def errors(self) -> list[FileError]:
        """Return the files that could not be read or analysed, and those with warnings."""
        return read_errors(self._store)

    def similar(
        self,
        *sources: Source,
        start: float | None = None,
        stop: float | None = None,
        by: str | Mapping[str, float] | None = None,
        less: Sequence[Source] = (),
        n: int = 10,
    ) -> list[Similar]:
        """Find the songs that are most like one or several others.

        Args:
            sources: songs to be like, of the library or any file; a file that is not in the library is analysed.
            start: compare with a stretch of the (only) source from here, seconds.
            stop: its end.
            by: blocks to compare by, such as ``"timbre,mood:2"``, or a dict of block to weight.
            less: songs to be unlike.
            n: how many.

        Raises:
            UsageError: no source, or a stretch of several.
            LibraryError: the library has no analysed songs.
            AudioError: a file cannot be read.
        """
        if not sources:
            raise UsageError("similar: name at least one song")
        stretch = start is not None or stop is not None
        if stretch and len(sources) > 1:
            raise UsageError("--from and --to: a stretch needs exactly one song")
        weights = parse_weights(by)
        space = self._songs()
        seeds = [self._seed(one, space, start or 0.0, stop, stretch) for one in sources]
        return find_similar(self._store, space, seeds, [self._seed(one, space) for one in less], weights, n)

    def search(
        self,
        text: str = "",
        *,
        key: str = "",
        mood: str = "",
        genre: str = "",
        n: int | None = None,
        **ranges: str | Range,
    ) -> list[Song]:
        """Find songs by words and by what was measured, best first.

        Args:
            text: words and ``"phrases"``; ``-word`` excludes. They are looked up in tags and paths, and among genres,
                moods and the words of the taggers, such as ``piano``, ``slow``, ``female vocals``.
            key: such as ``Am``, ``C``, ``F#m``.
            mood: ``happy``, ``angry``, ``sad`` or ``calm``.
            genre: one of the predictor's.
            n: at most so many.
            ranges: ``tempo``, ``loudness``, ``duration``, ``year``, ``valence``, ``arousal``: ``"118..124"`` or
                ``(118, 124)``.

        Raises:
            UsageError: a key or a range cannot be read.
        """
        check_label(self._store, "mood", mood)
        check_label(self._store, "genre", genre)
        read = {name: parse_range(r, name) if isinstance(r, str) else r for name, r in ranges.items()}
        query = Query(text, read, parse_key(key) if key else None, mood, genre)
        return songs(self._store, [one for one, _ in search(self._store, query)][:n])

    def playlist(
        self,
        *seeds: Source,
        start: Source | None = None,
        end: Source | None = None,
        n: int | None = None,
        minutes: float | None = None,
        by: str | Mapping[str, float] | None = None,
        no_repeat_artist: bool = False,
    ) -> list[Song]:
        """Make a playlist: a path from ``start`` to ``end``, or songs around seeds.

        No song comes twice, and no artist twice in a row where the tags name artists.

        Args:
            seeds: songs of the library to begin with and to be like.
            start: first song of a path.
            end: last song of a path.
            n: number of songs; 15 where neither it nor minutes are given.
            minutes: length in minutes; for playlists around seeds only.
            by: blocks to compare by; see :meth:`similar`.
            no_repeat_artist: no artist more than once.

        Raises:
            UsageError: neither seeds nor both ends.
            LibraryError: a song is not in the library or not analysed.
        """
        space = self._songs()
        similar = space.row_of(parse_weights(by))
        artists, durations = read_artists(self._store, space.ids)
        if start is not None and end is not None and not seeds:
            if minutes is not None:
                raise UsageError("--minutes: a path has a number of songs; give -n instead")
            ends = self._row(start, space), self._row(end, space)
            rows = song_path(*ends, 15 if n is None else n, similar, artists, once=no_repeat_artist)
        elif seeds and start is None and end is None:
            rows = around(
                [self._row(one, space) for one in seeds],
                similar,
                artists,
                durations,
                songs=15 if n is None and minutes is None else n,
                seconds=None if minutes is None else 60 * minutes,
                once=no_repeat_artist,
            )
        else:
            raise UsageError("a playlist needs both --from and --to, or one --seed or more")
        return songs(self._store, [space.ids[row] for row in rows])

    def duplicates(self, *, progress: Callable[[int, int], None] = lambda done, total: None) -> Duplicates:
        """Find songs that are the same audio in several recordings; nothing is changed.

        Args:
            progress: called with the number of songs compared, and of all.
        """
        return find_duplicates(self._store, progress)

    def backup(self, target: str | os.PathLike[str]) -> Path:
        """Copy the library to another file while it is in use.

        Raises:
            LibraryError: the target exists or cannot be written.
        """
        self._store.backup(Path(target))
        return Path(target)

    def check(self) -> str:
        """Return ``ok``, or what SQLite's integrity check found."""
        return self._store.check()

    def _songs(self) -> SongSpace:
        """The songs to compare; read again after the library was changed, by this or another process."""
        ((version,),) = self._store.rows("PRAGMA data_version")
        stamp = (int(version), self._store.changes)
        if self._space is None or self._space[0] != stamp:
            self._space = (stamp, SongSpace(self._store))
        return self._space[1]

    def _seed(
        self, source: Source, space: SongSpace, start: float = 0.0, stop: float | None = None, stretch: bool = False
    ) -> Seed:
        recording = find_recording(self._store, source)
        if recording is not None and recording in space and not stretch:
            return Seed(songs(self._store, [recording])[0].facts, recording)
        if isinstance(source, int):
            known = songs(self._store, [source])
            if not known:
                raise LibraryError(f"song {source}: the library has no song of this number")
            source = known[0].path
        record = analyser(os.cpu_count() or 1).analyse(Path(source), start, stop)
        return Seed(record.facts, recording, record)

    def _row(self, source: Source, space: SongSpace) -> int:
        recording = find_recording(self._store, source)
        if recording is None or recording not in space:
            raise LibraryError(
                f"{printable(source)}: not among the library's analysed songs; run: celesta library add FILE"
            )
        return space.row(recording)
