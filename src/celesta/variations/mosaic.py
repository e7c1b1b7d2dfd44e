"""Rebuild a song from grains of other songs: matched on windows of several frames, attacks kept sharp.

Grains begin at the target's onsets. Candidates are the nearest windows of the sources (Schwarz 2006,
"Concatenative sound synthesis"); a beam search weighs how near they are against jumps from one place of a source to
another, and against grains that were used lately.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta._files import printable
from celesta.errors import UsageError
from celesta.features.cache import FeatureCache
from celesta.variations import grain_lists
from celesta.variations.analysis import FRAME_RATE, Progress, SongAnalysis, analyse
from celesta.variations.beam import Candidates, search
from celesta.variations.descriptors import WINDOW, Projection, frame_rows, windows
from celesta.variations.grains import GAIN_DB, Canvas, Grain, Opened, render
from celesta.variations.material import Material, part_of

_SHORTEST, _LONGEST = 0.09, 0.37  # seconds of a grain
_NEAREST = 24
_AT_ATTACK, _BETWEEN = 0.0, 3.0  # factors of the cost of a jump where the target has an onset, and where it has none
_CHUNK = 4096  # windows that are projected at once
_FITTED = 4000  # windows that the projection is fitted to


@dataclass(frozen=True)
class Settings:
    """Settings of a mosaic; see :func:`mosaic`.

    Raises:
        UsageError: one is out of range.
    """

    variety: int = 8
    jump: float = 3.0
    transpose: int = 0
    follow: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.variety <= 1000 or not 0 <= self.transpose <= 2 or not 0 <= self.jump <= 1000:
            raise UsageError("variety must lie in 0..1000, transpose in 0..2 and jump in 0..1000")


@dataclass(frozen=True, repr=False)
class Mosaic:
    """A song made of grains.

    Attributes:
        grains: in order.
        sources: names of the sources.
        sample_rate: Hz.
        samples: ``(channels, n)`` float32, as long as the target; none where the mosaic was written to a file.
        notes: what was done otherwise than usual.
    """

    grains: list[Grain]
    sources: list[str]
    sample_rate: int
    samples: np.ndarray = field(default_factory=lambda: np.zeros((1, 0), np.float32))
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        used = len({grain.source for grain in self.grains})
        return f"Mosaic({len(self.grains)} grains from {used} of {len(self.sources)} sources, {self.sample_rate} Hz)"

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each grain; times in seconds."""
        return grain_lists.rows(self.grains, self.sources, self.sample_rate)

    def csv(self) -> str:
        """Return the rows as CSV, for spreadsheets."""
        return grain_lists.as_csv(self.rows())

    def edl(self) -> str:
        """Return an edit decision list, which DAWs open: the grains on two tracks, played from the source files."""
        return grain_lists.as_edl(self.grains, self.sources, self.sample_rate)


def mosaic(
    target: Any,
    sources: Sequence[Any],
    *,
    variety: int = 8,
    jump: float = 3.0,
    transpose: int = 0,
    follow: bool = True,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> Mosaic:
    """Rebuild a song from grains of others.

    Args:
        target: path of an audio or .cel file, or :class:`~celesta.audio.Audio`, to rebuild.
        sources: the same, to take grains from.
        variety: no grain is taken from the place of one of the last so many.
        jump: cost of leaving a source's own order between two onsets of the target, where a jump would be an attack
            too many; 0 for what is nearest at every moment.
        transpose: semitones up and down by which grains may be moved, 0 to 2.
        follow: whether grains are made as loud as the target.
        cache: where analyses are saved.
        progress: called with the number of sources analysed and in all.

    Returns:
        The result, as long as the target, with the source and the place of each grain.

    Raises:
        UsageError: there is no source, all are silent, or a setting is out of range.

    Example:
        made = mosaic("target.mp3", ["rain.wav", "drums.wav"])
        celesta.write("mosaic.flac", made.samples, made.sample_rate)
    """
    with Opened(target) as song:
        settings = Settings(variety, jump, transpose, follow)
        plan = plan_mosaic(song, sources, settings, cache=cache, progress=progress)
        with Canvas(song.channels, song.n_samples) as canvas:
            grains = render(song, sources, plan.grains, canvas)
            return replace(plan, grains=grains, samples=canvas.read(0, song.n_samples))


def mosaic_file(
    target: Any,
    sources: Sequence[Any],
    output: str | Path,
    *,
    start: float | None = None,
    stop: float | None = None,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Mosaic:
    """Do what :func:`mosaic` does to a file; return it without samples.

    Memory grows by the analyses alone, not by the samples; samples are in temporary files.

    Args:
        target: see :func:`mosaic`.
        sources: see :func:`mosaic`.
        output: audio file in the format of its suffix.
        start: seconds of the target at which to begin.
        stop: seconds at which to end.
        cache: where analyses are saved.
        progress: called with the number of sources analysed and in all.
        **settings: ``variety``, ``jump``, ``transpose``, ``follow``.

    Example:
        mosaic_file("target.mp3", ["rain.wav", "drums.wav"], "mosaic.flac")
    """
    with contextlib.ExitStack() as stack:
        song = stack.enter_context(Opened(target))
        if start is not None or stop is not None:
            song = stack.enter_context(part_of(song, start or 0.0, stop))
        plan = plan_mosaic(song, sources, Settings(**settings), cache=cache, progress=progress)
        canvas = stack.enter_context(Canvas(song.channels, song.n_samples))
        grains = render(song, sources, plan.grains, canvas)
        with audio.Writer(output, song.sample_rate, song.channels) as writer:
            for block in canvas.blocks():
                writer.write(block)
    return replace(plan, grains=grains)


def plan_mosaic(
    song: Material,
    sources: Sequence[Any],
    settings: Settings,
    *,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> Mosaic:
    """Choose the grains of a mosaic; arguments as for :func:`mosaic`."""
    if not sources:
        raise UsageError("a mosaic needs at least one source")
    goal = analyse(song, cache=cache)
    found: list[SongAnalysis] = []
    names: list[str] = []
    for number, source in enumerate(sources, start=1):
        with Opened(source) as material:
            found.append(analyse(material, cache=cache))
            names.append(str(material.path or material.name or f"source {number}"))
        if progress is not None:
            progress(number, len(sources))
    if max(float(one.level.max(initial=-90)) for one in found) <= -80:
        raise UsageError("all sources are silent; there is nothing to take grains from")
    grains = choose_grains(goal, found, settings)
    notes = [] if goal.clear else ["The target has no clear beat: grains follow its onsets alone."]
    return Mosaic(grains, [printable(name) for name in names], song.sample_rate, notes=notes)


def segments(analysis: SongAnalysis) -> np.ndarray:
    """Return the borders of grains ``(n + 1,)`` int64, in samples: onsets, and between them equal parts."""
    rate, n = analysis.sample_rate, analysis.n_samples
    least, most = _SHORTEST * rate, _LONGEST * rate
    borders = [0]
    for onset in [*analysis.onsets.tolist(), n]:
        while onset - borders[-1] > most:
            parts = int(np.ceil((onset - borders[-1]) / most))
            borders.append(borders[-1] + round((onset - borders[-1]) / parts))
        if onset - borders[-1] >= least and onset < n:
            borders.append(int(onset))
    if len(borders) > 1 and n - borders[-1] < least:
        borders.pop()
    return np.array([*borders, n], np.int64)


def choose_grains(goal: SongAnalysis, sources: Sequence[SongAnalysis], settings: Settings) -> list[Grain]:
    """Choose the grains of a mosaic from analyses, which are in the order of the sources."""
    borders = segments(goal)
    scale = goal.sample_rate / FRAME_RATE
    frames = np.round(borders[:-1] / scale).astype(np.int64)
    pool = _Pool(sources, settings.transpose)
    wanted = windows(frame_rows(goal), frames)
    attacks = np.isin(borders[:-1], goal.onsets)
    costs = settings.jump * np.where(attacks, _AT_ATTACK, _BETWEEN)
    chosen = search(pool.candidates(wanted, frames, _NEAREST), frames, settings.variety, costs)
    level = 10 ** (goal.level / 10)
    powers = [10 ** (one.level / 10) for one in sources]
    grains: list[Grain] = []
    for k, (frame, (source, place, semitones, follows)) in enumerate(zip(frames, chosen, strict=True)):
        at, n = int(borders[k]), int(borders[k + 1] - borders[k])
        count = max(1, round(n / scale))
        gain = 0.0
        if settings.follow:
            here = float(level[frame : frame + count].mean()) if frame < len(level) else 1e-9
            there = float(powers[source][place : place + count].mean()) if place < len(powers[source]) else 1e-9
            gain = float(np.clip(10 * np.log10(max(here, 1e-9) / max(there, 1e-9)), -90, GAIN_DB))
        start = round(place * scale + (at - frame * scale))
        grains.append(Grain(at, n, source, start, gain, semitones, follows, bool(attacks[k]), settings.follow))
    return grains


class _Pool:
    """The windows of all sources, with which the target's are compared."""

    def __init__(self, sources: Sequence[SongAnalysis], transpose: int) -> None:
        keys = [(i, s) for i in range(len(sources)) for s in range(-transpose, transpose + 1)]
        self._rows = {key: frame_rows(sources[key[0]], key[1]) for key in keys}
        usable = {key: max(1, len(rows) - WINDOW // 2) for key, rows in self._rows.items()}
        total = sum(usable.values())
        some = np.concatenate(
            [windows(self._rows[key], np.arange(0, n, max(1, total // _FITTED))) for key, n in usable.items()]
        )
        self._project = Projection.fit(some)
        parts = [
            self._project(windows(self._rows[key], np.arange(first, min(first + _CHUNK, n))))
            for key, n in usable.items()
            for first in range(0, n, _CHUNK)
        ]
        self.points = np.concatenate(parts)
        self._squares = np.einsum("ij,ij->i", self.points, self.points)
        self.source = np.concatenate([np.full(n, key[0]) for key, n in usable.items()])
        self.semitones = np.concatenate([np.full(n, key[1]) for key, n in usable.items()])
        self.place = np.concatenate([np.arange(n) for n in usable.values()])

    def candidates(self, wanted: np.ndarray, frames: np.ndarray, count: int) -> Candidates:
        """Find the nearest windows of each wanted one."""
        points = self._project(wanted)
        nearest = np.zeros((len(points), count), np.int64)
        many = min(8 * count, len(self.points))
        for first in range(0, len(points), 16):
            some = points[first : first + 16]
            squared = self._squares - 2 * some @ self.points.T
            best = np.argpartition(squared, many - 1, axis=1)[:, :many]
            for k in range(len(some)):
                ordered = best[k][np.argsort(squared[k, best[k]], kind="stable")]
                nearest[first + k] = self._apart(ordered, count)
        return Candidates(points, self.points, nearest, self.source, self.semitones, self.place)

    def _apart(self, ordered: np.ndarray, count: int) -> np.ndarray:
        """Keep of neighbouring windows the nearest one."""
        kept: list[int] = []
        taken: set[tuple[int, int, int]] = set()
        for index in ordered:
            key = int(self.source[index]), int(self.semitones[index]), int(self.place[index])
            if not any((key[0], key[1], key[2] + d) in taken for d in (-1, 0, 1)):
                kept.append(int(index))
                taken.add(key)
            if len(kept) == count:
                break
        return np.array((kept + [kept[0]] * count)[:count])
