"""Server-sent events: what changes in the studio, to every page that is open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec

from celesta.studio.answers import JobInfo
from celesta.studio.jobs import Job

_WAITING = 200  # events that a slow page may be behind; then it has to ask for the state
_PING_SECONDS = 15.0


def job_info(job: Job, *, result: bool = False) -> JobInfo:
    """Describe a job; its result only where it is asked for."""
    given = job.result if result else None
    seconds = round(job.seconds, 3)
    return JobInfo(job.id, job.kind, job.title, job.state, job.share, job.left(), job.note, seconds, job.parts, given)


class Hub:
    """Passes changes from worker threads to the pages."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pages: set[asyncio.Queue[bytes | None]] = set()

    def start(self) -> None:
        """Begin in the running loop."""
        self._loop = asyncio.get_running_loop()

    def job_changed(self, job: Job) -> None:
        """Tell all pages of a job; called from any thread."""
        data = msgspec.json.encode(job_info(job))
        self._tell(b"event: job\ndata: " + data + b"\n\n")

    def _tell(self, event: bytes | None) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._put, event)

    def _put(self, event: bytes | None) -> None:
        for queue in self._pages:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield events for one page, as text/event-stream."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        self._pages.add(queue)
        try:
            yield b"retry: 2000\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), _PING_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if event is None:
                    return
                yield event
        finally:
            self._pages.discard(queue)

    @property
    def pages(self) -> int:
        """Number of pages that listen."""
        return len(self._pages)

    def close(self) -> None:
        """End all streams."""
        self._tell(None)
