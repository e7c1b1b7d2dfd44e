"""Analyse the songs that wait for it: each is claimed, analysed and stored in one transaction of its own.

Several processes may do so on one library at once. A process that dies loses the songs that it had in hand: their
claims end with it, and the next call analyses them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import threadpoolctl
from joblib.externals.loky.process_executor import ProcessPoolExecutor

from celesta._engine import Engine
from celesta.library.analysis import Failure, SongRecord, analyse_or_fail
from celesta.library.claims import Claims, Job, waiting
from celesta.library.remote import analyse_elsewhere
from celesta.library.store import Store
from celesta.library.storing import store_failure, store_record

_FEW = 4  # songs for which starting processes takes longer than it saves
_LOST = "the process that analysed it ended (not enough memory, or a fault of a decoder)"


@dataclass(frozen=True)
class AddProgress:
    """How far the analysis is.

    Attributes:
        stage: ``scan`` (songs are files looked at) or ``analysis``.
        songs: done so far.
        total: songs there are; None while that is not known.
        seconds: of music analysed so far.
    """

    stage: str
    songs: int
    total: int | None
    seconds: float = 0.0


Progress = Callable[[AddProgress], None]


@dataclass
class AnalysisResult:
    """What became of the waiting songs.

    Attributes:
        analysed: songs stored.
        failed: songs with an error.
        seconds: of music analysed.
        elsewhere: songs that other processes have in hand.
    """

    analysed: int = 0
    failed: int = 0
    seconds: float = 0.0
    elsewhere: int = 0


def analyse_waiting(store: Store, workers: int | None, progress: Progress, engine: str = "loky") -> AnalysisResult:
    """Analyse all songs that wait.

    Args:
        store: the library.
        workers: processes; with one, or few songs, the analysis runs in this process. By default as many as there are
            processors, or as the engine has.
        progress: called often.
        engine: see :class:`celesta._engine.Engine`.
    """
    result = AnalysisResult()
    total = waiting(store)
    claims = Claims(store)

    def finish(job: Job, made: SongRecord | Failure) -> None:
        if isinstance(made, Failure):
            store_failure(store, job, made)
            result.failed += 1
        else:
            store_record(store, job, made)
            result.analysed += 1
            result.seconds += made.duration
        progress(AddProgress("analysis", result.analysed + result.failed, total, result.seconds))

    progress(AddProgress("analysis", 0, total))
    with claims:
        count = workers or os.cpu_count() or 1
        if engine != "loky":
            if total:
                with Engine(engine, workers) as pool:
                    analyse_elsewhere(pool, claims, store.licence, finish)
        elif count == 1 or total < _FEW:
            _here(claims, store.licence, count, finish)
        else:
            _apart(claims, store.licence, min(count, total), finish)
    result.elsewhere = waiting(store)
    return result


def _here(claims: Claims, licence: str, threads: int, finish: Callable[[Job, SongRecord | Failure], None]) -> None:
    while (job := claims.take()) is not None:
        made = analyse_or_fail(job.path, licence, threads)
        finish(job, made)


def _apart(claims: Claims, licence: str, workers: int, finish: Callable[[Job, SongRecord | Failure], None]) -> None:
    """Analyse in processes; a song whose process dies twice, the second time alone, is a failure."""
    running: dict[Future[Any], Job] = {}
    retry: list[Job] = []
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(_pool(workers))
        while True:
            while len(running) < 2 * workers and not retry and (job := claims.take()) is not None:
                running[pool.submit(analyse_or_fail, job.path, licence)] = job
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job = running.pop(future)
                try:
                    finish(job, future.result())
                except BrokenProcessPool:
                    retry.append(job)
            if retry:
                retry += running.values()
                running.clear()
                _one_by_one(retry, licence, finish)
                retry.clear()
                pool = stack.enter_context(_pool(workers))


def _one_by_one(jobs: list[Job], licence: str, finish: Callable[[Job, SongRecord | Failure], None]) -> None:
    """Analyse each song with no other one next to it, so that a process that dies does so because of that song."""
    jobs = list(jobs)
    while jobs:
        with _pool(1) as pool:
            while jobs:
                job = jobs.pop(0)
                try:
                    made = pool.submit(analyse_or_fail, job.path, licence).result()
                except BrokenProcessPool:
                    finish(job, Failure(f"{_LOST}; try it again with: celesta library update --retry"))
                    break
                finish(job, made)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[Any]:
    pool = ProcessPoolExecutor(workers, initializer=_prepare_worker, initargs=(os.getpid(),))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, kill_workers=True)
        raise
    pool.shutdown(wait=True)


def _prepare_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the first process ends the others
    threadpoolctl.threadpool_limits(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process soon after its parent was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
