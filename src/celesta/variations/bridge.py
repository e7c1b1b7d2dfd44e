"""A transition from one song to another: at the best pair of places, beats together, levels matched.

During the transition both songs play. The tempo goes from that of the first to that of the second; bars of both are
stretched to it, the pitch stays. Before and behind it the samples are the songs' own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.dsp.stretching import stretch
from celesta.errors import UsageError
from celesta.features.cache import FeatureCache
from celesta.variations.analysis import FRAME_RATE, Progress, SongAnalysis, analyse
from celesta.variations.bars import means_between, unit
from celesta.variations.joins import level_of
from celesta.variations.material import Material, at_rate, opened

_LATE, _EARLY = 0.5, 0.5  # share of the first song before, and of the second behind which no transition lies
_MOST_STRETCH = 1.25
_SAME_TEMPO = 0.003  # share by which tempos may differ without stretching
_BEATS = 4  # that are stretched together
_FADE = 0.02  # seconds, where stretched samples meet the song's own
_MARGIN = 0.1  # seconds around a stretched part that are stretched with it
_PLACE = 0.5  # cost of a transition that leaves out half a song


@dataclass(frozen=True)
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
    notes: list[str] = field(default_factory=list)
    samples: np.ndarray = field(default_factory=lambda: np.zeros((1, 0), np.float32))

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
    grid = _Grid.of(first, second, n, notes)
    (i, j), harmony = _best_pair(first, second, grid)
    leave, enter = int(grid.a[i]), int(grid.b[j])
    mixed, level = _mixed(a, b, grid, i, j, n)
    tempos = (first.tempo if first.clear else 0.0, second.tempo if second.clear else 0.0)
    return Bridge(leave, enter, n, a.sample_rate, tempos, grid.stretched, harmony, level, notes, mixed)


@dataclass(frozen=True)
class _Grid:
    """Beats of both songs that go together.

    Attributes:
        a, b: samples of beats.
        count: beats of the transition.
        stretched: whether the songs are stretched beat by beat.
    """

    a: np.ndarray
    b: np.ndarray
    count: int
    stretched: bool

    @classmethod
    def of(cls, first: SongAnalysis, second: SongAnalysis, n: int, notes: list[str]) -> _Grid:
        a, b = first.beats, second.beats
        periods = (
            float(np.median(np.diff(a))) if len(a) > 1 else 1.0,
            float(np.median(np.diff(b))) if len(b) > 1 else 1.0,
        )
        clear = first.clear and second.clear
        ratio = periods[1] / periods[0]
        if clear and ratio > 1.4:  # the second song's beats are two of the first one's
            a, ratio = a[first.downbeat % 2 :: 2], ratio / 2
        elif clear and ratio < 0.7:
            b, ratio = b[second.downbeat % 2 :: 2], ratio * 2
        if not clear:
            notes.append("A song has no clear beat: the songs are cross-faded without matching tempos.")
        elif not 1 / _MOST_STRETCH <= ratio <= _MOST_STRETCH:
            notes.append("The tempos are too far apart to be matched: the songs are cross-faded as they are.")
            clear = False
        mean = 0.5 * (float(np.median(np.diff(a))) + float(np.median(np.diff(b)))) if clear else periods[0]
        return cls(a, b, max(1, round(n / mean)), clear and abs(ratio - 1) > _SAME_TEMPO)


def _best_pair(first: SongAnalysis, second: SongAnalysis, grid: _Grid) -> tuple[tuple[int, int], float]:
    """Find the beats at which the transition begins in the first song and ends in the second one.

    They are the pair with most harmony between what plays together; whole bars, little change of level and leaving out
    little of the songs count too.
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
    best: tuple[float, int, int, float] | None = None
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
            if best is None or cost < best[0]:
                best = cost, int(i), int(j), together
    assert best is not None
    return (best[1], best[2]), best[3]


def _mixed(a: Material, b: Material, grid: _Grid, i: int, j: int, n: int) -> tuple[np.ndarray, float]:
    """Return the transition ``(channels, n)``, and by how much the second song is louder."""
    leave, enter = int(grid.a[i]), int(grid.b[j])
    if grid.stretched:
        from_a = grid.a[i : i + grid.count + 1]
        from_b = grid.b[j - grid.count : j + 1]
        edges = _common_edges(from_a, from_b, n)
        x, y = _on_grid(a, from_a, edges), _on_grid(b, from_b, edges)
        fade = round(_FADE * a.sample_rate)
        into = np.linspace(0, 1, fade, dtype=np.float32)
        x[:, :fade] = a.read(leave, leave + fade) * (1 - into) + x[:, :fade] * into
        y[:, n - fade :] = y[:, n - fade :] * (1 - into) + b.read(enter - fade, enter) * into
    else:
        x, y = a.read(leave, leave + n), b.read(enter - n, enter)
    side = 2 * a.sample_rate
    level = level_of(b.read(enter, enter + side)) - level_of(a.read(leave - side, leave))
    level = float(np.clip(level, -12, 12))
    at = (np.arange(n) + 0.5) / n
    # Both follow the level from that of the first song to that of the second one; powers add up to one.
    out = np.cos(0.5 * np.pi * at) * 10 ** (level * at / 20)
    behind = np.sin(0.5 * np.pi * at) * 10 ** (-level * (1 - at) / 20)
    mixed: np.ndarray = x * out.astype(np.float32) + y * behind.astype(np.float32)
    return mixed, level


def _common_edges(from_a: np.ndarray, from_b: np.ndarray, n: int) -> np.ndarray:
    """Return the samples of the transition's beats: periods go from the first song's to the second one's."""
    count = min(len(from_a), len(from_b)) - 1
    share = (np.arange(count) + 0.5) / count
    periods = np.diff(from_a[: count + 1]) * (1 - share) + np.diff(from_b[: count + 1]) * share
    edges = np.concatenate([[0.0], np.cumsum(periods)])
    found: np.ndarray = np.round(edges * n / edges[-1]).astype(np.int64)
    return found


def _on_grid(song: Material, beats: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Stretch a song, bar by bar, so that its beats lie on given samples."""
    margin = round(_MARGIN * song.sample_rate)
    out = np.zeros((song.channels, int(edges[-1])), np.float32)
    marks = [*range(0, len(edges) - 1, _BEATS), len(edges) - 1]
    for first, last in itertools.pairwise(marks):
        source, wanted = int(beats[last] - beats[first]), int(edges[last] - edges[first])
        ratio = wanted / max(source, 1)
        lead = round(margin * ratio)
        x = song.read(int(beats[first]) - margin, int(beats[last]) + margin)
        y = stretch(x, song.sample_rate, wanted + 2 * lead)
        begin, half = int(edges[first]), min(lead, wanted // 4)
        part = y[:, lead - half : lead + wanted + half]
        ramp = np.ones(part.shape[1], np.float32)
        if first:
            ramp[: 2 * half] = np.linspace(0, 1, 2 * half)
        else:
            part, ramp = part[:, half:], ramp[half:]
        at = begin - (half if first else 0)
        if last < len(edges) - 1:
            ramp[-2 * half :] *= np.linspace(1, 0, 2 * half)
        end = min(at + part.shape[1], out.shape[1])
        out[:, at:end] += (part * ramp)[:, : end - at]
    return out
