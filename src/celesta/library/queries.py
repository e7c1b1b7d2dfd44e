"""Ask a library: songs like others, words and ranges, playlists."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from celesta._files import printable
from celesta._names import check_the_path
from celesta.errors import LibraryError, UsageError
from celesta.latents import is_cel
from celesta.library.asked import AskedSongs
from celesta.library.block_table import BLOCKS
from celesta.library.neighbours import Seed, Similar, SongSpace, find_similar, parse_weights
from celesta.library.playlist import DEFAULT_SONGS, Playlist, Wish, make_playlist
from celesta.library.positions import SongMap, make_map
from celesta.library.records import Song, Source, find_recording, songs
from celesta.library.search import Query, Range, check_label, parse_key, parse_range, search
from celesta.library.space import Weights
from celesta.library.store import Store
from celesta.models.licences import ALL_WEIGHTS


class Queries:
    """The part of :class:`celesta.Library` that answers questions and changes nothing.

    Args:
        store: the library.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._space: tuple[tuple[int, int], SongSpace] | None = None
        self._asked = AskedSongs(store.licence)

    def similar(
        self,
        *sources: Source,
        start: float | None = None,
        stop: float | None = None,
        by: str | Mapping[str, float] | None = None,
        more: Sequence[Source] = (),
        less: Sequence[Source] = (),
        n: int = 10,
    ) -> list[Similar]:
        """Find the songs that are most like one or several others.

        Args:
            sources: songs to be like, of the library or any file; a file that is not in the library is analysed.
            start: compare with a stretch of the (only) source from here, seconds.
            stop: its end.
            by: blocks to compare by, such as ``"timbre,mood:2"``, or a dict of block to weight.
            more: songs to lean towards, with half the weight of the sources.
            less: songs to lean away from.
            n: how many.

        Returns:
            The best first. Each has the reasons, and the part of it that is most like the sources. A stretch is
            compared with the parts of songs.

        Raises:
            UsageError: no source, or a stretch of several, or one that ends before it begins.
            LibraryError: the library has no analysed songs.
            AudioError: a file cannot be read.
        """
        if not sources:
            raise UsageError("similar: name at least one song")
        stretch = start is not None or stop is not None
        if stretch and len(sources) > 1:
            raise UsageError("--from and --to: a stretch needs exactly one song")
        if stop is not None and stop <= (start or 0.0):
            raise UsageError(f"--from {start or 0:g} --to {stop:g}: the stretch must end after it begins")
        weights = self._weights(by)
        space = self._songs()
        asked = None if by is None else [name for name, weight in weights.of.items() if weight > 0]
        needed = asked or BLOCKS  # the reasons of the default weights are taken from all
        part = (start or 0.0, stop) if stretch else None
        seeds = [self._seed(one, space, needed, part) for one in sources]
        leaning = [[self._seed(one, space, needed) for one in of] for of in (more, less)]
        return find_similar(self._store, space, seeds, weights, n, more=leaning[0], less=leaning[1], by=asked)

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
            genre: a class of the predictor of genre, the most probable one of a song.
            n: at most so many.
            ranges: ``tempo``, ``loudness``, ``duration``, ``year``, ``valence``, ``arousal``: ``"118..124"`` or
                ``(118, 124)``.

        Raises:
            UsageError: a key or a range cannot be read, a mood or a genre is no class of its predictor, or the library
                has none for its licence.
        """
        needed = {"mood": mood, "genre": genre, **{name: name in ranges for name in ("valence", "arousal")}}
        self._refuse_unlicensed([name for name, asked in needed.items() if asked])
        mood, genre = check_label(self._store, "mood", mood), check_label(self._store, "genre", genre)
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
    ) -> Playlist:
        """Make a playlist: a path from ``start`` to ``end``, or songs around seeds.

        No song comes twice, nor a copy of one, and no artist twice in a row where the tags name artists. What is not as
        it was asked for is in the list's ``notes``.

        Args:
            seeds: songs of the library to begin with and to be like.
            start: first song of a path.
            end: last song of a path.
            n: number of songs; 15 where neither it nor minutes are given.
            minutes: length in minutes, which is not exceeded; for playlists around seeds only.
            by: blocks to compare by; see :meth:`similar`.
            no_repeat_artist: no artist more than once; songs whose artist is unknown may all come.

        Raises:
            UsageError: neither seeds nor both ends.
            LibraryError: a song is not in the library or not analysed.
        """
        space = self._songs()
        weights = self._weights(by)
        rows = [self._row(one, space) for one in seeds]
        if start is not None and end is not None and not seeds:
            if minutes is not None:
                raise UsageError("--minutes: a path has a number of songs; give -n instead")
            ends = self._row(start, space), self._row(end, space)
            wish = Wish(ends=ends, songs=DEFAULT_SONGS if n is None else n, once=no_repeat_artist)
        elif seeds and start is None and end is None:
            if n is not None and minutes is not None:
                raise UsageError("-n and --minutes: give one of them")
            count = DEFAULT_SONGS if n is None and minutes is None else n
            seconds = None if minutes is None else 60 * minutes
            wish = Wish(seeds=rows, songs=count, seconds=seconds, once=no_repeat_artist)
        else:
            raise UsageError("a playlist needs both --from and --to, or one --seed or more")
        return make_playlist(self._store, space, weights, wish)

    def map(self, *, refit: bool = False, seed: int = 0) -> SongMap:
        """Lay out the songs on a plane, like songs near each other, for :func:`celesta.report.library_map.write_map`.

        Positions are stored in the library: songs stay where they are when others are added.

        Args:
            refit: lay out all songs anew.
            seed: of the random numbers of a new layout.

        Raises:
            LibraryError: the library has no analysed songs.
        """
        return make_map(self._store, self._songs(), refit=refit, seed=seed)

    def _weights(self, by: str | Mapping[str, float] | None) -> Weights:
        weights = parse_weights(by)
        self._refuse_unlicensed([f"by {name}" for name in ("mood",) if weights.of.get(name)])
        return weights

    def _refuse_unlicensed(self, options: Sequence[str]) -> None:
        if options and self._store.licence != ALL_WEIGHTS:
            made = f"{self._store.name} was made with --licence {self._store.licence}"
            raise UsageError(
                f"--{options[0]}: {made}, without the predictors of genre and mood, which are for research only"
            )

    def _songs(self) -> SongSpace:
        """The songs to compare; read again after the library was changed, by this or another process."""
        ((version,),) = self._store.rows("PRAGMA data_version")
        stamp = (int(version), self._store.changes)
        if self._space is None or self._space[0] != stamp:
            self._space = (stamp, SongSpace(self._store))
        return self._space[1]

    def _seed(
        self, source: Source, space: SongSpace, blocks: Sequence[str], part: tuple[float, float | None] | None = None
    ) -> Seed:
        recording = self._recording(source)
        if recording is not None and recording in space and part is None:
            return Seed(songs(self._store, [recording])[0].facts, recording)
        if isinstance(source, int):
            known = songs(self._store, [source])
            if not known:
                raise LibraryError(f"song {source}: the library has no song of this number")
            source = known[0].path
        if recording is None and is_cel(source) and os.path.isfile(source):
            name = printable(source)
            decode = f"decode it first: celesta decode {shlex.quote(name)}"
            raise LibraryError(f"{name}: is a latent; {decode}; or give the song that it was made from")
        record = self._asked.record(Path(source), *(part or (0.0, None)), blocks)
        return Seed(record.facts, recording, record, part is not None)

    def _row(self, source: Source, space: SongSpace) -> int:
        recording = self._recording(source)
        if recording is None or recording not in space:
            raise LibraryError(f"{printable(source)}: {self._why_not(source, recording)}")
        return space.row(recording)

    def _recording(self, source: Source) -> int | None:
        if not isinstance(source, int) and os.path.isdir(source):
            raise LibraryError(f"{printable(source)}: is a folder; name a song")
        return find_recording(self._store, source)

    def _why_not(self, source: Source, recording: int | None) -> str:
        """Say why a song cannot be in a playlist, and what to do."""
        if isinstance(source, int):
            return "the library has no analysed song of this number"
        there = os.path.exists(source)
        if recording is None and not there:
            return f"there is no such file, and no such song in the library; {check_the_path(source)}"
        if recording is None and is_cel(source) and os.path.isfile(source):
            return "is a latent; give the song that it was made from"
        if recording is None:
            name = shlex.quote(printable(source))
            return f"is not in the library; add it with: {self._store.command(f'library add {name}')}"
        update, errors = (self._store.command(f"library {verb}") for verb in ("update", "errors"))
        if not there:
            return f"is in the library, but its file is gone; when it is back, run: {update}"
        return f"is in the library, but not analysed; run: {update}, or see why it failed: {errors}"
