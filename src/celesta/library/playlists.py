"""Order songs into playlists that flow: paths between two songs, and rounds about seeds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from celesta.errors import UsageError

Row = Callable[[int], np.ndarray]
"""Similarities ``(songs,)`` of a song to all songs, from 0 to 1."""
_CANDIDATES = 200  # songs near the straight way that a path may use


def path(start: int, end: int, length: int, similar: Row, artists: Sequence[str], *, once: bool = False) -> list[int]:
    """Find a way from one song to another whose worst step is as small as possible.

    Songs near both ends are taken as candidates. A search over steps keeps, for each candidate and number of steps, the
    way whose worst step is best (a bottleneck path), without repeating a song or an artist twice in a row.

    Args:
        start: the first song.
        end: the last song.
        length: number of songs, both ends included, at least 2.
        similar: similarity of a song to all songs.
        artists: of each song; "" where unknown, which never counts as the same.
        once: no artist more than once.

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
    both[[start, end]] = -1
    order = np.argsort(-both, kind="stable")[: max(_CANDIDATES, 4 * length)]
    songs = [start, *(int(song) for song in order if both[song] >= 0), end]
    if len(songs) < length:
        length = len(songs)
    steps = np.stack([similar(song)[songs] for song in songs])
    np.fill_diagonal(steps, -1)
    return [songs[i] for i in _bottleneck(steps, _conflicts(songs, artists), length, _pull(from_end[songs]), once)]


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
    artists: Sequence[str],
    durations: Sequence[float],
    *,
    songs: int | None = None,
    seconds: float | None = None,
    once: bool = False,
) -> list[int]:
    """Collect songs that are similar to all seeds, in an order in which neighbours are similar.

    Args:
        seeds: songs that begin the list.
        similar: similarity of a song to all songs.
        artists: of each song.
        durations: seconds of each song.
        songs: how many songs, or
        seconds: how long; one of the two.
        once: no artist more than once.

    Raises:
        UsageError: no seed, or not exactly one of songs and seconds.
    """
    if not seeds:
        raise UsageError("a playlist needs at least one seed")
    if (songs is None) == (seconds is None):
        raise UsageError("give the number of songs or the minutes, one of them")
    fit = np.mean([similar(seed) for seed in seeds], axis=0)
    chosen = list(dict.fromkeys(seeds))
    used = {artists[song] for song in chosen} - {""}
    while _short(chosen, durations, songs, seconds):
        scores = fit + 0.5 * similar(chosen[-1])
        scores[chosen] = -1
        last = artists[chosen[-1]]
        for song in np.argsort(-scores, kind="stable"):
            if scores[song] < 0:
                return chosen
            artist = artists[song]
            if artist and (artist == last or (once and artist in used)):
                continue
            chosen.append(int(song))
            used.add(artist)
            break
        else:
            return chosen
    return chosen


def _short(chosen: Sequence[int], durations: Sequence[float], songs: int | None, seconds: float | None) -> bool:
    """Whether another song is wanted: up to the length, or nearer to it with one more of average length."""
    if songs is not None:
        return len(chosen) < songs
    assert seconds is not None
    total = sum(durations[song] for song in chosen)
    return total + 0.5 * total / len(chosen) < seconds


def worst_step(songs: Sequence[int], similar: Row) -> float:
    """Return the smallest similarity of two neighbours; 1 for a single song."""
    return min((float(similar(a)[b]) for a, b in itertools.pairwise(songs)), default=1.0)
