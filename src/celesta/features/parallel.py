"""One measurement on many songs, a song a core."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import joblib
import torch

from celesta.errors import CelestaError
from celesta.features.cache import FeatureCache
from celesta.features.registry import Arrays, Extractor, extractor

Measure = Callable[[Path, Sequence[Extractor], FeatureCache | None], list[Arrays]]
_PROCESSES_FROM = 16
"""Songs a worker from which a process of its own pays: it starts in seconds, but threads wait for each other's memory
and lock, so that two of them are hardly faster than one."""


def each_song(
    measure: Measure, paths: Sequence[Path], kinds: Sequence[str], cache: FeatureCache | None, workers: int
) -> Iterator[tuple[int, list[Arrays] | CelestaError]]:
    """Measure songs, and give (number of the path, its arrays or why there are none) as they are done.

    Args:
        measure: a function of a module (processes find it by its name) of path, extractors and cache.
        paths: of sound files.
        kinds: of features, one extractor each.
        cache: for ``measure``.
        workers: threads, or processes where there are many songs; 1 to stay in this thread.
    """
    extractors = [extractor(kind) for kind in kinds]  # an unknown kind is refused here, whoever measures
    if workers == 1:
        for i, path in enumerate(paths):
            yield _numbered(i, measure, path, extractors, cache)
        return
    apart = len(paths) >= _PROCESSES_FROM * workers
    folder = cache.folder if cache else None
    jobs = (
        joblib.delayed(_apart)(i, measure, path, tuple(kinds), folder)
        if apart
        else joblib.delayed(_numbered)(i, measure, path, extractors, cache)
        for i, path in enumerate(paths)
    )
    backend = "loky" if apart else "threading"
    yield from joblib.Parallel(workers, backend=backend, return_as="generator_unordered")(jobs)


def all_songs(
    measure: Measure, paths: Sequence[Path], kinds: Sequence[str], cache: FeatureCache | None, workers: int
) -> list[list[Arrays]]:
    """The arrays of every song, in order; see :func:`each_song`.

    Raises:
        UsageError, ModelError: a kind is unknown or its weights are missing.
        AudioError, DataError: a song cannot be measured.
    """
    found: dict[int, list[Arrays]] = {}
    for i, made in each_song(measure, paths, kinds, cache, workers):
        if isinstance(made, CelestaError):
            raise made
        found[i] = made
    return [found[i] for i in range(len(paths))]


def _numbered(
    i: int, measure: Measure, path: Path, extractors: Sequence[Extractor], cache: FeatureCache | None
) -> tuple[int, list[Arrays] | CelestaError]:
    """A song's arrays, or why there are none, with its number."""
    try:
        return i, measure(path, extractors, cache)
    except CelestaError as error:
        return i, error


def _apart(
    i: int, measure: Measure, path: Path, kinds: tuple[str, ...], folder: Path | None
) -> tuple[int, list[Arrays] | CelestaError]:
    return _numbered(i, measure, path, *_prepared(kinds, folder))


@lru_cache(maxsize=1)
def _prepared(kinds: tuple[str, ...], folder: Path | None) -> tuple[list[Extractor], FeatureCache | None]:
    """What a process needs, made once for all its songs."""
    torch.set_num_threads(1)
    return [extractor(kind) for kind in kinds], FeatureCache(folder) if folder else None
