"""Analyse songs in the workers of an engine: they get paths and return records; the caller alone writes the library."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from celesta._engine import Engine, Lost
from celesta._files import printable
from celesta.errors import LibraryError
from celesta.library.analysis import Failure, SongRecord, analyse_or_fail
from celesta.library.block_table import analysis_version
from celesta.library.claims import Claims, Job


@dataclass(frozen=True)
class _Task:
    """A song and the version of the analysis that the library expects."""

    job: Job
    licence: str
    version: str


@dataclass(frozen=True)
class _Misfit:
    """Why a worker cannot do its work at all."""

    reason: str


def analyse_elsewhere(
    engine: Engine, claims: Claims, licence: str, finish: Callable[[Job, SongRecord | Failure], None]
) -> None:
    """Analyse the songs that wait in an engine's workers.

    Args:
        engine: entered.
        claims: of this process.
        licence: of the library.
        finish: stores what became of a song; called in this process.

    Raises:
        LibraryError: a worker does not see the music, or has another version of Celesta.
    """
    version = analysis_version(licence)
    tasks = (_Task(job, licence, version) for job in iter(claims.take, None))
    for task, made in engine.run(_analyse, tasks):
        if isinstance(made, _Misfit) and os.path.exists(task.job.path):
            raise LibraryError(f"engine {engine.name}: {made.reason}")
        if isinstance(made, _Misfit | Lost):
            made = Failure(f"{made.reason}; try it again with: celesta library update --retry")
        finish(task.job, made)


def _analyse(task: _Task) -> SongRecord | Failure | _Misfit:
    """Run in a worker."""
    name = printable(os.fsdecode(task.job.path))
    if analysis_version(task.licence) != task.version:
        return _Misfit(f"worker {socket.gethostname()} has another version of Celesta; install the same one everywhere")
    if not os.path.exists(task.job.path):
        return _Misfit(f"worker {socket.gethostname()} does not see {name}; it must have the same path on every worker")
    return analyse_or_fail(task.job.path, task.licence)
