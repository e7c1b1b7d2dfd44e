"""Code a quantised song to a bitrate, and coarsen coded songs: what encoding, truncating and saving share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from celesta._files import printable
from celesta.entropy import window as bits
from celesta.entropy.table_file import Tables
from celesta.entropy.window import NO_DETAIL, Numbers
from celesta.errors import LatentWarning, warn
from celesta.latents.coded import CodedWriter, WrittenFile
from celesta.latents.meta import INDEX
from celesta.latents.rate_control import next_step, search

Progress = Callable[[float, float | None], None]
"""Called with the seconds of audio done and in all; None where that is not known."""

Item = TypeVar("Item")
_TRIES, _PASSES = 12, 4  # by what it would cost, and with all of it coded
_AIM = 0.996  # of the bitrate: the estimate errs by so much
_INDEX, _HEADER = 8 * 4 * INDEX, 8 * 480  # bits of a window's index in the file, and of its header


_THREADS = 2


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield windows while a second thread makes the next one."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (window := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield window


def ignore_progress(done: float, total: float | None) -> None:
    """Do nothing: the default of every ``progress``."""


@dataclass(frozen=True)
class SongFile:
    """The coded file that a song goes to.

    Attributes:
        path: final name.
        meta: metadata for :class:`~celesta.latents.coded.CodedWriter`.
        mid_side: whether two channels are mid and side.
        n_samples: of the source, at its sample rate.
        progress: called with the seconds of audio done and in all.
        check: called with the finished file before it gets its name, and may raise.
    """

    path: Path
    meta: Mapping[str, Any]
    mid_side: bool
    n_samples: int
    progress: Progress = ignore_progress
    check: Callable[[Path], None] | None = field(default=None, repr=False)

    @property
    def seconds(self) -> float:
        """Duration of the song."""
        return float(self.n_samples / self.meta["source_rate"])

    @property
    def window(self) -> float:
        """Duration of a window, seconds."""
        return float(self.meta["window"] / self.meta["sample_rate"])

    def estimate(
        self,
        channels: Sequence[Callable[[int], Numbers]],
        windows: int,
        kbps: float,
        step: int,
        tables: Tables,
    ) -> int:
        """Find the step at which some windows would cost nearly the bitrate, without coding them.

        Args:
            channels: for each audio channel of each window a function that quantises it at a step.
            windows: number of windows.
            kbps: bitrate asked for, kbit/s.
            step: to begin with.
            tables: the codec's.
        """
        share = min(1.0, windows * self.window / self.seconds)
        with ThreadPoolExecutor(_THREADS) as pool:

            def total(cost: Callable[[Numbers, Tables], float], step: int) -> float:
                return sum(pool.map(lambda quantised: cost(quantised(step), tables), channels))

            fixed = total(bits.fixed_cost, NO_DETAIL) + _INDEX * len(channels) + _HEADER * share

            def kbps_at(step: int) -> float:
                return float((fixed + total(bits.detail_cost, step)) / (share * self.seconds) / 1000)

            return search(kbps_at, max(0.5, _AIM * kbps), step, _TRIES)

    def write(
        self,
        numbers: Callable[[int], Iterator[list[Numbers]]],
        channels: int,
        kbps: float | None,
        step: int,
        tables: Tables,
        *,
        last: bool = True,
    ) -> WrittenFile:
        """Write the windows of a step; with a bitrate, of the steps near it until it is met.

        Args:
            numbers: gives the quantised windows at a step.
            channels: base channels.
            kbps: bitrate asked for, kbit/s; None for the step as it is.
            step: to begin with.
            tables: the codec's.
            last: whether to write the smallest file where none is small enough, with a
                :class:`~celesta.errors.LatentWarning`. Otherwise nothing is written then.

        Returns:
            The file; where nothing was written, what it would have been.
        """
        tried: dict[int, float] = {}
        while True:
            with CodedWriter(self.path, self.meta, channels, tables, mid_side=self.mid_side) as writer:
                for i, window in enumerate(ahead(numbers(step)), start=1):
                    writer.append(window)
                    self.progress(min(i * self.window, self.seconds), self.seconds)
                size = writer.size(self.n_samples)
                tried[step] = size * 8 / self.seconds / 1000
                better = step if kbps is None else next_step(tried, kbps, _PASSES)
                if better is None and not last:
                    return WrittenFile(self.path, size, self.seconds, kbps)
                if better is None or better == step:
                    size = writer.close(self.n_samples, self.check)
                    return self._reported(WrittenFile(self.path, size, self.seconds, kbps))
                step = better

    def _reported(self, made: WrittenFile) -> WrittenFile:
        if not made.meets_target:
            text = f"{printable(self.path)}: {made.kbps:.2f} kbit/s is the smallest that this song can have here"
            warn(LatentWarning(f"{text}, not the {made.target_kbps:g} asked for"))
        return made
