"""What every part of the benchmark shares: the codec, the clips, who listens, the verdicts, progress."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from _codec_ears import Ears
from _codec_points import Bars, Point

from celesta import audio, datasets
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.errors import DataError

FITTING_TRACKS, FITTING_SECONDS = 8, 5.0
START = 5.0  # seconds into a GTZAN clip: the first ones are often a fade
T = TypeVar("T")


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class Bench:
    """One run of the benchmark.

    Attributes:
        coder: the codec.
        data: GTZAN with its lists.
        shards: folder with ``valid.pcm``, None for no stereo.
        count: clips of each set.
        seconds: of each clip.
        heard: clips on which ViSQOL is measured.
        ears: who measures it.
        quick: leave out baselines and MP3.
        bars: verdicts so far.
        points: points so far, by curve ("mono", "stereo", "floats", "base").
        figures: what else was measured.
        names: of the stereo clips, once they are read.
    """

    coder: Codec
    data: Path
    shards: Path | None
    count: int
    seconds: float
    heard: int
    ears: Ears
    quick: bool = False
    bars: Bars = field(default_factory=Bars)
    points: dict[str, list[Point]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    @functools.cached_property
    def _tracks(self) -> list[datasets.Track]:
        return datasets.load([self.data])

    @functools.cached_property
    def chosen(self) -> list[datasets.Track]:
        """The tracks of the test list that are scored, spread evenly over it."""
        return spread([t for t in self._tracks if t.split == "test"], self.count, self.data)

    @functools.cached_property
    def mono(self) -> list[Audio]:
        """Clips of GTZAN's test list, 22 050 Hz mono."""
        return [audio.read(t.path, mono=True, start=START, duration=self.seconds) for t in self.chosen]

    @functools.cached_property
    def fitting(self) -> list[Audio]:
        """Training music for the baselines' tables."""
        tracks = spread([t for t in self._tracks if t.split == "train"], FITTING_TRACKS, self.data)
        return [audio.read(t.path, mono=True, start=START, duration=FITTING_SECONDS) for t in tracks]

    @functools.cached_property
    def stereo(self) -> list[Audio]:
        """The beginnings of pieces of the validation packages, 44 100 Hz stereo."""
        if self.shards is None:
            return []
        try:
            index = json.loads((self.shards / "valid.json").read_text())["pieces"]
            pcm = np.memmap(self.shards / "valid.pcm", "<i2", "r").reshape(-1, 2)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{self.shards}: no readable shards ({error}); make them: scripts/make_shards.py") from None
        clips = []
        for piece in spread(index, self.count, self.shards):
            self.names.append(f"{piece['package']}: {piece['member']}, piece {piece['piece']}")
            n = min(piece["frames"], round(self.seconds * 44_100))
            clips.append(Audio(pcm[piece["start"] : piece["start"] + n].astype(np.float32).T / 32_768, 44_100))
        return clips

    def listened(self, clips: list[Audio], *measures: str) -> list[tuple[str, ...]]:
        """The slow measures to take on each clip: ViSQOL on some only, spread evenly."""
        some = {round(i) for i in np.linspace(0, len(clips) - 1, min(self.heard, len(clips)))}
        return [tuple(m for m in measures if m != "ViSQOL" or i in some) for i in range(len(clips))]


def spread(items: list[T], count: int, where: Path) -> list[T]:
    """At most ``count`` items, spread evenly.

    Raises:
        DataError: there are none.
    """
    if not items:
        raise DataError(f"{where}: holds nothing to measure; GTZAN with its lists, or shards, are needed")
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, min(count, len(items)))]


def progress(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """The items, told on stderr: in place in a terminal, else a line a minute."""
    began = said = time.monotonic()
    for i, item in enumerate(items):
        now = time.monotonic()
        if sys.stderr.isatty():
            print(f"\r\033[K{what}: {i + 1} of {total}", end="", file=sys.stderr, flush=True)
        elif now - said > 60:
            said = now
            print(f"{what}: {i} of {total} after {now - began:.0f} s", file=sys.stderr, flush=True)
        yield item
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
