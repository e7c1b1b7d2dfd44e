"""Work that takes longer than a request: it reports progress, can be cancelled, and its result is kept."""

from __future__ import annotations

import secrets
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from celesta.errors import CelestaError

_KEPT = 200  # finished jobs whose results can be asked for
_EVERY = 0.1  # seconds between two reports of progress

Listener = Callable[["Job"], None]


class Cancelled(BaseException):
    """Raised inside a job that was cancelled, at its next report of progress."""


@dataclass
class Job:
    """A piece of work.

    Attributes:
        id: random name.
        kind: what it does, one word.
        title: what it does, in words.
        state: ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``.
        share: how much is done, 0 to 1; None where that is not known.
        note: what goes on, or what failed.
        result: of a job that is done, or what there is of it.
        parts: how often :meth:`Report.partial` has given more of the result.
        began, seconds: when it began (monotonic), and how long it took.
    """

    id: str
    kind: str
    title: str
    state: str = "waiting"
    share: float | None = None
    note: str = ""
    result: Any = None
    parts: int = 0
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def finished(self) -> bool:
        """Whether it will not change any more."""
        return self.state in ("done", "failed", "cancelled")

    def left(self) -> float | None:
        """Estimate the seconds left; None where that is not known."""
        if self.state != "running" or not self.share:
            return None
        return (time.monotonic() - self.began) * (1 - self.share) / self.share


class Report:
    """Given to the function of a job, for its progress.

    Args:
        job: the job.
        changed: called when there is something to show.
    """

    def __init__(self, job: Job, changed: Listener) -> None:
        self._job, self._changed, self._last = job, changed, 0.0

    def __call__(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Report so much done of so much.

        Raises:
            Cancelled: the job was cancelled.
        """
        self.check()
        if note is not None:
            self._job.note = note
        self._job.share = min(1.0, done / total) if total else None
        now = time.monotonic()
        if now - self._last >= _EVERY:
            self._last = now
            self._changed(self._job)

    def check(self, *_: object) -> None:
        """End a job that was cancelled; takes and ignores what progress functions get.

        Raises:
            Cancelled: it was.
        """
        if self._job.stop.is_set():
            raise Cancelled

    def partial(self, result: Any) -> None:
        """Give what there is of the result."""
        self._job.result = result
        self._job.parts += 1
        self._last = 0.0  # shown with the next report

    def part(self, first: float, last: float, note: str) -> Callable[..., None]:
        """Return a function for the progress of a part of the work, from ``first`` to ``last`` of 0 to 1."""
        self(first, 1.0, note)

        def report(done: float, total: float | None = None) -> None:
            self(first + (last - first) * (min(1.0, done / total) if total else 0.0), 1.0)

        return report


class Jobs:
    """Run jobs on a few threads.

    Args:
        changed: called from any thread when a job has changed.
        workers: jobs that run at once.
    """

    def __init__(self, changed: Listener, workers: int = 2) -> None:
        self._changed = changed
        self._pool = ThreadPoolExecutor(workers, "celesta-job")
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, kind: str, title: str, work: Callable[[Report], Any]) -> Job:
        """Start a job; ``work`` is called with a :class:`Report` and returns the result."""
        job = Job(secrets.token_hex(8), kind, title)
        with self._lock:
            self._jobs[job.id] = job
            finished = [one.id for one in self._jobs.values() if one.finished]
            for old in finished[: max(0, len(self._jobs) - _KEPT)]:
                del self._jobs[old]
        self._changed(job)
        self._pool.submit(self._run, job, work)
        return job

    def get(self, job_id: str) -> Job | None:
        """Return a job; None where it is unknown or forgotten."""
        with self._lock:
            return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Return all jobs that are known, the oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def cancel(self, job: Job) -> None:
        """Ask a job to stop."""
        job.stop.set()
        if job.state == "waiting":
            job.state = "cancelled"
            self._changed(job)

    def close(self) -> None:
        """Stop all jobs and wait for them."""
        for job in self.all():
            job.stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job, work: Callable[[Report], Any]) -> None:
        if job.state == "cancelled" or job.stop.is_set():
            job.state = "cancelled"
            self._changed(job)
            return
        job.state, job.began = "running", time.monotonic()
        self._changed(job)
        try:
            job.result = work(Report(job, self._changed))
            job.state, job.share = "done", 1.0
        except Cancelled:
            job.state, job.note = "cancelled", ""
        except CelestaError as error:
            job.state, job.note = "failed", str(error)
        except MemoryError:
            job.state, job.note = "failed", "not enough memory; choose a shorter selection"
        except Exception as error:  # a fault of ours: shown in the terminal, and the page says so
            traceback.print_exc()
            job.state, job.note = "failed", f"an internal error ({type(error).__name__}); the terminal says more"
        job.seconds = time.monotonic() - job.began
        self._changed(job)
