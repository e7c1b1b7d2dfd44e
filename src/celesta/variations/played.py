"""What a walk has played so far, and what playing it again costs."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from celesta.variations.joins import Join
from celesta.variations.routes import Prices

_JUMP = 2.0  # cost of a jump that is not noticed at all
_VISIT = 0.05  # cost of a beat for each time it was played more often than others
_RECENT = 0.1  # cost of a beat that was played just now
_FORGET = 60.0  # seconds after which that cost is a third of it
_USE = 0.3  # cost of a jump for each time it was made more often than the song was played


class Played:
    """Beats that were played and jumps that were made: how often, and how recently.

    Args:
        joins: the jumps that may be made.
        n: number of beats.
        period: seconds from beat to beat.

    Attributes:
        visits: ``(n,)`` how often each beat was played.
    """

    def __init__(self, joins: Sequence[Join], n: int, period: float) -> None:
        self.leave = np.array([join.from_beat for join in joins], np.int64)
        self.enter = np.array([join.to_beat for join in joins], np.int64)
        self.visits, self._recent, self._uses = np.zeros(n), np.zeros(n), np.zeros(len(joins))
        self._cost = np.array([join.cost for join in joins])
        self._forget = float(np.exp(-period / _FORGET))

    def copy(self) -> Played:
        """Return what is as it is and changes for itself."""
        made = copy.copy(self)
        made.visits, made._recent, made._uses = self.visits.copy(), self._recent.copy(), self._uses.copy()
        return made

    def prices(self, part: tuple[int, int], vary: np.ndarray | float = 1.0) -> Prices:
        """Return what beats and jumps cost now.

        Args:
            part: first and last of the beats of which the one that was played least costs nothing.
            vary: factor of the cost of each jump.
        """
        inside = self.visits[min(part) : max(part) + 1]
        again = np.maximum(self._uses - inside.mean(), 0)
        beats = _VISIT * (self.visits - inside.min())
        return Prices(_JUMP + self._cost * vary + _USE * again, beats, _RECENT * self._recent, self._forget)

    def make(self, at: int, jump: int, land: int) -> None:
        """Play from a beat to a jump, and from where it enters to ``land``."""
        self._play(at, int(self.leave[jump]))
        self._play(int(self.enter[jump]), land)
        self._uses[jump] += 1

    def _play(self, first: int, last: int) -> None:
        self._recent *= self._forget ** max(last - first, 0)
        self._recent[first:last] += 1
        self.visits[first:last] += 1

    def way(self, at: int, jumps: Sequence[int], end: int, part: tuple[int, int]) -> tuple[float, np.ndarray]:
        """Return what a way costs where all becomes dearer as it is played, and how often it plays each beat."""
        then = self.copy()
        total = 0.0
        for jump in [*jumps, -1]:
            leave = int(self.leave[jump]) if jump >= 0 else end
            prices = then.prices(part)
            total += float(prices.beats[at:leave].sum() + prices.recent[at:leave].sum())
            then._play(at, leave)
            if jump >= 0:
                total += float(prices.jumps[jump])
                then._uses[jump] += 1
                at = int(self.enter[jump])
        return total, then.visits - self.visits
