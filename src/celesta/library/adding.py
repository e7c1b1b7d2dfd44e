"""Analyse the songs that wait for it: each is claimed, analysed and stored in one transaction of its own.

Several processes may do so on one library at once. A process that dies loses the songs that it had in hand: their
claims end with it, and the next call analyses them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl
from joblib.externals.loky.process_executor import ProcessPoolExecutor

from celesta.library.analysis import Failure, SongRecord, analyse_or_fail, analysis_version, block_sources
from celesta.library.fingerprint import METHOD
from celesta.library.scan import note_error
from celesta.library.store import Store, now

LEASE = 600.0
"""Seconds after which a claim that was not renewed is given up."""
_RENEW = 60.0
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


@dataclass(frozen=True)
class _Job:
    recording: int
    path: bytes


# A song waits if it has not been analysed by this version, and one of its files is there and has no error.
_WAITING = """
    FROM recordings r JOIN files f ON f.recording = r.id
    WHERE (r.analysed IS NULL OR r.analysis <> :version) AND f.missing_since IS NULL
    AND NOT EXISTS (SELECT 1 FROM errors e WHERE e.path = f.path AND e.stage <> 'warning')
"""


def waiting(store: Store) -> int:
    """Count the songs that wait for analysis, claimed ones too."""
    ((count,),) = store.rows(f"SELECT count(DISTINCT r.id) {_WAITING}", {"version": analysis_version()})
    return int(count)


def analyse_waiting(store: Store, workers: int, progress: Progress) -> AnalysisResult:
    """Analyse all songs that wait, in ``workers`` processes; with one, or few songs, in this process."""
    result = AnalysisResult()
    total = waiting(store)
    claims = _Claims(store)

    def finish(job: _Job, made: SongRecord | Failure) -> None:
        if isinstance(made, Failure):
            _store_failure(store, job, made)
            result.failed += 1
        else:
            _store_record(store, job, made)
            result.analysed += 1
            result.seconds += made.duration
        progress(AddProgress("analysis", result.analysed + result.failed, total, result.seconds))

    progress(AddProgress("analysis", 0, total))
    with claims:
        if workers == 1 or total < _FEW:
            _here(claims, workers, finish)
        else:
            _apart(claims, min(workers, total), finish)
    result.elsewhere = waiting(store)
    return result


def _here(claims: _Claims, threads: int, finish: Callable[[_Job, SongRecord | Failure], None]) -> None:
    while (job := claims.take()) is not None:
        made = analyse_or_fail(job.path, threads)
        finish(job, made)


def _apart(claims: _Claims, workers: int, finish: Callable[[_Job, SongRecord | Failure], None]) -> None:
    """Analyse in processes; a song whose process dies twice, the second time alone, is a failure."""
    running: dict[Future[Any], _Job] = {}
    retry: list[_Job] = []
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(_pool(workers))
        while True:
            while len(running) < 2 * workers and not retry and (job := claims.take()) is not None:
                running[pool.submit(analyse_or_fail, job.path)] = job
            if not running:
                break
            done, _ = wait(running, timeout=_RENEW, return_when=FIRST_COMPLETED)
            claims.renew()
            for future in done:
                job = running.pop(future)
                try:
                    finish(job, future.result())
                except BrokenProcessPool:
                    retry.append(job)
            if retry:
                retry += running.values()
                running.clear()
                _one_by_one(retry, finish)
                retry.clear()
                pool = stack.enter_context(_pool(workers))


def _one_by_one(jobs: list[_Job], finish: Callable[[_Job, SongRecord | Failure], None]) -> None:
    """Analyse each song with no other one next to it, so that a process that dies does so because of that song."""
    jobs = list(jobs)
    while jobs:
        with _pool(1) as pool:
            while jobs:
                job = jobs.pop(0)
                try:
                    made = pool.submit(analyse_or_fail, job.path).result()
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


class _Claims:
    """The songs that this process has in hand; given up when the block ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._me = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._renewed = now()

    def __enter__(self) -> _Claims:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):  # what ended the block is what matters
            self._store.execute(
                "UPDATE recordings SET claimed_by = NULL, claimed_at = NULL WHERE claimed_by = ?", (self._me,)
            )

    def take(self) -> _Job | None:
        """Claim the next waiting song that no living process has; None where there is none."""
        values: dict[str, object] = {"version": analysis_version()}
        with self._store.transaction() as store:
            found = store.rows(f"SELECT r.id, f.path {_WAITING} AND r.claimed_by IS NULL ORDER BY r.id LIMIT 1", values)
            if not found:
                self._free_dead(store)
                found = store.rows(
                    f"SELECT r.id, f.path {_WAITING} AND r.claimed_by IS NULL ORDER BY r.id LIMIT 1", values
                )
            if not found:
                return None
            recording, path = found[0]
            store.execute(
                "UPDATE recordings SET claimed_by = ?, claimed_at = ? WHERE id = ?", (self._me, now(), recording)
            )
        return _Job(recording, path)

    def _free_dead(self, store: Store) -> None:
        sql = "SELECT claimed_by, max(claimed_at) FROM recordings WHERE claimed_by IS NOT NULL GROUP BY claimed_by"
        for owner, at in store.rows(sql):
            if owner != self._me and (now() - at > LEASE or not _alive(owner)):
                store.execute("UPDATE recordings SET claimed_by = NULL WHERE claimed_by = ?", (owner,))

    def renew(self) -> None:
        """Tell other processes, once a minute, that this one is alive."""
        if now() - self._renewed > _RENEW:
            self._store.execute("UPDATE recordings SET claimed_at = ? WHERE claimed_by = ?", (now(), self._me))
            self._renewed = now()


def _alive(owner: str) -> bool:
    """Whether the process of a claim may still run; of another machine's, or where one cannot ask, it may."""
    host, pid, _ = owner.rsplit(":", 2)
    if host != socket.gethostname() or os.name != "posix":
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _store_record(store: Store, job: _Job, made: SongRecord) -> None:
    """Store all of a song in one transaction."""
    with store.transaction():
        for table in ("vectors", "predictions"):
            store.execute(f"DELETE FROM {table} WHERE recording = ?", (job.recording,))
        store.execute("DELETE FROM descriptors WHERE recording = ? AND name <> 'year'", (job.recording,))
        for name, block in made.blocks.items():
            data = block.astype("<f2").tobytes()
            store.execute(
                "INSERT INTO vectors (recording, name, version, weights, size, data) VALUES (?, ?, ?, ?, ?, ?)",
                (job.recording, name, *block_sources(name), len(block), data),
            )
        for name, value in made.values.items():
            store.execute(
                "INSERT INTO descriptors (recording, name, value) VALUES (?, ?, ?)", (job.recording, name, float(value))
            )
        for predictor, found in made.labels.items():
            for label, p in found.items():
                store.execute(
                    "INSERT INTO predictions (recording, predictor, label, probability) VALUES (?, ?, ?, ?)",
                    (job.recording, predictor, label, p),
                )
        store.execute(
            "INSERT OR REPLACE INTO fingerprints (recording, method, data) VALUES (?, ?, ?)",
            (job.recording, METHOD, np.asarray(made.fingerprint, "<u4").tobytes()),
        )
        store.execute(
            "UPDATE recordings SET duration = ?, analysed = ?, analysis = ?, claimed_by = NULL, claimed_at = NULL"
            " WHERE id = ?",
            (made.duration, now(), analysis_version(), job.recording),
        )
        if made.warnings:
            note_error(store, job.path, "warning", "; ".join(made.warnings))


def _store_failure(store: Store, job: _Job, made: Failure) -> None:
    with store.transaction():
        if not Path(os.fsdecode(job.path)).exists():
            store.execute("UPDATE files SET missing_since = ? WHERE path = ?", (now(), job.path))
        else:
            note_error(store, job.path, "analysis", made.message)
        store.execute("UPDATE recordings SET claimed_by = NULL, claimed_at = NULL WHERE id = ?", (job.recording,))
