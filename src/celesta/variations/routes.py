"""Cheapest ways through a song whose beats are the nodes of a graph and whose jumps are its edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prices:
    """What a way costs.

    Attributes:
        jumps: ``(jumps,)`` cost of each jump.
        beats: ``(n,)`` cost of playing each beat.
        recent: ``(n,)`` cost that each beat has on top now.
        forget: factor by which that becomes smaller with each beat.
    """

    jumps: np.ndarray
    beats: np.ndarray
    recent: np.ndarray
    forget: float


class Routes:
    """Jumps as edges of a graph; an edge takes the beats that must be played behind it too.

    Args:
        leave: ``(jumps,)`` beats at which they leave.
        enter: ``(jumps,)`` beats that they enter.
        run: beats that must be played behind a jump.
        n: number of beats.
    """

    def __init__(self, leave: np.ndarray, enter: np.ndarray, run: int, n: int) -> None:
        self.run, self.n = run, n
        self.ids = np.flatnonzero(enter + run < n)
        self.leave, self.enter = leave[self.ids], enter[self.ids]
        self.land = self.enter + run

    def loops(self) -> list[tuple[int, int]]:
        """Return the parts of the song within which every beat leads to every other one: first and last beat."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components  # its import takes longer than all others

        rows = np.concatenate([np.arange(self.n - 1), self.leave])
        columns = np.concatenate([np.arange(1, self.n), self.land])
        graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), (self.n, self.n))
        part = connected_components(graph.tocsr(), connection="strong")[1]
        inside = [np.flatnonzero(part == k) for k in np.flatnonzero(np.bincount(part) > 1)]
        return sorted((int(beats[0]), int(beats[-1])) for beats in inside)

    def search(self, first: int, wanted: Sequence[int], prices: Prices) -> Tables:
        """Compute the cheapest way from a beat to each other one, for each wanted number of beats."""
        usual, recent = (np.concatenate([[0.0], np.cumsum(x)]) for x in (prices.beats, prices.recent))
        behind = usual[self.land] - usual[self.enter] + prices.jumps[self.ids]
        recently = recent[self.land] - recent[self.enter]
        lands = np.unique(self.land)
        slot = np.searchsorted(lands, self.land)
        score = np.full(self.n, np.inf)
        score[first] = 0
        last = [score]  # of the last few numbers of beats
        saved: dict[int, np.ndarray] = {}
        came = np.full((max(wanted) + 1, len(lands)), -1, np.int32)
        for t in range(1, max(wanted) + 1):
            now = prices.forget**t
            score = np.concatenate([[np.inf], last[-1][:-1] + prices.beats[:-1] + now * prices.recent[:-1]])
            last = [*last[-self.run :], score]
            if t in wanted:
                saved[t] = score
            if t < self.run or not len(lands):
                continue
            through = last[-1 - self.run][self.leave] + behind + now * recently
            order = np.argsort(-through, kind="stable")  # the cheapest is written last
            cheapest = np.full(len(lands), np.inf)
            edge = np.full(len(lands), -1, np.int32)
            cheapest[slot[order]], edge[slot[order]] = through[order], order
            better = cheapest < score[lands]
            score[lands[better]] = cheapest[better]
            came[t, better] = edge[better]
        return Tables(self, saved, came, lands)


class Tables:
    """What a search found.

    Attributes:
        score: cost of the cheapest way to each beat ``(n,)``, for each number of beats.
    """

    def __init__(self, routes: Routes, score: dict[int, np.ndarray], came: np.ndarray, lands: np.ndarray) -> None:
        self.score = score
        self._routes, self._came = routes, came
        self._slot = {int(beat): i for i, beat in enumerate(lands)}

    def path(self, steps: int, end: int) -> list[int]:
        """Return the indices of the jumps on the way to ``end`` in ``steps`` beats."""
        found = []
        t, at = steps, end
        while t > 0:
            slot = self._slot.get(at)
            edge = -1 if slot is None else int(self._came[t, slot])
            if edge >= 0:
                found.append(int(self._routes.ids[edge]))
                at, t = int(self._routes.leave[edge]), t - self._routes.run
            else:
                at, t = at - 1, t - 1
        return found[::-1]
