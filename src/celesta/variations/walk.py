"""A walk through a song by jumps: of a given length, with few jumps, and repeating as little as it can.

The walk is planned about a length of the song ahead, its first jump is made, and it is planned again. Each beat and
each jump costs the more, the more often and the more recently it was played.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from celesta.variations.joins import Join
from celesta.variations.played import Played
from celesta.variations.routes import Routes, Tables

_RUN = 4  # beats that are played between two jumps at least
_JITTER = 0.3  # share of a jump's cost that is drawn anew for each search
_NEAR = (4, 16, 64)  # numbers of beats that are tried around the one that is wanted, until there is a way
_REMAINDER = 4.0  # cost of a remainder of a whole beat
_PART = 0.1  # share of a song from which on a part is repeated for its own sake
_AHEAD = 2.2  # lengths of a part: when so much is left, the way to the end is planned
_SEARCHES = 8  # ways that are compared
_AGAIN = 0.1  # cost of a beat for each time that the way before played it again


@dataclass(frozen=True)
class _Way:
    """Jumps to a beat, and the cost of what they leave of the wanted length."""

    jumps: list[int]
    end: int
    off: float = 0.0


@dataclass(frozen=True)
class _Walked:
    """Jumps that were made, and samples that are left of the length."""

    jumps: list[int]
    left: float


class Walker:
    """Find walks from one beat to another.

    Args:
        beats: ``(n,)`` samples of the beats.
        joins: the jumps that may be made.
        sample_rate: Hz.
        seed: of the choice among jumps that are nearly as good.
    """

    def __init__(self, beats: np.ndarray, joins: Sequence[Join], sample_rate: int, seed: int) -> None:
        self.beats, self.joins = beats, list(joins)
        self._period = float(np.diff(beats).mean())
        self._shift = np.array([join.shift for join in joins], np.float64)
        self._random = np.random.default_rng(seed)
        self._played = Played(joins, len(beats), self._period / sample_rate)
        leave, enter = self._played.leave, self._played.enter
        self._routes = {run: Routes(leave, enter, run, len(beats)) for run in (1, _RUN)}

    def walk(self, first: int, last: int, length: int) -> list[Join] | None:
        """Find the jumps of a walk.

        Parts of the song within which each beat leads to each other one are repeated in turn, each by its size: there
        is no way back from the next one.

        Args:
            first: beat at which the walk begins.
            last: beat at which it ends.
            length: samples from the one to the other.

        Returns:
            The jumps in order; what their shifts leave of the length is for others. None where there is no way.
        """
        made: list[int] = []
        at, left = first, float(length)
        free = left - self._between(first, last)
        parts = self._parts(first, last) if free > 0 else []
        sizes = [stop - start for start, stop in parts]
        for k, part in enumerate(parts[:-1]):
            later = self._between(part[1], last) + free * sum(sizes[k + 1 :]) / sum(sizes)
            found = self._walked(at, part[1], left - later, part)
            if found is not None:
                made += found.jumps
                left, at = found.left + later, part[1]
        found = self._walked(at, last, left, parts[-1] if parts else None)
        return None if found is None else [self.joins[jump] for jump in made + found.jumps]

    def _parts(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the parts of the song that are repeated."""
        parts = [(start, stop) for start, stop in self._routes[_RUN].loops() if start < last and stop > first]
        parts = [(start, min(stop, last)) for start, stop in parts]
        return [part for part in parts if part[1] - part[0] >= _PART * len(self.beats)] or parts

    def _walked(self, at: int, last: int, left: float, part: tuple[int, int] | None) -> _Walked | None:
        """Walk from one beat to another within ``left`` samples, and repeat a part of the song on the way."""
        run = _RUN if left >= 4 * _RUN * self._period else 1
        made: list[int] = []
        rest: list[int] | None = None  # jumps of a way to the end
        while True:
            way = None if part is None else self._within(run, at, last, left, part)
            if way is None:
                found = self._to(run, at, last, left)
                way = rest = rest if found is None else found
            if way is None:
                return None
            if not way:
                return _Walked(made, left - self._between(at, last))
            rest = way[1:] if way is rest else None
            made.append(way[0])
            land = int(self._played.enter[way[0]]) + run
            left -= self._between(at, land) + self._shift[way[0]]
            self._played.make(at, way[0], land)
            at = land

    def _within(self, run: int, at: int, last: int, left: float, part: tuple[int, int]) -> list[int] | None:
        """Find the next jumps within a part; None where it is time for the way to the end, or there are none."""
        size = part[1] - part[0]
        if left <= _AHEAD * size * self._period + self._between(part[1], last):
            return None
        steps = max(size, part[1] - at) + 1

        def choose(tables: Tables) -> _Way | None:
            end = int(np.argmin(tables.score[steps][: part[1] + 1]))
            return _Way(tables.path(steps, end), end) if np.isfinite(tables.score[steps][end]) else None

        return self._varied(self._routes[run], at, [steps], part, choose)

    def _to(self, run: int, at: int, last: int, left: float) -> list[int] | None:
        """Find the jumps of a way of about ``left`` samples."""
        about = round(left / self._period)
        if at == last and about < _NEAR[0]:
            return []

        def off(jumps: list[int]) -> float:
            spent = self._between(at, last) + float(self._shift[jumps].sum())
            return _REMAINDER * abs(left - spent) / self._period

        def choose(tables: Tables) -> _Way | None:
            ways = {k: tables.path(k, last) for k, score in tables.score.items() if np.isfinite(score[last])}
            if not ways:
                return None
            best = min(ways, key=lambda k: float(tables.score[k][last]) + off(ways[k]))
            return _Way(ways[best], last, off(ways[best]))

        for near in _NEAR:
            wanted = [k for k in range(about - near, about + near + 1) if k >= 1]
            found = self._varied(self._routes[run], at, wanted, (at, last), choose) if wanted else None
            if found is not None:
                return found
        return None

    def _varied(
        self,
        routes: Routes,
        at: int,
        wanted: Sequence[int],
        part: tuple[int, int],
        choose: Callable[[Tables], _Way | None],
    ) -> list[int] | None:
        """Find a way again and again, each time with what the last one repeats made dearer; return the best one."""
        vary = 1 + _JITTER * (self._random.random(len(self.joins)) - 0.5)
        prices = self._played.prices(part, vary)
        best: tuple[float, list[int]] | None = None
        for _ in range(_SEARCHES):
            way = choose(routes.search(at, wanted, prices))
            if way is None:
                break
            cost, played = self._played.way(at, way.jumps, way.end, part)
            cost += way.off
            if best is None or cost < best[0]:
                best = cost, way.jumps
            again = np.maximum(played - 1, 0)
            if again.max() <= 1:
                break
            prices = replace(prices, beats=prices.beats + _AGAIN * again)
        return None if best is None else best[1]

    def _between(self, first: int, last: int) -> float:
        return float(self.beats[last] - self.beats[first])
