"""A transition from one song to another: at the best pair of places, beats together, levels matched.

During the transition both songs play. The tempo goes from that of the first to that of the second; bars of both are
stretched to it, the pitch stays. Before and behind it the samples are the songs' own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.errors import UsageError
from celesta.features.cache import FeatureCache
from celesta.variations.analysis import FRAME_RATE, Progress, SongAnalysis, analyse
from celesta.variations.bars import means_between, unit
from celesta.variations.bridge_mix import Grid, mixed
from celesta.variations.material import Material, at_rate, opened
from celesta.variations.splice import Ordinary

_LATE, _EARLY = 0.5, 0.5  # share of the first song before, and of the second behind which no transition lies
_PLACE = 0.5  # cost of a transition that leaves out half a song
_RENDERED = 12  # pairs of places that are rendered and measured at most
_HIGHEST = 75.0  # percentile among the songs' beats at both ends with which a pair is taken at once


@dataclass(frozen=True, repr=False)
class Bridge:
    """A transition.

    Attributes:
        leave: sample of the first song at which the transition begins.
        enter: sample of the second song (at the first one's sample rate) at which it has ended.
        n_samples: of the transition.
        sample_rate: Hz.
        tempos: beats a minute of the two songs; 0 where there is no clear beat.
        stretched: whether bars are stretched to a common tempo.
        harmony: mean cosine of the pitch classes of the two songs in the transition.
        level_db: by how much the second song is louder than the first one.
        edges: flux and mel distance where the transition begins, and where it ends, as percentiles (0 to 100) among the
            ordinary beats of the song there.
        notes: what was done otherwise than usual.
        samples: ``(channels, n_samples)`` float32.
    """

    leave: int
    enter: int
    n_samples: int
    sample_rate: int
    tempos: tuple[float, float]
    stretched: bool
    harmony: float
    level_db: float
    edges: tuple[float, float, float, float] = (50.0, 50.0, 50.0, 50.0)
    notes: list[str] = field(default_factory=list)
    samples: np.ndarray = field(default_factory=lambda: np.zeros((1, 0), np.float32))

    def __repr__(self) -> str:
        leave, enter, length = (n / self.sample_rate for n in (self.leave, self.enter, self.n_samples))
        return f"Bridge({length:.3f} s, from {leave:.3f} s of the first to {enter:.3f} s of the second)"

    def blocks(self, a: Material, b: Material, around: float | None = None) -> Iterator[np.ndarray]:
        """Yield the first song, the transition and the second song in blocks ``(channels, n)``.

        Args:
            a: the first song.
            b: the second one, at the first one's sample rate and channels.
            around: seconds of the songs on either side; None for all.
        """
        side = max(a.n_samples, b.n_samples) if around is None else round(around * self.sample_rate)
        yield from a.blocks(max(0, self.leave - side), self.leave)
        yield self.samples
        yield from b.blocks(self.enter, min(b.n_samples, self.enter + side))

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds; times in seconds."""
        rate = self.sample_rate
        return {
            "leave": self.leave / rate,
            "enter": self.enter / rate,
            "seconds": self.n_samples / rate,
            "tempos": list(self.tempos),
            "stretched": self.stretched,
            "harmony": round(self.harmony, 3),
            "level_db": round(self.level_db, 2),
            "edges": [round(percentile, 1) for percentile in self.edges],
            "notes": self.notes,
        }


def bridge(
    a: Any, b: Any, seconds: float = 8.0, *, around: float | None = None, progress: Progress | None = None
) -> Audio:
    """Make a transition from one song to another.

    Args:
        a: path of an audio or .cel file, or :class:`~celesta.audio.Audio`: the song that comes first.
        b: the song that follows; converted to the sample rate and channels of the first.
        seconds: of the transition; exact to the sample.
        around: seconds of the songs before and behind it in the result; None for all.
        progress: called with the seconds analysed and in all, for each song.

    Raises:
        UsageError: the transition is longer than half a song, or seconds is out of range.

    Example:
        mix = celesta.variations.bridge("first.mp3", "second.mp3", 8.0)
    """
    with _pair(a, b) as pair:
        plan = plan_bridge(pair.a, pair.b, seconds, progress=progress)
        return Audio(np.concatenate(list(plan.blocks(pair.a, pair.b, around)), axis=1), pair.a.sample_rate)


def bridge_file(
    a: str | Path,
    b: str | Path,
    target: str | Path,
    seconds: float = 8.0,
    *,
    around: float | None = None,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> Bridge:
    """Do what :func:`bridge` does from files to a file, in flat memory; return what was done.

    Example:
        bridge_file("first.mp3", "second.mp3", "mix.flac", 8.0)
    """
    with _pair(a, b) as pair:
        plan = plan_bridge(pair.a, pair.b, seconds, cache=cache, progress=progress)
        with audio.Writer(target, pair.a.sample_rate, pair.a.channels) as writer:
            for block in plan.blocks(pair.a, pair.b, around):
                writer.write(block)
    return plan


class _pair:
    """Two songs at one sample rate; what was opened here is closed."""

    def __init__(self, a: Any, b: Any) -> None:
        self.a = opened(a)
        second = opened(b)
        self.b = at_rate(second, self.a.sample_rate, self.a.channels)
        if self.b is not second and second is not b:
            second.close()
        self._own = [song for song, given in ((self.a, a), (self.b, b)) if song is not given]

    def __enter__(self) -> _pair:
        return self

    def __exit__(self, *error: object) -> None:
        for song in self._own:
            song.close()


def plan_bridge(
    a: Material,
    b: Material,
    seconds: float,
    *,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> Bridge:
    """Choose where a transition lies and make its samples; arguments as for :func:`bridge`."""
    n = round(seconds * a.sample_rate) if np.isfinite(seconds) else 0
    if seconds < 0.05 or n < 1:
        raise UsageError(f"a transition needs at least 0.05 s, got {seconds:g}")
    for song in (a, b):
        if 2 * n > song.n_samples:
            raise UsageError(
                f"{song.name or 'the song'}: a transition of {seconds:g} s is longer than half of the song"
                f" ({song.duration:.1f} s)"
            )
    first, second = analyse(a, cache=cache, progress=progress), analyse(b, cache=cache, progress=progress)
    notes: list[str] = []
    grid = Grid.of(first, second, n, notes)
    tempos = (first.tempo if first.clear else 0.0, second.tempo if second.clear else 0.0)
    ordinary = Ordinary(a, first.beats), Ordinary(b, second.beats)
    best: Bridge | None = None
    for i, j, harmony in _apart(_pairs(first, second, grid)):
        samples, level = mixed(a, b, grid, i, j, n)
        leave, enter = int(grid.a[i]), int(grid.b[j])
        edges = _edges(a, b, (leave, enter), samples, ordinary)
        if best is None or max(edges) < max(best.edges):
            best = Bridge(
                leave, enter, n, a.sample_rate, tempos, grid.stretched, harmony, level, edges, notes, samples
            )  # fmt: skip
        if max(edges) <= _HIGHEST:
            break
    assert best is not None
    return best


def _apart(pairs: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Keep the best pairs, each place in at most two of them."""
    kept: list[tuple[int, int, float]] = []
    for pair in pairs:
        if all(sum(pair[k] == other[k] for other in kept) < 2 for k in (0, 1)):
            kept.append(pair)
        if len(kept) == _RENDERED:
            break
    return kept


def _edges(
    a: Material, b: Material, places: tuple[int, int], samples: np.ndarray, ordinary: tuple[Ordinary, Ordinary]
) -> tuple[float, float, float, float]:
    """Return flux and mel distance at both ends of a transition, as percentiles of the songs' ordinary beats."""
    side = ordinary[0].side
    inside = a.mix(samples)
    before, behind = a.mono(places[0] - side, places[0]), b.mono(places[1], places[1] + side)
    into = np.concatenate([before, np.concatenate([inside, behind])[:side]])
    out = np.concatenate([np.concatenate([before, inside])[-side:], behind])
    return (*ordinary[0].ranks(into), *ordinary[1].ranks(out))


def _pairs(first: SongAnalysis, second: SongAnalysis, grid: Grid) -> list[tuple[int, int, float]]:
    """List the beats at which the transition begins in the first song and ends in the second one, best first.

    The best pair has most harmony between what plays together; whole bars, little change of level and leaving out
    little of the songs count too.

    Returns:
        Beats of the first and of the second song, and the harmony.
    """
    scale = [len(x.chroma) / max(x.n_samples, 1) for x in (first, second)]
    harmony_a = unit(np.sqrt(means_between(first.chroma, grid.a * scale[0])))
    harmony_b = unit(np.sqrt(means_between(second.chroma, grid.b * scale[1])))
    level_a = means_between(first.level[:, None], grid.a / first.sample_rate * FRAME_RATE)[:, 0]
    level_b = means_between(second.level[:, None], grid.b / second.sample_rate * FRAME_RATE)[:, 0]
    count = grid.count
    starts = np.flatnonzero((grid.a >= _LATE * first.n_samples) & (np.arange(len(grid.a)) + count < len(grid.a)))
    ends = np.flatnonzero((grid.b <= _EARLY * second.n_samples) & (np.arange(len(grid.b)) >= count))
    starts = starts if len(starts) else np.array([max(0, len(grid.a) - 1 - count)])
    ends = ends if len(ends) else np.array([min(count, len(grid.b) - 1)])
    bars_a = {int(beat) for beat in first.beats[first.downbeat :: first.metre]} if first.clear else set()
    bars_b = {int(beat) for beat in second.beats[second.downbeat :: second.metre]} if second.clear else set()
    found: list[tuple[float, int, int, float]] = []
    for i in starts[:: max(1, len(starts) // 128)]:
        for j in ends[:: max(1, len(ends) // 128)]:
            k = min(count, len(harmony_a) - i, j)
            together = float(np.sum(harmony_a[i : i + k] * harmony_b[j - k : j]) / max(k, 1))
            apart = abs(float(level_a[i : i + k].mean() - level_b[j - k : j].mean())) if k else 0.0
            off = 0.15 * (bool(bars_a) and int(grid.a[i]) not in bars_a) + 0.15 * (
                bool(bars_b) and int(grid.b[j]) not in bars_b
            )
            left_out = (1 - grid.a[i] / first.n_samples) + grid.b[j] / second.n_samples
            cost = (1 - together) + 0.02 * min(apart, 12) + off + _PLACE * left_out
            found.append((cost, int(i), int(j), together))
    return [(i, j, together) for _, i, j, together in sorted(found)]
