"""Show how far a verb is: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from rich.progress import BarColumn, Progress, TextColumn

from celesta.cli.console import err, note, shorten
from celesta.cli.pace import Pace

FIRST, EVERY, LONGEST, SHARE = 1.0, 5.0, 60.0, 0.02
"""Where stderr is not a terminal: seconds until the first line, least and most seconds between lines, and the share of
the time spent so far, so that days of training do not fill a log."""

Item = TypeVar("Item")


class Meter:
    """The progress of one verb, written to stderr while the ``with`` block runs.

    Args:
        verb: first word of the line.
        files: how many files there are, where that is known.
        parts: the work has several parts, one after the other, and the time left is that of the part.
    """

    def __init__(self, verb: str, files: int = 0, *, parts: bool = False) -> None:
        self.verb, self.files, self.parts = verb, files, parts
        self._number, self._name = 0, ""
        self._pace = Pace()
        self._done: float = 0
        self._total: float | None = None
        self._steps: float = 0
        self._seconds = self._closing = False
        self._began = time.monotonic()
        self._stopped = threading.Event()
        self._bar: Progress | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Meter:
        self._began = time.monotonic()
        if err.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(20),
                TextColumn("{task.fields[facts]}"),
            )
            # Results that go to a pipe or a file must not be redirected to the console of the bar.
            self._bar = Progress(*columns, console=err, redirect_stdout=sys.stdout.isatty(), transient=True)
            self._task = self._bar.add_task(self.verb, total=None, facts="")
            self._bar.start()
        self._thread = threading.Thread(target=self._report, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        if self._bar is not None:
            self._bar.stop()

    def doing(self, text: str) -> None:
        """Say what goes on while there is nothing to count, for example that a model is loaded."""
        self._name, self._done, self._total = text, 0, None

    def closing(self, text: str) -> None:
        """Say what goes on after all audio of the current file is done, for example that its page is written."""
        self._name, self._closing = text, True

    def seconds(self, done: float, total: float | None = None) -> None:
        """Take the seconds of audio done in the current file, and how many there are where that is known."""
        self._seconds, self._done, self._total = True, done, total or self._total
        self._count()

    def steps(self, text: str, done: float, total: float) -> None:
        """Take what goes on, and how many steps of how many are done; of 1 in all, ``done`` is a share."""
        if total != self._steps:
            self._pace.restart()
        self._seconds, self._name, self._done, self._total, self._steps = False, text, done, total or None, total
        self._count()

    def each(self, items: Sequence[Item], name: str = "name") -> Iterator[Item]:
        """Go through files, counting them."""
        self.files = len(items)
        self._pace.restart()
        for number, item in enumerate(items):
            self._number, self._done, self._total = number, 0, None
            self._name, self._closing = str(getattr(item, name, item)), False
            self._count()
            yield item
        self._number, self._done, self._total = len(items), 0, None
        self._name, self._closing = "", True
        self._count()

    def share(self) -> float | None:
        """Return how much of the work is done, 0 to 1; None where that is not known."""
        inner = min(1.0, self._done / self._total) if self._total else 0.0
        if self.files:
            return (self._number + inner) / self.files
        return inner if self._total else None

    def line(self) -> str:
        """Return the facts as text: done, total, time spent, and time left where it can be estimated."""
        parts = []
        if self.files > 1:
            parts.append(f"file {min(self._number + 1, self.files)}/{self.files}")
        if self._seconds and self._done:
            parts.append(f"{clock(self._done)}/{clock(self._total) if self._total else '?'}")
        elif self._total == 1:
            parts += [f"{self._done:.0%}"] * bool(self._done)
        elif self._total:
            parts.append(f"{self._done:g}/{self._total:g}")
        parts.append(f"{span(time.monotonic() - self._began)} elapsed")
        left = self._pace.left() if self.share() is not None and not self._closing else None
        if left is not None:
            parts.append(f"{span(left)} left{' in this part' if self.parts else ''}")
        return ", ".join(parts)

    def _count(self) -> None:
        share = self.share()
        if share is not None:
            self._pace.at(share)

    def _report(self) -> None:
        """Update the bar, or print lines, from a thread of its own: the work may be silent for long."""
        wait = 0.2 if self._bar is not None else FIRST
        while not self._stopped.wait(wait):
            name = shorten(self._name, 30 if self._bar is not None else 60)
            text = f"{self.verb} {name}".rstrip()
            if self._bar is None:
                note(f"{text}: {self.line()}")
                wait = min(LONGEST, max(EVERY, SHARE * (time.monotonic() - self._began)))
            else:
                share = self.share()
                total = None if share is None else 1.0
                self._bar.update(self._task, description=text, total=total, completed=share or 0, facts=self.line())


@contextmanager
def working(verb: str, text: str = "", *, parts: bool = False) -> Iterator[Meter]:
    """Show a meter while the block runs; ``text`` says what goes on first; ``parts`` as for :class:`Meter`."""
    with Meter(verb, parts=parts) as meter:
        meter.doing(text)
        yield meter


def clock(seconds: float) -> str:
    """Return a place or a length in music as ``m:ss`` or ``h:mm:ss``."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def span(seconds: float) -> str:
    """Return a time that work takes with its units, because ``4:27`` could be hours or minutes.

    Example:
        >>> span(27), span(267), span(16_020), span(200_000)
        ('27 s', '4 min 27 s', '4 h 27 min', '2 d 7 h')
    """
    whole = round(seconds)
    for larger, smaller, size in (("d", "h", 86_400), ("h", "min", 3_600), ("min", "s", 60)):
        if whole >= size:
            return f"{whole // size} {larger} {whole % size * {'d': 24, 'h': 60, 'min': 60}[larger] // size} {smaller}"
    return f"{whole} s"
