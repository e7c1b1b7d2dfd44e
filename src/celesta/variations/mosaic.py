"""Rebuild a song from grains of other songs: matched on windows of several frames, attacks kept sharp.

Grains begin at the target's onsets. Candidates are the nearest windows of the sources (Schwarz 2006,
"Concatenative sound synthesis"); a beam search weighs how near they are against jumps from one place of a source to
another, and against grains that were used lately.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from celesta._files import printable
from celesta.dsp.stretching import stretch
from celesta.errors import UsageError
from celesta.features.cache import FeatureCache
from celesta.variations.analysis import FRAME_RATE, Progress, SongAnalysis, analyse
from celesta.variations.beam import Candidates, search
from celesta.variations.descriptors import WINDOW, Projection, frame_rows, windows
from celesta.variations.material import Material, at_rate, opened
from celesta.variations.splice import gains

_SHORTEST, _LONGEST = 0.09, 0.37  # seconds of a grain
_NEAREST = 24
_FADE = 0.012  # seconds
_GAIN_DB = 12.0
_FITTED = 4000  # windows that the projection is fitted to


@dataclass(frozen=True)
class Grain:
    """A piece of a source in its place.

    Attributes:
        at: sample of the result.
        n_samples: length.
        source: index of the source.
        start: sample of the source, at the result's sample rate.
        gain_db: by which it is made louder.
        semitones: by which it is transposed.
        follows: whether it continues the grain before it.
    """

    at: int
    n_samples: int
    source: int
    start: int
    gain_db: float = 0.0
    semitones: int = 0
    follows: bool = False


@dataclass(frozen=True)
class Mosaic:
    """A song made of grains.

    Attributes:
        grains: in order.
        sources: names of the sources.
        sample_rate: Hz.
        samples: ``(channels, n)`` float32, as long as the target.
        notes: what was done otherwise than usual.
    """

    grains: list[Grain]
    sources: list[str]
    sample_rate: int
    samples: np.ndarray
    notes: list[str] = field(default_factory=list)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each grain; times in seconds."""
        rate = self.sample_rate
        return [
            {
                "at": round(g.at / rate, 6),
                "seconds": round(g.n_samples / rate, 6),
                "source": self.sources[g.source],
                "from": round(g.start / rate, 6),
                "gain_db": round(g.gain_db, 2),
                "semitones": g.semitones,
            }
            for g in self.grains
        ]

    def csv(self) -> str:
        """Return the rows as CSV, for spreadsheets and DAW import scripts."""
        out = io.StringIO()
        writer = csv.DictWriter(out, ["at", "seconds", "source", "from", "gain_db", "semitones"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return out.getvalue()


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
        jump: cost in dB of leaving a source's own order; 0 for what is nearest at every moment.
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
    if not 0 <= variety <= 1000 or not 0 <= transpose <= 2 or not 0 <= jump <= 1000:
        raise UsageError("variety must lie in 0..1000, transpose in 0..2 and jump in 0..1000")
    if not sources:
        raise UsageError("a mosaic needs at least one source")
    song = opened(target)
    try:
        goal = analyse(song, cache=cache)
        found: list[SongAnalysis] = []
        names: list[str] = []
        for number, source in enumerate(sources, start=1):
            with _Opened(source) as material:
                found.append(analyse(material, cache=cache))
                names.append(str(material.path or material.name or f"source {number}"))
            if progress is not None:
                progress(number, len(sources))
        if max(float(one.level.max(initial=-90)) for one in found) <= -80:
            raise UsageError("all sources are silent; there is nothing to take grains from")
        grains = choose_grains(goal, found, variety=variety, jump=jump, transpose=transpose, follow=follow)
        samples = _rendered(song, sources, grains)
        notes = [] if goal.clear else ["The target has no clear beat: grains follow its onsets alone."]
        return Mosaic(grains, [printable(name) for name in names], song.sample_rate, samples, notes)
    finally:
        if song is not target:
            song.close()


class _Opened:
    """A material that is closed only if it was opened here."""

    def __init__(self, source: Any) -> None:
        self.source, self.material = source, opened(source)

    def __enter__(self) -> Material:
        return self.material

    def __exit__(self, *error: object) -> None:
        if self.material is not self.source:
            self.material.close()


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


def choose_grains(
    goal: SongAnalysis,
    sources: Sequence[SongAnalysis],
    *,
    variety: int = 8,
    jump: float = 3.0,
    transpose: int = 0,
    follow: bool = True,
) -> list[Grain]:
    """Choose the grains of a mosaic; arguments as for :func:`mosaic`."""
    borders = segments(goal)
    scale = goal.sample_rate / FRAME_RATE
    frames = np.round(borders[:-1] / scale).astype(np.int64)
    pool = _Pool(sources, transpose)
    wanted = windows(frame_rows(goal), frames)
    chosen = search(pool.candidates(wanted, frames, _NEAREST), frames, variety, jump)
    level = 10 ** (goal.level / 10)
    powers = [10 ** (one.level / 10) for one in sources]
    grains: list[Grain] = []
    for k, (frame, (source, place, semitones, follows)) in enumerate(zip(frames, chosen, strict=True)):
        at, n = int(borders[k]), int(borders[k + 1] - borders[k])
        count = max(1, round(n / scale))
        gain = 0.0
        if follow:
            here = float(level[frame : frame + count].mean()) if frame < len(level) else 1e-9
            there = float(powers[source][place : place + count].mean()) if place < len(powers[source]) else 1e-9
            gain = float(np.clip(10 * np.log10(max(here, 1e-9) / max(there, 1e-9)), -90, _GAIN_DB))
        start = round(place * scale + (at - frame * scale))
        grains.append(Grain(at, n, source, start, gain, semitones, follows))
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
        parts = [self._project(windows(self._rows[key], np.arange(n))) for key, n in usable.items()]
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
        for first in range(0, len(points), 64):
            some = points[first : first + 64]
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


def _rendered(song: Material, sources: Sequence[Any], grains: Sequence[Grain]) -> np.ndarray:
    """Return the samples of a mosaic; each source is opened once."""
    rate = song.sample_rate
    half = round(_FADE * rate) // 2
    out = np.zeros((song.channels, song.n_samples), np.float32)
    for number in sorted({grain.source for grain in grains}):
        with _Opened(sources[number]) as raw:
            material = at_rate(raw, rate, song.channels)
            for k, grain in enumerate(grains):
                if grain.source == number:
                    _add(out, song, material, grains, k, half)
            if material is not raw:
                material.close()
    return out


def _add(out: np.ndarray, song: Material, source: Material, grains: Sequence[Grain], k: int, half: int) -> None:
    """Add a grain, faded in from the one before and out into the next one."""
    grain = grains[k]
    start = grain.start
    if not grain.follows and k and grain.semitones == 0:
        start += _attack_shift(song, source, grain)
    elif grain.follows:
        start = grain.start
    lead, tail = (half if k else 0), (half if k + 1 < len(grains) else 0)
    x = source.read(start - lead, start + grain.n_samples + tail)
    if grain.semitones:
        x = stretch(x, source.sample_rate, x.shape[1], grain.semitones)
    x = x * np.float32(10 ** (grain.gain_db / 20))
    if lead:
        x[:, : 2 * lead] *= gains(2 * lead, 1.0 if grain.follows else 0.0)[1][: x.shape[1]]
    if tail:
        x[:, -2 * tail :] *= gains(2 * tail, 1.0 if grains[k + 1].follows else 0.0)[0][-x.shape[1] :]
    first = grain.at - lead
    out[:, first : first + x.shape[1]] += x[:, : out.shape[1] - first]


def _attack_shift(song: Material, source: Material, grain: Grain) -> int:
    """Return by how many samples the source's attack comes after the target's, within 12 ms; 0 where none is clear."""
    rate = song.sample_rate
    step, reach, search_reach = max(1, rate // 1000), round(0.025 * rate), round(0.012 * rate)

    def rises(x: np.ndarray) -> np.ndarray:
        power = np.square(np.diff(x, prepend=x[:1]))
        steps = power[: len(power) // step * step].reshape(-1, step).sum(axis=1)
        rising: np.ndarray = np.maximum(np.diff(np.sqrt(steps), prepend=np.sqrt(steps[:1])), 0)
        return rising

    here = rises(song.mono(grain.at - reach, grain.at + reach))
    there = rises(source.mono(grain.start - reach - search_reach, grain.start + reach + search_reach))
    if here.max(initial=0) <= 0 or there.max(initial=0) <= 0:
        return 0
    products = np.correlate(there, here, "valid")
    middle = search_reach // step
    best = int(np.argmax(products))
    return (best - middle) * step if products[best] > 1.2 * products[min(middle, len(products) - 1)] else 0
