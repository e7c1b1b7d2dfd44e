"""Run a function on many inputs in other processes: on this machine, or on a Dask, Ray or Spark cluster through joblib.

The workers get small inputs and return small results. A worker that is lost costs nothing but time: what it had in hand
is done again.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import joblib
import threadpoolctl

from celesta._environment import defaults
from celesta.errors import CelestaError, UsageError

ENGINES = ("loky", "dask", "ray", "spark")
"""Names of joblib's backends: processes on this machine, or an existing cluster."""
_PACKAGES = {"dask": "distributed", "ray": "ray", "spark": "joblibspark"}
_ATTEMPTS = 3
"""How often a batch is tried before its inputs are tried one at a time."""
_PER_WORKER = 4
"""Inputs in a batch for each worker; results come at the end of a batch."""

_WAIT = 600
"""Seconds that Dask has to start its first worker, for queues of a cluster."""
_Connected = tuple[dict[str, Any], Callable[[], int]]
"""Arguments of ``joblib.Parallel``, and how many workers there are now."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Lost:
    """What stands for a result where every worker that had the input in hand ended.

    Attributes:
        reason: what the engine said last.
    """

    reason: str


class Engine:
    """Workers for the time of a ``with`` block.

    Dask uses the client of this process if there is one, else the scheduler named by ``DASK_SCHEDULER_ADDRESS``, else
    processes on this machine. Ray uses the cluster named by ``RAY_ADDRESS``, else this machine. Spark uses its session.

    Args:
        name: one of :data:`ENGINES`.
        workers: processes; by default as many as the cluster or this machine has processors. Clusters of Dask that
            exist already decide themselves.

    Raises:
        UsageError: there is no such engine, or its package is not installed.

    Example:
        >>> with Engine("loky", 2) as engine:
        ...     list(engine.run(abs, [-1, -2]))
        [(-1, 1), (-2, 2)]
    """

    def __init__(self, name: str, workers: int | None = None) -> None:
        if name not in ENGINES:
            raise UsageError(f"engine {name}: no such engine; choose one of {', '.join(ENGINES)}")
        if workers is not None and workers < 1:
            raise UsageError(f"workers must be 1 or more, got {workers}")
        package = _PACKAGES.get(name)
        if package and importlib.util.find_spec(package) is None:
            raise UsageError(f"engine {name}: not installed; run: pip install {package}")
        self.name = name
        self._workers = workers
        self._resources = contextlib.ExitStack()
        self._pool = contextlib.ExitStack()
        self._parallel: joblib.Parallel | None = None
        self._options: dict[str, Any] = {}
        self._count: Callable[[], int] = lambda: 1

    def __enter__(self) -> Engine:
        with contextlib.ExitStack() as stack:
            self._options, self._count = _CONNECT[self.name](stack, self._workers)
            self._resources = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._close_pool()
        finally:
            self._resources.close()

    def run(self, function: Callable[[T], R], jobs: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        """Call a function on each input in the workers, and give inputs and results, batch after batch.

        Inputs are taken as they are needed. In a worker, one call runs at a time, with one computing thread.

        Args:
            function: of a module that the workers can import; it returns its errors instead of raising them.
            jobs: its inputs; small, and such that a second call on one does no harm.

        Raises:
            CelestaError: the workers cannot call the function at all.
        """
        stream = iter(jobs)
        while batch := list(itertools.islice(stream, _PER_WORKER * max(1, self._count()))):
            yield from self._batch(_Alone(function), batch)

    def _batch(self, function: _Alone[T, R], jobs: list[T]) -> Iterator[tuple[T, R | Lost]]:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(Exception):  # a lost worker; each engine has its own classes for that
                results = self._call(function, jobs)
                break
            self._close_pool()
        else:
            yield from self._one_by_one(function, jobs)
            return
        yield from zip(jobs, results, strict=True)

    def _one_by_one(self, function: _Alone[T, R], jobs: list[T]) -> Iterator[tuple[T, R | Lost]]:
        """Give each input a worker of its own, so that a worker that ends does so because of that input."""
        done, lost = 0, 0
        for job in jobs:
            try:
                result: R | Lost = self._call(function, [job])[0]
                done += 1
            except Exception as error:
                self._close_pool()
                lost += 1
                said = (str(error).strip() or type(error).__name__).splitlines()[0]
                if lost > 1 and not done:
                    raise CelestaError(f"engine {self.name}: its workers fail: {said}") from None
                result = Lost(said)
            yield job, result

    def _call(self, function: _Alone[T, R], jobs: list[T]) -> list[R]:
        if self._parallel is None:
            made = joblib.Parallel(batch_size=1, pre_dispatch="all", **self._options)
            self._parallel = self._pool.enter_context(made)
        return list(self._parallel(joblib.delayed(function)(job) for job in jobs))

    def _close_pool(self) -> None:
        self._parallel = None
        with contextlib.suppress(Exception):  # the pool of a worker that ended may not close
            self._pool.close()


_ALONE = threading.Lock()


@dataclass(frozen=True)
class _Alone(Generic[T, R]):
    """A function that runs once at a time in a process, with one computing thread."""

    function: Callable[[T], R]

    def __call__(self, job: T) -> R:
        return _alone(self.function, job)


def _alone(function: Callable[[T], R], job: T) -> R:
    with _ALONE, threadpoolctl.threadpool_limits(1):
        return function(job)


def _loky(stack: contextlib.ExitStack, workers: int | None) -> _Connected:
    count = workers or os.cpu_count() or 1
    return {"backend": "loky", "n_jobs": count}, lambda: count


def _dask(stack: contextlib.ExitStack, workers: int | None) -> _Connected:
    distributed = importlib.import_module("distributed")
    named = importlib.import_module("dask").config.get("scheduler-address", None)
    try:
        client = distributed.get_client()
    except ValueError:
        if not named:
            count = workers or os.cpu_count() or 1
            named = stack.enter_context(
                distributed.LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None)
            )
        client = stack.enter_context(distributed.Client(named))
    stack.enter_context(joblib.parallel_config("dask", client=client, wait_for_workers_timeout=_WAIT))
    return {"n_jobs": -1}, lambda: sum(client.ncores().values())


def _ray(stack: contextlib.ExitStack, workers: int | None) -> _Connected:
    ray = importlib.import_module("ray")
    if not ray.is_initialized():
        # joblib takes one worker for none, so there are two at least.
        local = {"num_cpus": max(2, workers or os.cpu_count() or 1), "include_dashboard": False}
        options = {} if os.environ.get("RAY_ADDRESS") else local
        with defaults(RAY_USAGE_STATS_ENABLED="0"):  # a cluster of our own reports nothing over the network
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
        stack.callback(ray.shutdown)
    importlib.import_module("ray.util.joblib").register_ray()
    there = int(ray.cluster_resources().get("CPU", 1))
    count = max(2, min(there, workers or there))
    return {"backend": "ray", "n_jobs": count}, lambda: count


def _spark(stack: contextlib.ExitStack, workers: int | None) -> _Connected:
    importlib.import_module("joblibspark").register_spark()
    session = importlib.import_module("pyspark.sql").SparkSession.builder.getOrCreate()
    count = workers or int(session.sparkContext.defaultParallelism)
    return {"backend": "spark", "n_jobs": count}, lambda: count


_CONNECT: dict[str, Callable[[contextlib.ExitStack, int | None], _Connected]] = {
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
    "spark": _spark,
}
