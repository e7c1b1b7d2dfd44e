"""Estimate how long work still takes from how far it has come."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW = 20.0
"""Seconds over which the pace is measured at least, and the share of the time spent so far that it takes then."""
WINDOW_SHARE = 0.3
FEWEST, LEAST = 5, 0.02
"""Reports, or share of the work, before there is an estimate: the first step also loads and compiles."""
_MOST = 512
"""Points that are kept; older ones are thinned out."""


class Pace:
    """The time left, from the pace of this process in the recent past.

    What an earlier process did (a run that is resumed, features that are cached) says nothing about the pace: the
    first share that is given is where the measurement begins. Between two reports the estimate counts down.

    Args:
        now: the clock, in seconds.

    Example:
        >>> times = iter([0.0, 10.0, 10.0])
        >>> pace = Pace(lambda: next(times))
        >>> pace.at(0.5)
        >>> pace.at(0.6)
        >>> round(pace.left())
        40
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._points: deque[tuple[float, float]] = deque()

    def restart(self) -> None:
        """Forget the past: other work begins."""
        self._points.clear()

    def at(self, share: float) -> None:
        """Take how much of the work is done, 0 to 1. Where it is less than before, the measurement begins anew."""
        if self._points and share < self._points[-1][1]:
            self.restart()
        if self._points and share == self._points[-1][1]:
            return
        self._points.append((self._now(), share))
        if len(self._points) > _MOST:
            recent = list(self._points)
            self._points = deque(recent[: _MOST // 2 : 2] + recent[_MOST // 2 :])

    def left(self) -> float | None:
        """Return the seconds that are left; None where too little is known of the pace yet."""
        if len(self._points) < 2:
            return None
        if len(self._points) < FEWEST and self._points[-1][1] - self._points[0][1] < LEAST:
            return None
        now = self._now()
        (last, share), (first, _) = self._points[-1], self._points[0]
        since = now - max(WINDOW, WINDOW_SHARE * (now - first))
        began, share_then = first, self._points[0][1]
        for moment, done in self._points:
            if moment > since or moment == last:
                break
            began, share_then = moment, done
        done = share - share_then
        usual = (last - began) / done * (1 - share)
        waited = now - last
        if waited <= 2 * (last - began) / max(1, len(self._points) - 1) or waited <= usual / 4:
            return max(0.0, usual - waited)
        return (now - began) / done * (1 - share)  # it has become slower
