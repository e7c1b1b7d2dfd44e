"""A walk through a song by jumps: of a given length, with few jumps, and repeating as little as it can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from celesta.variations.joins import Join

_RUN = 4  # beats that are played between two jumps at least
_JUMP = 1.0  # cost of a jump that is not noticed at all
_VISIT = 0.05  # cost of a beat for each time it was played
_USE = 0.3  # cost of a jump for each time it was made
_JITTER = 0.3  # share of a jump's cost that is drawn anew for each round
_NEAR = 4  # numbers of beats that are tried around the one that is wanted
_REMAINDER = 4.0  # cost of a remainder of a whole beat


class Walker:
    """Find walks from one beat to another.

    Args:
        beats: ``(n,)`` samples of the beats.
        joins: the jumps that may be made.
        seed: of the choice among jumps that are nearly as good.
    """

    def __init__(self, beats: np.ndarray, joins: Sequence[Join], seed: int) -> None:
        self.beats, self.joins = beats, list(joins)
        self._leave = np.array([join.from_beat for join in joins], np.int64)
        self._enter = np.array([join.to_beat for join in joins], np.int64)
        self._cost = np.array([join.cost for join in joins])
        self._visits, self._uses = np.zeros(len(beats)), np.zeros(len(joins))
        self._random = np.random.default_rng(seed)
        self._period = float(np.diff(beats).mean())
        back = self._leave[self._enter + _RUN <= self._leave]
        self._alive = int(back.max(initial=0)) + 1  # beats behind which no jump leads back

    def walk(self, first: int, last: int, length: int) -> list[Join] | None:
        """Find the jumps of a walk.

        Args:
            first: beat at which the walk begins.
            last: beat at which it ends.
            length: samples from the one to the other.

        Returns:
            The jumps in order; what their shifts leave of the length is for others. None where there is no way.
        """
        made: list[Join] = []
        at, left, n = first, float(length), len(self.beats)
        while left > 1.3 * n * self._period and self._alive > 1:
            steps = max(n // 2, 2 * _RUN)
            found = self._round(at, None, [steps])
            if found is None:
                break
            jumps, at, spent = found
            made += jumps
            left -= spent
        about = round(left / self._period)
        wanted = [k for k in range(about - _NEAR, about + _NEAR + 1) if k >= 1]
        found = self._round(at, last, wanted, left) if wanted else None
        return None if found is None else made + found[0]

    def _round(
        self, first: int, last: int | None, steps: Sequence[int], length: float = 0.0
    ) -> tuple[list[Join], int, float] | None:
        """Find the cheapest way of one of so many beats; return its jumps, where it ends and how long it is."""
        run = _RUN if max(steps) >= 4 * _RUN else 1
        edges = _Edges(self._leave, self._enter, self._priced(), run, len(self.beats))
        tables = edges.search(first, steps, _VISIT * self._visits)
        best: tuple[float, list[int], int, float] | None = None
        for k in steps:
            ends = tables.score[k]
            end = int(np.argmin(ends[: self._alive])) if last is None else last
            if not np.isfinite(ends[end]):
                continue
            path = tables.path(k, end)
            spent = float(self.beats[end] - self.beats[first]) + sum(self.joins[e].shift for e in path)
            off = 0.0 if last is None else _REMAINDER * abs(length - spent) / self._period
            if best is None or ends[end] + off < best[0]:
                best = float(ends[end] + off), path, end, spent
        if best is None:
            return None
        _, path, end, spent = best
        self._count(first, path, end)
        return [self.joins[e] for e in path], end, spent

    def _priced(self) -> np.ndarray:
        jitter = 1 + _JITTER * (self._random.random(len(self._cost)) - 0.5)
        priced: np.ndarray = _JUMP + self._cost * jitter + _USE * self._uses
        return priced

    def _count(self, first: int, path: Sequence[int], end: int) -> None:
        """Remember which beats were played and which jumps were made."""
        at = first
        for e in path:
            self._visits[at : self._leave[e]] += 1
            self._uses[e] += 1
            at = int(self._enter[e])
        self._visits[at:end] += 1


class _Edges:
    """Jumps as edges of a graph whose nodes are beats; an edge takes the beats that must be played behind it too."""

    def __init__(self, leave: np.ndarray, enter: np.ndarray, cost: np.ndarray, run: int, n: int) -> None:
        self.run, self.n = run, n
        inside = np.flatnonzero(enter + run < n)
        self.ids, self.leave, self.land = inside, leave[inside], enter[inside] + run
        self.enter, self.cost = enter[inside], cost[inside]

    def search(self, first: int, wanted: Sequence[int], visit: np.ndarray) -> _Tables:
        """Compute the cheapest way to each beat for each wanted number of beats."""
        total = np.concatenate([[0.0], np.cumsum(visit)])
        cost = self.cost + total[self.land] - total[self.enter]
        lands = np.unique(self.land)
        slot = np.searchsorted(lands, self.land)
        score = np.full(self.n, np.inf)
        score[first] = 0
        recent = [score]  # of the last few numbers of beats
        kept: dict[int, np.ndarray] = {}
        came = np.full((max(wanted) + 1, len(lands)), -1, np.int32)
        for t in range(1, max(wanted) + 1):
            score = np.concatenate([[np.inf], recent[-1][:-1] + visit[:-1]])
            recent = [*recent[-self.run :], score]
            if t in wanted:
                kept[t] = score
            if t < self.run or not len(lands):
                continue
            through = recent[-1 - self.run][self.leave] + cost
            order = np.argsort(-through, kind="stable")  # the cheapest is written last
            cheapest = np.full(len(lands), np.inf)
            edge = np.full(len(lands), -1, np.int32)
            cheapest[slot[order]], edge[slot[order]] = through[order], order
            better = cheapest < score[lands]
            score[lands[better]] = cheapest[better]
            came[t, better] = edge[better]
        return _Tables(self, kept, came, lands)


class _Tables:
    """What a search found."""

    def __init__(self, edges: _Edges, score: dict[int, np.ndarray], came: np.ndarray, lands: np.ndarray) -> None:
        self.score = score
        self._edges, self._came = edges, came
        self._slot = {int(beat): i for i, beat in enumerate(lands)}

    def path(self, steps: int, end: int) -> list[int]:
        """Return the indices of the jumps on the way to ``end`` in ``steps`` beats."""
        found = []
        t, at = steps, end
        while t > 0:
            slot = self._slot.get(at)
            edge = -1 if slot is None else int(self._came[t, slot])
            if edge >= 0:
                found.append(int(self._edges.ids[edge]))
                at, t = int(self._edges.leave[edge]), t - self._edges.run
            else:
                at, t = at - 1, t - 1
        return found[::-1]
