"""ViSQOL and Zimtohrli, in worker processes; answers are kept on disk, for the peers' do not change between runs."""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.audio import Audio

PACKAGES = {"ViSQOL": "visqol-python", "Zimtohrli": "zimtohrli"}
RATE = 48_000


def version(package: str) -> str | None:
    """The installed version, None where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


class Ears:
    """Asks for the measures of :data:`PACKAGES` that are installed.

    Args:
        file: JSON lines of answers given before; None to keep none.
        workers: processes.
        without: measures not wanted.
    """

    def __init__(self, file: Path | None, workers: int, without: tuple[str, ...] = ()) -> None:
        self.file, self.workers = file, workers
        self.measures = tuple(m for m, package in PACKAGES.items() if version(package) and m not in without)
        self._known: dict[str, float] = {}
        self._pool: ProcessPoolExecutor | None = None
        if file and file.is_file():
            for line in file.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                    self._known[entry["key"]] = float(entry["value"])
                except (ValueError, KeyError, TypeError):
                    continue  # a line cut short by a kill

    def ask(self, measure: str, x: Audio, y: Audio) -> Future[float]:
        """The measure of ``y`` against ``x``, both mixed to mono at 48 kHz, soon."""
        a, b = (np.ascontiguousarray(s.samples.mean(0), np.float32) for s in (x, y))
        digest = hashlib.sha256(f"{measure} {version(PACKAGES[measure])} {x.sample_rate} {y.sample_rate} ".encode())
        digest.update(a.tobytes() + b"|" + b.tobytes())
        key = digest.hexdigest()
        if key in self._known:
            done: Future[float] = Future()
            done.set_result(self._known[key])
            return done
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, mp_context=spawn, initializer=_alone)
        asked = self._pool.submit(_answer, measure, a, x.sample_rate, b, y.sample_rate)
        asked.add_done_callback(lambda future: self._keep(key, future))
        return asked

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _keep(self, key: str, future: Future[float]) -> None:
        if future.cancelled() or future.exception():
            return
        self._known[key] = future.result()
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as opened:
                opened.write(json.dumps({"key": key, "value": future.result()}) + "\n")


def _alone() -> None:
    """A worker uses one thread: there is a worker for each core."""
    os.environ["NUMBA_NUM_THREADS"] = "1"


@functools.cache
def _measure(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """A measure of two sounds ``(n,)`` at 48 kHz."""
    if name == "ViSQOL":
        from visqol import VisqolApi

        api = VisqolApi()
        api.create(mode="audio")
        return lambda a, b: float(api.measure_from_arrays(a.astype(float), b.astype(float), sample_rate=RATE).moslqo)
    from zimtohrli import Pyohrli

    listener = Pyohrli()
    return lambda a, b: float(listener.distance(a, b))


def _answer(name: str, a: np.ndarray, rate_a: int, b: np.ndarray, rate_b: int) -> float:
    pair = [audio.resample(s[None], rate, RATE)[0] for s, rate in ((a, rate_a), (b, rate_b))]
    n = min(map(len, pair))
    return _measure(name)(pair[0][:n], pair[1][:n])
