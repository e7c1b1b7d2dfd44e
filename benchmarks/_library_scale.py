"""Time the search among many songs with synthetic vectors: exact, and with an index that preselects songs."""

from __future__ import annotations

import argparse
import importlib
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _bars import bar

from celesta.library.block_table import references
from celesta.library.neighbours import DEFAULT_WEIGHTS
from celesta.library.space import Space, top

FIRST = 20  # songs of an answer
CANDIDATES = (200, 1_000, 4_000)
"""Songs that the index preselects, which are then compared exactly: more of them find more and take longer."""


def scale(args: argparse.Namespace) -> None:
    """Time the exact search, and with ``--approximate`` an index of usearch, with its recall against the exact one."""
    rng = np.random.default_rng(0)
    blocks, began = synthetic(args.songs, args.factors, rng), time.process_time()
    space, seconds = timed(lambda: Space(blocks, references()))
    cpu = time.process_time() - began
    print(f"{args.songs} songs of {args.factors} common factors: prepared in {seconds:.1f} s, {cpu:.1f} of the CPU")
    rows = rng.choice(args.songs, min(args.songs, 20), replace=False).tolist()
    space.similarities_of(rows[0], DEFAULT_WEIGHTS)
    exact = {row: nearest(space, row) for row in rows}
    cpu = report("exact", lambda row: nearest(space, row), rows)
    if args.songs == 100_000:
        bar("at most 50 ms for 100 000 songs, processor time", cpu <= 0.05)
    print(f"points: {space.points.nbytes / 1e6:.0f} MB; peak memory {peak_memory() / 1e6:.0f} MB", flush=True)
    if args.approximate:
        approximate(space, exact)


def synthetic(songs: int, factors: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return blocks of songs with the reference collection's means and standard deviations.

    Args:
        songs: number of them.
        factors: normal variables that all blocks depend on, with some noise; 0 for independent numbers, which have no
            near neighbours at all.
        rng: random numbers.
    """
    common = rng.standard_normal((songs, factors), dtype=np.float32)
    blocks = {}
    for name, one in references().items():
        rows = rng.standard_normal((songs, len(one.mean)), dtype=np.float32)
        if factors:
            rows *= np.float32(0.3)
            rows += common @ rng.normal(0, factors**-0.5, (factors, len(one.mean))).astype(np.float32)
        rows *= one.deviation.astype(np.float32)
        rows += one.mean.astype(np.float32)
        blocks[name] = rows
    return blocks


def nearest(space: Space, row: int) -> list[int]:
    """Return the songs most like a song, by the exact search."""
    return top(space.similarities_of(row, DEFAULT_WEIGHTS), FIRST).tolist()


def approximate(space: Space, exact: dict[int, list[int]]) -> None:
    """Build an index over the weighted points, and compare what it preselects with the exact answers."""
    usearch: Any = importlib.import_module("usearch.index")
    columns = space._weighted(DEFAULT_WEIGHTS).columns
    used = np.flatnonzero(columns)
    scale_of = np.sqrt(columns[used])
    index = usearch.Index(ndim=len(used), metric="l2sq", dtype="f16", connectivity=16, expansion_add=64)
    began, spent = time.perf_counter(), time.process_time()
    for at in range(0, space.songs, 10_000):
        part = np.ascontiguousarray(space.points[at : at + 10_000, used] * scale_of)
        index.add(np.arange(at, at + len(part)), part, threads=2)
        if at % 100_000 == 90_000:
            print(f"indexed {at + len(part)}, {time.perf_counter() - began:.0f} s", flush=True)
    print(
        f"index of {space.songs} songs: {time.perf_counter() - began:.0f} s, processor time "
        f"{time.process_time() - spent:.0f} s, {index.serialized_length / 1e6:.0f} MB"
    )
    for width in CANDIDATES:
        index.expansion_search = width

        def search(row: int, width: int = width) -> list[int]:
            found = index.search(space.points[row, used] * scale_of, width, threads=1).keys.astype(np.int64)
            similar = space.compare_many(np.array([row]), found, DEFAULT_WEIGHTS)[0]
            return found[top(similar, FIRST)].tolist()

        recall = np.mean([len(set(search(row)) & set(best)) / len(best) for row, best in exact.items()])
        report(f"index, {width} songs preselected", search, list(exact))
        print(f"recall of the first {FIRST} against the exact search: {recall:.3f}", flush=True)


def report(name: str, search: Callable[[int], object], rows: list[int]) -> float:
    """Print how long queries take; return the mean processor time, seconds."""
    before = time.process_time()
    spent = [timed(lambda row=row: search(row))[1] for row in rows]
    cpu = (time.process_time() - before) / len(spent)
    median, slowest = 1000 * np.median(spent), 1000 * max(spent)
    print(f"{name}: a query: median {median:.0f} ms, slowest {slowest:.0f} ms, processor time {1000 * cpu:.1f} ms")
    return cpu


def peak_memory() -> int:
    """Return the largest memory of this process so far, bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function and the seconds it took."""
    began = time.perf_counter()
    made = function()
    return made, round(time.perf_counter() - began, 3)
