"""Order songs into playlists that flow: paths between two songs, and rounds about seeds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from celesta.errors import UsageError


@dataclass(frozen=True)
class Limits:
    """What a playlist must not do.

    Attributes:
        artists: of each song; "" where unknown, which never counts as the same.
        once: no artist more than once.
        banned: songs that may not be used, such as copies of others.
    """

    artists: Sequence[str]
    once: bool = False
    banned: frozenset[int] = frozenset()


Row = Callable[[int], np.ndarray]
"""Similarities ``(songs,)`` of a song to all songs, from 0 to 1."""
_CANDIDATES = 200  # songs near the straight way that a path may use


def path(start: int, end: int, length: int, similar: Row, limits: Limits) -> list[int]:
    """Find a way from one song to another whose worst step is as small as possible.

    Songs near both ends are taken as candidates. A search over steps keeps, for each candidate and number of steps, the
    way whose worst step is best (a bottleneck path), without repeating a song or an artist twice in a row.

    Args:
        start: the first song.
        end: the last song.
        length: number of songs, both ends included, at least 2.
        similar: similarity of a song to all songs.
        limits: what it must not do.

    Returns:
        Songs from start to end; fewer than ``length`` where the library has too few.

    Raises:
        UsageError: length below 2, or start and end are the same song.
    """
    if length < 2:
        raise UsageError(f"a path has at least 2 songs, got {length}")
    if start == end:
        raise UsageError("the path begins and ends with the same song; choose two songs")
    from_start, from_end = similar(start), similar(end)
    both = np.minimum(1, from_start + from_end) + np.sqrt(from_start * from_end)
    both[[start, end, *limits.banned]] = -1
    order = np.argsort(-both, kind="stable")[: max(_CANDIDATES, 4 * length)]
    songs = [start, *(int(song) for song in order if both[song] >= 0), end]
    if len(songs) < length:
        length = len(songs)
    steps = np.stack([similar(song)[songs] for song in songs])
    np.fill_diagonal(steps, -1)
    same = _conflicts(songs, limits.artists)
    return [songs[i] for i in _bottleneck(steps, same, length, _pull(from_end[songs]), limits.once)]


def _pull(to_end: np.ndarray) -> np.ndarray:
    """A little preference for songs nearer to the end, which breaks ties between equally good worst steps."""
    return np.asarray(1e-3 * to_end)


def _conflicts(songs: Sequence[int], artists: Sequence[str]) -> np.ndarray:
    """``(n, n)`` bool: two songs are by the same known artist."""
    names = np.array([artists[song] for song in songs])
    return np.asarray((names[:, None] == names[None]) & (names[:, None] != ""))


def _bottleneck(steps: np.ndarray, same_artist: np.ndarray, length: int, pull: np.ndarray, once: bool) -> list[int]:
    """The best way of ``length`` places from the first to the last: a beam of ways for each place."""
    n, last = len(steps), len(steps) - 1
    ways: list[tuple[float, float, list[int]]] = [(1.0, 0.0, [0])]
    for number in range(1, length):
        wanted = [last] if number == length - 1 else range(1, last)
        share = number / (length - 1)
        following: dict[int, tuple[float, float, list[int]]] = {}
        for worst, total, way in ways:
            here = way[-1]
            for to in wanted:
                if to in way or same_artist[here, to] or (once and same_artist[to, way].any()):
                    continue
                step = float(steps[here, to])
                made = (min(worst, step), total + step + share * float(pull[to]), [*way, to])
                if to not in following or made[:2] > following[to][:2]:
                    following[to] = made
        if not following:
            continue
        ways = sorted(following.values(), key=lambda one: one[:2], reverse=True)[: 4 * n]
    best = max(ways, key=lambda one: one[:2])[2]
    return best if best[-1] == last else [*best, last]


def around(
    seeds: Sequence[int],
    similar: Row,
    durations: Sequence[float],
    limits: Limits,
    *,
    songs: int | None = None,
    seconds: float | None = None,
) -> list[int]:
    """Collect songs that are similar to all seeds, in an order in which neighbours are similar.

    Args:
        seeds: songs that begin the list.
        similar: similarity of a song to all songs.
        durations: seconds of each song.
        limits: what it must not do.
        songs: how many songs, or
        seconds: how long; one of the two. The list ends within half a song of average length below it, and never
            exceeds it, unless the seeds alone do, or no song is short enough.

    Raises:
        UsageError: no seed, or not exactly one of songs and seconds.
    """
    if not seeds:
        raise UsageError("a playlist needs at least one seed")
    if (songs is None) == (seconds is None):
        raise UsageError("give the number of songs or the minutes, one of them")
    lengths = np.asarray(durations, np.float64)
    fit = np.mean([similar(seed) for seed in seeds], axis=0)
    chosen = list(dict.fromkeys(seeds))
    while True:
        left = np.inf
        if songs is not None and len(chosen) >= songs:
            return chosen
        if seconds is not None:
            left = seconds - lengths[chosen].sum()
            if left < 0.5 * lengths[chosen].mean():
                return chosen
        scores = fit + 0.5 * similar(chosen[-1])
        scores[[*chosen, *limits.banned]] = -1
        scores[lengths > left] = -1
        following = _first_allowed(scores, chosen, limits)
        if following is None:
            return chosen
        chosen.append(following)


def _first_allowed(scores: np.ndarray, chosen: Sequence[int], limits: Limits) -> int | None:
    """The best song whose artist may come next; None where there is none."""
    used = {limits.artists[song] for song in chosen} if limits.once else {limits.artists[chosen[-1]]}
    used.discard("")
    for song in np.argsort(-scores, kind="stable").tolist():
        if scores[song] < 0:
            return None
        if limits.artists[song] not in used:
            return int(song)
    return None


def worst_step(songs: Sequence[int], similar: Row) -> float:
    """Return the smallest similarity of two neighbours; 1 for a single song."""
    return min((float(similar(a)[b]) for a, b in itertools.pairwise(songs)), default=1.0)
