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

FIRST, EVERY, LONGEST, SHARE = 1.5, 5.0, 60.0, 0.02
"""Where stderr is not a terminal: seconds until the first line, least and most seconds between lines, and the share of
the time spent so far, so that days of training do not fill a log."""

Item = TypeVar("Item")


class Meter:
    """The progress of one verb, written to stderr while the ``with`` block runs.

    Args:
        verb: first word of the line.
        files: how many files there are, where that is known.
    """

    def __init__(self, verb: str, files: int = 0) -> None:
        self.verb, self.files = verb, files
        self._number, self._name = 0, ""
        self._done: float = 0
        self._total: float | None = None
        self._seconds = False
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
        """Say what goes on before there is anything to count, for example that a model is loaded."""
        self._name, self._done, self._total = text, 0, None

    def seconds(self, done: float, total: float | None = None) -> None:
        """Take the seconds of audio done in the current file, and how many there are where that is known."""
        self._seconds, self._done, self._total = True, done, total or self._total

    def steps(self, text: str, done: int, total: int) -> None:
        """Take what goes on, and how many steps of how many are done."""
        self._seconds, self._name, self._done, self._total = False, text, done, total or None

    def each(self, items: Sequence[Item], name: str = "name") -> Iterator[Item]:
        """Go through files, counting them."""
        self.files = len(items)
        for number, item in enumerate(items):
            self._number, self._done, self._total = number, 0, None
            self._name = str(getattr(item, name, item))
            yield item
        self._number, self._done, self._total = len(items), 0, None

    def share(self) -> float | None:
        """Return how much of the work is done, 0 to 1; None where that is not known."""
        inner = min(1.0, self._done / self._total) if self._total else 0.0
        if self.files:
            return (self._number + inner) / self.files
        return inner if self._total else None

    def line(self) -> str:
        """Return the facts as text: done, total, time left."""
        parts = []
        if self.files > 1:
            parts.append(f"file {min(self._number + 1, self.files)}/{self.files}")
        if self._seconds and self._done:
            parts.append(f"{clock(self._done)}/{clock(self._total) if self._total else '?'}")
        elif self._total:
            parts.append(f"{self._done:g}/{self._total:g}")
        spent, share = time.monotonic() - self._began, self.share()
        left = clock(spent * (1 - share) / share) if share else "?"
        return "  ".join([*parts, f"{clock(spent)} elapsed, {left} left"])

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
def working(verb: str, text: str = "") -> Iterator[Meter]:
    """Show a meter while the block runs; ``text`` says what goes on first."""
    with Meter(verb) as meter:
        meter.doing(text)
        yield meter


def clock(seconds: float) -> str:
    """Return seconds as ``m:ss`` or ``h:mm:ss``."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
