"""One pass over a song: its audio is streamed once to the analyses of all extractors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from celesta._files import printable
from celesta.audio import Audio, AudioSource, AudioWarning, Resampler
from celesta.dsp.mono import MonoMix
from celesta.errors import DataError, warn
from celesta.features.base import Arrays, Extractor
from celesta.features.blas import single_threaded_blas
from celesta.features.cache import FeatureCache, Key

T = TypeVar("T")
BLOCK = 5.0
"""Seconds that are pushed to all analyses at once."""


class SongAnalysis:
    """The finished analyses of one song, which can be summarised as a whole and for any stretch.

    Attributes:
        mix: what was measured of the channels and their mean.
        remarks: warnings while the song was read, without its name.
    """

    def __init__(
        self, extractors: Sequence[Extractor], mix: MonoMix, analyses: dict[str, Any], remarks: Sequence[str] = ()
    ) -> None:
        self._extractors, self.mix, self._analyses, self.remarks = extractors, mix, analyses, list(remarks)

    def arrays(
        self, start: float = 0.0, stop: float | None = None, extractors: Sequence[Extractor] | None = None
    ) -> list[Arrays]:
        """Return the arrays of each extractor from ``start`` to ``stop`` seconds, or of some of the extractors only."""
        chosen = self._extractors if extractors is None else extractors
        with single_threaded_blas():
            return [one.summarise(self._analyses[one.analysis], start, stop) for one in chosen]


def analyse(
    source: str | Path | Audio | AudioSource,
    extractors: Sequence[Extractor],
    threads: int = 1,
    *,
    start: float = 0.0,
    stop: float | None = None,
) -> SongAnalysis:
    """Stream a song, or a stretch of it, to the analyses of extractors; those with one name share an analysis.

    Memory does not grow with the song, other than by a few numbers a second, for all but the extractors of latents.

    Args:
        source: an audio file, one that is open, or audio in memory.
        extractors: what to compute.
        threads: analyses that run at the same time; their number does not change results.
        start: seconds at which the stretch begins; what lies outside of it is not analysed.
        stop: seconds at which it ends; None for the end of the song.

    Raises:
        AudioError: the file cannot be read, or holds nothing there.
    """
    remarks: list[str] = []
    with contextlib.ExitStack() as stack:
        if isinstance(source, Audio):
            rate, last = source.sample_rate, None if stop is None else round(stop * source.sample_rate)
            blocks = iter([np.atleast_2d(source.samples)[:, round(start * rate) : last]])
        else:
            opened = stack.enter_context(AudioSource(source)) if isinstance(source, str | Path) else source
            duration = None if stop is None else stop - start
            rate, blocks, remarks = opened.sample_rate, opened.blocks(start=start, duration=duration), opened.remarks
        stack.enter_context(single_threaded_blas())
        mix = MonoMix(rate)
        streams = _Streams(rate, extractors)
        every = stack.enter_context(_lanes(streams.analyses, threads))
        for mono in _joined((mix.push(block) for block in blocks), round(BLOCK * rate)):
            streams.push(mono)
            every(streams.feed)
        streams.finish()
        every(streams.feed)
        every(streams.end)
    return SongAnalysis(extractors, mix, streams.started, remarks)


class _Streams:
    """The analyses of extractors, and what each of them is fed: samples at its rate, or the result of its stage.

    Attributes:
        started: name to analysis.
        analyses: names.
    """

    def __init__(self, rate: int, extractors: Sequence[Extractor]) -> None:
        by_name = {one.analysis: one for one in extractors}
        self.started = {name: one.start() for name, one in by_name.items()}
        self.analyses = list(by_name)
        self._resamplers = {one.sample_rate: Resampler(rate, one.sample_rate, 1) for one in extractors}
        self._stages = {one.stage.name: (one.stage.start(), one.sample_rate) for one in extractors if one.stage}
        self._stage_of = {name: one.stage.name for name, one in by_name.items() if one.stage}
        self._rate_of = {name: one.sample_rate for name, one in by_name.items()}
        self._parts: dict[int, np.ndarray] = {}
        self._staged: dict[str, Any] = {}

    def push(self, mono: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        self._parts = {to: resampler.push(mono[None])[0] for to, resampler in self._resamplers.items()}
        self._staged = {name: stage.push(self._parts[to]) for name, (stage, to) in self._stages.items()}

    def finish(self) -> None:
        """End the stream."""
        self._parts = {to: resampler.finish()[0] for to, resampler in self._resamplers.items()}
        self._staged = {
            name: [*stage.push(self._parts[to]), *stage.finish()] for name, (stage, to) in self._stages.items()
        }

    def feed(self, name: str) -> None:
        """Give an analysis what came last."""
        analysis = self.started[name]
        if name in self._stage_of:
            analysis.take(self._staged[self._stage_of[name]])
        else:
            analysis.push(self._parts[self._rate_of[name]])

    def end(self, name: str) -> None:
        """End an analysis."""
        if name not in self._stage_of:
            self.started[name].finish()


@contextlib.contextmanager
def _lanes(items: Sequence[T], threads: int) -> Iterator[Callable[[Callable[[T], object]], None]]:
    """Give a function that does something with every item, on some threads, and waits until all is done.

    An item always gets the same thread. The C library keeps freed memory for the thread that freed it, so items that
    change threads would take as much as if each thread worked on the largest, sooner or later.
    """
    lanes = [items[i::threads] for i in range(min(threads, len(items)))]
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(ThreadPoolExecutor(1)) for _ in lanes[1:]]

        def every(work: Callable[[T], object]) -> None:
            def run(lane: Sequence[T]) -> None:
                for item in lane:
                    work(item)

            waiting = [worker.submit(run, lane) for worker, lane in zip(workers, lanes[1:], strict=True)]
            for lane in lanes[:1]:
                run(lane)
            for one in waiting:
                one.result()

        yield every


def _joined(parts: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield samples ``(n,)`` in blocks of about ``size``."""
    held: list[np.ndarray] = []
    for part in parts:
        for at in range(0, max(len(part), 1), size):
            held.append(part[at : at + size])
            if sum(map(len, held)) >= size:
                yield np.concatenate(held)
                held = []
    if held:
        yield np.concatenate(held)


def song_arrays(
    path: Path, extractors: Sequence[Extractor], cache: FeatureCache | None = None, threads: int = 1
) -> list[Arrays]:
    """Return the arrays of each extractor for one song, from the cache where it has them.

    Warns:
        AudioWarning: the song is damaged, silent, or its channels cancel in mono; also if the cache has its features.

    Raises:
        AudioError: the song cannot be read.
        DataError: a feature of it is not finite.
    """
    content = cache.content(path) if cache else ""
    keys = [key_of(one, content) for one in extractors]
    found = {key: cache.get(key) for key in keys} if cache else {}
    missing = [one for one, key in zip(extractors, keys, strict=True) if found.get(key) is None]
    if missing:
        # Extractors that share work come one after the other.
        missing.sort(key=lambda one: (one.name.partition(":")[2], one.name.partition(":")[0].endswith("-random")))
        made = analyse(path, missing, threads)
        remarks = list(made.remarks)
        if problem := made.mix.problem(shortest=0):
            remarks.append(problem)
            warn(AudioWarning(f"{printable(path)}: {problem}"))
        for one, arrays in zip(missing, made.arrays(), strict=True):
            check_finite(path, one, arrays)
            found[key_of(one, content)] = arrays
            if cache:
                cache.put(key_of(one, content), arrays, remarks)
    elif cache:
        for text in cache.remarks(keys[0]):
            warn(AudioWarning(f"{printable(path)}: {text}"))
    return [arrays for arrays in (found[key] for key in keys) if arrays is not None]


def key_of(one: Extractor, content: str) -> Key:
    """Return where the cache has an extractor's features of a content."""
    return Key(content, one.name, one.weights, one.version, one.precision)


def check_finite(path: Path, one: Extractor, arrays: Arrays) -> None:
    """Refuse features that are not finite.

    Raises:
        DataError: one is not.
    """
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise DataError(f"{printable(path)}: its {one.name} is not finite; it is left out")
