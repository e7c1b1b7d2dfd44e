"""The share of a list of tasks that is done, by the time that tasks of each kind took so far."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable

Progress = Callable[[str, float, float], None]
"""Called with what is being done, the share that is done (0 to 1), and 1."""


class Schedule:
    """Tasks that are done in order, and how far they are.

    Counting tasks would mislead where one model takes ten times as long as another: the share is that of the expected
    time. A kind of which nothing is known yet is expected to be as fast as the tasks so far.

    Args:
        tasks: kind and size of each; sizes are in the same unit for all kinds, such as seconds of audio.
        progress: see :data:`Progress`.

    Example:
        >>> seen = []
        >>> schedule = Schedule([("a", 1), ("a", 1)], lambda text, done, total: seen.append((text, round(done))))
        >>> schedule.begin("first"); schedule.begin("second"); schedule.finish()
        >>> seen[0], seen[-1]
        (('first', 0), ('done', 1))
    """

    def __init__(self, tasks: Iterable[tuple[str, float]], progress: Progress) -> None:
        self._tasks = list(tasks)
        self._progress = progress
        self._next = 0
        self._began: float | None = None
        self._spent: dict[str, float] = defaultdict(float)
        self._sizes: dict[str, float] = defaultdict(float)

    def begin(self, text: str) -> None:
        """Begin the next task, which ends the one before."""
        self._end()
        self._progress(text, self.share(), 1.0)
        self._began = time.monotonic()
        self._next += 1

    def skip(self, count: int) -> None:
        """Leave out the next ``count`` tasks."""
        self._end()
        del self._tasks[self._next : self._next + count]

    def finish(self) -> None:
        """End the last task."""
        self._end()
        self._progress("done", 1.0, 1.0)

    def share(self) -> float:
        """Return the share of the expected time that is over."""
        spent, sizes = sum(self._spent.values()), sum(self._sizes.values())
        mean = spent / sizes if sizes else 1.0
        left = 0.0
        for kind, size in self._tasks[self._next :]:
            left += size * (self._spent[kind] / self._sizes[kind] if self._sizes.get(kind) else mean)
        return spent / (spent + left) if spent + left else 0.0

    def _end(self) -> None:
        if self._began is not None:
            kind, size = self._tasks[self._next - 1]
            self._spent[kind] += time.monotonic() - self._began
            self._sizes[kind] += size
            self._began = None
