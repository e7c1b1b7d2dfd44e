"""Extract features of many songs at the same time, one song on each core."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import joblib
import threadpoolctl

from celesta import _device
from celesta.audio import AudioWarning
from celesta.errors import CelestaError, warn
from celesta.features.base import Arrays, Extractor
from celesta.features.blas import single_threaded_blas
from celesta.features.cache import FeatureCache
from celesta.features.registry import entry, extractor

Measure = Callable[[Path, Sequence[Extractor], FeatureCache | None], list[Arrays]]
_PROCESSES_FROM = 16
"""Songs for each worker from which on it is a process: it starts in seconds, but threads wait for each other's memory
and lock, so that two of them are hardly faster than one."""


def each_song(
    measure: Measure,
    paths: Sequence[Path],
    names: Sequence[str],
    cache: FeatureCache | None,
    workers: int,
    precision: str = "float32",
    device: str = "auto",
) -> Iterator[tuple[int, list[Arrays] | CelestaError]]:
    """Measure songs, and yield (index of the path, its arrays or why there are none) as they are done.

    Args:
        measure: a function of a module (processes find it by its name) of path, extractors and cache.
        paths: of audio files.
        names: of features, one extractor each.
        cache: for ``measure``.
        workers: threads, or processes where there are many songs; 1 to stay in this thread.
        precision: of the networks.
        device: of the networks; where it is a GPU, there is one worker.
    """
    extractors = [
        extractor(name, precision, device) for name in names
    ]  # an unknown name is refused here, whoever measures
    if workers > 1 and any(entry(name).network for name in names):
        workers = _device.workers(_device.name(device), workers)
    if workers == 1:
        for i, path in enumerate(paths):
            yield _numbered(i, measure, path, extractors, cache)
        return
    apart = len(paths) >= _PROCESSES_FROM * workers
    folder = cache.folder if cache else None
    jobs = (
        joblib.delayed(_apart)(i, measure, path, tuple(names), precision, device, folder)
        if apart
        else joblib.delayed(_here)(i, measure, path, extractors, cache)
        for i, path in enumerate(paths)
    )
    backend = "loky" if apart else "threading"
    with single_threaded_blas():
        for i, made, texts in joblib.Parallel(workers, backend=backend, return_as="generator_unordered")(jobs):
            for text in texts:  # warnings of another process
                warn(AudioWarning(text))
            yield i, made


def all_songs(
    measure: Measure, paths: Sequence[Path], names: Sequence[str], cache: FeatureCache | None, workers: int
) -> list[list[Arrays]]:
    """Return the arrays of every song, in order; see :func:`each_song`.

    Raises:
        UsageError, ModelError: a feature is unknown or its weights are missing.
        AudioError, DataError: a song cannot be measured.
    """
    found: dict[int, list[Arrays]] = {}
    for i, made in each_song(measure, paths, names, cache, workers):
        if isinstance(made, CelestaError):
            raise made
        found[i] = made
    return [found[i] for i in range(len(paths))]


def _numbered(
    i: int, measure: Measure, path: Path, extractors: Sequence[Extractor], cache: FeatureCache | None
) -> tuple[int, list[Arrays] | CelestaError]:
    """Return a song's index and its arrays, or why there are none."""
    try:
        return i, measure(path, extractors, cache)
    except CelestaError as error:
        return i, error


def _here(
    i: int, measure: Measure, path: Path, extractors: Sequence[Extractor], cache: FeatureCache | None
) -> tuple[int, list[Arrays] | CelestaError, list[str]]:
    return *_numbered(i, measure, path, extractors, cache), []


def _apart(
    i: int, measure: Measure, path: Path, names: tuple[str, ...], precision: str, device: str, folder: Path | None
) -> tuple[int, list[Arrays] | CelestaError, list[str]]:
    """Do it in another process, whose warnings would be lost there."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        made = _numbered(i, measure, path, *_prepared(names, precision, device, folder))
    return *made, [str(one.message) for one in caught if issubclass(one.category, AudioWarning)]


@lru_cache(maxsize=1)
def _prepared(
    names: tuple[str, ...], precision: str, device: str, folder: Path | None
) -> tuple[list[Extractor], FeatureCache | None]:
    """Make what a process needs, once for all its songs."""
    extractors = [extractor(name, precision, device) for name in names]
    _device.limit_threads(1)
    threadpoolctl.threadpool_limits(1)  # the process computes one song after the other, next to others like it
    return extractors, FeatureCache(folder) if folder else None
