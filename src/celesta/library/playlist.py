"""Make a playlist of a library's songs: a path or songs around seeds, without copies, and say what fell short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from celesta.library.duplicates import matching_pairs
from celesta.library.fingerprint import METHOD
from celesta.library.neighbours import SongSpace
from celesta.library.playlists import Limits, around, path, worst_step
from celesta.library.records import Song, read_artists, songs
from celesta.library.space import Weights
from celesta.library.store import Store

DEFAULT_SONGS = 15
_ROUNDS = 5  # how often copies are looked for anew, after those that were found were left out


class Playlist(list[Song]):
    """Songs in order.

    Attributes:
        notes: what is not as it was asked for, and why; one sentence each.
        worst_step: the least similarity of two neighbours, 0 to 1.

    Example:
        >>> from pathlib import Path
        >>> songs = [Song(number, Path(f"{number}.mp3"), False, 200.0) for number in (1, 2)]
        >>> playlist = Playlist(songs, worst_step=0.8)
        >>> len(playlist), playlist.seconds
        (2, 400.0)
    """

    def __init__(self, songs: Iterable[Song] = (), notes: Sequence[str] = (), worst_step: float = 1.0) -> None:
        super().__init__(songs)
        self.notes, self.worst_step = list(notes), worst_step

    @property
    def seconds(self) -> float:
        """Length of all songs together."""
        return sum(song.duration or 0.0 for song in self)


@dataclass(frozen=True)
class Wish:
    """What a playlist should be; rows are those of the space.

    Attributes:
        seeds: rows to begin with and to be like; or
        ends: rows of the first and the last song of a path.
        songs: how many; None where seconds count.
        seconds: how long, for seeds only.
        once: no artist more than once.
    """

    seeds: Sequence[int] = ()
    ends: tuple[int, int] | None = None
    songs: int | None = None
    seconds: float | None = None
    once: bool = False
    banned: frozenset[int] = field(default_factory=frozenset)


def make_playlist(store: Store, space: SongSpace, weights: Weights, wish: Wish) -> Playlist:
    """Make the playlist that is wished for; recordings of the same audio never come together in it.

    Raises:
        UsageError: the wish cannot be.
    """
    similar = space.row_of(weights)
    artists, durations = read_artists(store, space.ids)
    asked = list(wish.ends or wish.seeds)
    copies: set[int] = set()
    for _ in range(_ROUNDS):
        limits = Limits(artists, wish.once, frozenset(copies))
        if wish.ends is not None:
            rows = path(*wish.ends, wish.songs or DEFAULT_SONGS, similar, limits)
        else:
            rows = around(wish.seeds, similar, durations, limits, songs=wish.songs, seconds=wish.seconds)
        found = _copies(store, [space.ids[row] for row in rows], {space.ids[row] for row in asked})
        if not found:
            break
        copies |= {space.row(one) for one in found}
    rows = [row for row in rows if row not in copies]
    why = why_no_more(rows, copies, artists, durations, wish)
    made = Playlist(songs(store, [space.ids[row] for row in rows]), worst_step=worst_step(rows, similar))
    made.notes = _notes(made, replace(wish, banned=frozenset(copies)), [artists[row] for row in rows], why)
    return made


def _copies(store: Store, recordings: Sequence[int], asked: set[int]) -> set[int]:
    """Of songs, those that are the same audio as an earlier one; songs that were asked for stay."""
    marks = ", ".join("?" for _ in recordings)
    rows = dict(
        store.rows(
            f"SELECT recording, data FROM fingerprints WHERE method = ? AND recording IN ({marks})",
            (METHOD, *recordings),
        )
    )
    known = [one for one in recordings if one in rows]
    prints = [np.frombuffer(rows[one], "<u4").astype(np.uint32) for one in known]
    found: set[int] = set()
    for a, b, match in matching_pairs(prints):
        if match.same() and known[a] not in found:
            found.add(known[a] if known[b] in asked else known[b])
    return found - asked


def why_no_more(
    rows: Sequence[int], copies: set[int], artists: Sequence[str], durations: Sequence[float], wish: Wish
) -> str:
    """Say why no other song of the library follows the songs of a playlist."""
    left = set(range(len(artists))) - set(rows) - copies
    if wish.seconds is not None:
        room = wish.seconds - sum(durations[row] for row in rows)
        left = {row for row in left if durations[row] <= room}
    used = {artists[row] for row in rows} - {""}
    if not any(artists[row] in used for row in left):
        return "the library has no more songs that fit"
    return "every artist comes once" if wish.once else "no artist comes twice in a row"


def _notes(made: Playlist, wish: Wish, artists: Sequence[str], why: str) -> list[str]:
    """Say what fell short of the wish, and why."""
    notes = []
    if wish.songs is not None and len(made) < wish.songs:
        notes.append(f"{len(made)} songs instead of {wish.songs}: {why}")
    if wish.seconds is not None:
        short = wish.seconds - made.seconds
        said = f"{_clock(made.seconds)} instead of {_clock(wish.seconds)}"
        if short < 0:
            notes.append(f"{said}: the seeds alone are longer")
        elif short > max(60.0, made.seconds / max(len(made), 1)):
            notes.append(f"{said}: {why}")
    if wish.banned:
        notes.append(
            f"{len(wish.banned)} left out that {'is a copy' if len(wish.banned) == 1 else 'are copies'} of others"
        )
    if wish.once and "" in artists:
        unknown = artists.count("")
        notes.append(f"{unknown} of {len(made)} songs have no artist tag, so their artists may come more than once")
    return notes


def _clock(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02d}"
