"""Fill a damaged or missing stretch of a song from the song itself; outside the gap no sample changes.

The stretch that fits is searched by what is before and behind the gap: mel spectra at all shifts, then the waveform at
the best ones. At both borders, linear prediction continues the signal for some milliseconds into the gap, because there
is nothing to cross-fade with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.dsp.prediction import extrapolate
from celesta.errors import UsageError
from celesta.features.cache import FeatureCache
from celesta.variations.analysis import FRAME_RATE, Progress, SongAnalysis, analyse
from celesta.variations.joins import correlation_curve, level_of
from celesta.variations.material import BLOCK, Material, opened

CONTEXT = 1.5  # seconds on either side that are compared
_DECAY = 0.5  # seconds in which their weight falls to a third
_EDGE = 0.008  # seconds of linear prediction at each border
_PREDICTED = 0.025  # seconds of gap that linear prediction alone fills
_PAST = 0.1  # seconds that it learns from
_CANDIDATES = 24
_WAVE = 0.06  # seconds on either side whose waveform is compared
_WAVE_DB = 4.0  # cost in dB of a waveform that does not fit at all
_GAIN_DB = 6.0  # most by which a fill is made louder or softer


@dataclass(frozen=True)
class Gap:
    """A stretch to fill: samples from ``start`` to ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True)
class Fill:
    """What fills a gap.

    Attributes:
        gap: that is filled.
        source: first sample of the stretch of the song that fills it; None where it is predicted.
        gain_db: by which it is made louder.
        difference: of what is around the gap and around the source, dB; 0 where it is predicted.
        samples: ``(channels, n)`` float32.
        sample_rate: Hz.
    """

    gap: Gap
    source: int | None
    gain_db: float
    difference: float
    samples: np.ndarray
    sample_rate: int

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds; times in seconds."""
        sample_rate = self.sample_rate
        return {
            "from": self.gap.start / sample_rate,
            "to": self.gap.stop / sample_rate,
            "filled_from": None if self.source is None else self.source / sample_rate,
            "gain_db": round(self.gain_db, 2),
            "difference_db": round(self.difference, 2),
        }


def repair(
    source: Any,
    start: float | None = None,
    stop: float | None = None,
    *,
    analysis: SongAnalysis | None = None,
    progress: Progress | None = None,
) -> Audio:
    """Fill a gap of a song from the song itself.

    Args:
        source: path of an audio or .cel file, or :class:`~celesta.audio.Audio`.
        start: seconds at which the gap begins; None to find drop-outs (see :func:`find_dropouts`) and fill them all.
        stop: seconds at which it ends.
        analysis: of the song, where there is one already.
        progress: called with the seconds analysed and in all.

    Returns:
        The song; outside the gap every sample is as it was.

    Raises:
        UsageError: the gap is empty, outside the song, or so long that no other stretch can fill it.

    Example:
        fixed = celesta.variations.repair("song.wav", 72.3, 74.0)
    """
    song = opened(source)
    try:
        gaps = find_dropouts(song) if start is None and stop is None else [gap_of(song, start, stop)]
        fills = fill_gaps(song, gaps, analysis=analysis, progress=progress)
        return Audio(np.concatenate(list(repaired(song, fills)), axis=1), song.sample_rate)
    finally:
        if song is not source:
            song.close()


def repair_file(
    source: str | Path,
    target: str | Path,
    start: float | None = None,
    stop: float | None = None,
    *,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> list[Fill]:
    """Do what :func:`repair` does from file to file, in flat memory; return what was filled.

    Example:
        repair_file("song.wav", "fixed.wav", 72.3, 74.0)
    """
    with Material(source) as song:
        gaps = find_dropouts(song) if start is None and stop is None else [gap_of(song, start, stop)]
        analysis = analyse(song, cache=cache, progress=progress)
        fills = fill_gaps(song, gaps, analysis=analysis)
        write_repaired(song, fills, target)
    return fills


def write_repaired(song: Material, fills: Sequence[Fill], target: str | Path) -> None:
    """Write a song with its gaps filled to an audio file.

    Raises:
        AudioError: the file cannot be written.
    """
    with audio.Writer(target, song.sample_rate, song.channels) as writer:
        for block in repaired(song, fills):
            writer.write(block)


def gap_of(song: Material, start: float | None, stop: float | None) -> Gap:
    """Return a gap given in seconds.

    Raises:
        UsageError: it is empty or outside the song, or nothing is left of the song.
    """
    name = song.name or "the song"
    begin, end = start or 0.0, song.duration if stop is None else stop
    if not (0 <= begin < end and np.isfinite(end)):
        raise UsageError(f"a gap ends after it begins, got {begin:g} to {end:g} s")
    gap = Gap(round(begin * song.sample_rate), min(round(end * song.sample_rate), song.n_samples))
    if gap.start >= song.n_samples:
        raise UsageError(f"{name}: the gap begins at {begin:g} s, and the song ends at {song.duration:.3f} s")
    if gap.stop - gap.start >= song.n_samples // 2:
        raise UsageError(f"{name}: the gap is longer than what is left of the song; there is nothing to fill it from")
    if gap.stop <= gap.start:
        raise UsageError(f"the gap from {begin:g} to {end:g} s is shorter than a sample")
    return gap


def find_dropouts(source: Any, *, shortest: float = 0.005, floor_db: float = -85.0) -> list[Gap]:
    """Find stretches of digital silence inside a song that begin or end abruptly.

    Args:
        source: path, :class:`~celesta.audio.Audio`, or an opened :class:`Material`.
        shortest: seconds.
        floor_db: dB below full scale; a stretch has no sample above it.

    Returns:
        Gaps in order; silence that the music fades to or begins from is none.

    Example:
        gaps = find_dropouts("song.wav")
    """
    song = opened(source)
    try:
        floor = 10 ** (floor_db / 20)
        gaps: list[Gap] = []
        begun: int | None = None
        at = 0
        for block in song.blocks():
            quiet = np.abs(block).max(axis=0) <= floor
            edges = np.flatnonzero(np.diff(np.concatenate([[begun is not None], quiet]).astype(np.int8)))
            for edge in edges:
                if begun is None:
                    begun = at + int(edge)
                else:
                    gaps.append(Gap(begun, at + int(edge)))
                    begun = None
            at += block.shape[1]
        least = round(shortest * song.sample_rate)
        return [gap for gap in gaps if gap.stop - gap.start >= least and gap.start > 0 and _abrupt(song, gap)]
    finally:
        if song is not source:
            song.close()


def _abrupt(song: Material, gap: Gap) -> bool:
    """Whether the music is cut at one of the gap's ends: it is loud up to 3 ms from it."""
    side = max(2, round(0.003 * song.sample_rate))
    around = [song.mono(gap.start - side, gap.start), song.mono(gap.stop, gap.stop + side)]
    return max(level_of(x) for x in around) > -50


def fill_gaps(
    song: Material,
    gaps: Sequence[Gap],
    *,
    analysis: SongAnalysis | None = None,
    progress: Progress | None = None,
) -> list[Fill]:
    """Choose what fills each gap of a song.

    Raises:
        UsageError: no other stretch of the song is as long as a gap.
    """
    if not gaps:
        return []
    analysis = analysis or analyse(song, progress=progress)
    search = _Search(song, analysis, gaps)
    return [search.fill(gap) for gap in gaps]


def repaired(song: Material, fills: Sequence[Fill]) -> Iterator[np.ndarray]:
    """Yield the song with its gaps filled, in blocks ``(channels, n)``."""
    at = 0
    for fill in sorted(fills, key=lambda one: one.gap.start):
        yield from song.blocks(at, fill.gap.start)
        yield fill.samples
        at = fill.gap.stop
    for first in range(at, song.n_samples, BLOCK):
        yield song.read(first, min(first + BLOCK, song.n_samples))


def predicted(song: Material, gap: Gap) -> np.ndarray:
    """Fill a gap by linear prediction from both sides, cross-faded; for gaps of some milliseconds.

    Returns:
        ``(channels, n)`` float32.
    """
    past, n = round(_PAST * song.sample_rate), gap.stop - gap.start
    before, behind = song.read(max(0, gap.start - past), gap.start), song.read(gap.stop, gap.stop + past)
    forward = extrapolate(before, n)
    backward = extrapolate(behind[:, ::-1], n)[:, ::-1]
    into = (0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n)).astype(np.float32)
    made: np.ndarray = forward * (1 - into) + backward * into
    return made


class _Search:
    """Find the stretch of a song that fits into a gap.

    Args:
        song: its samples.
        analysis: of the song, gaps included.
        gaps: all that is damaged; nothing is taken from there.
    """

    def __init__(self, song: Material, analysis: SongAnalysis, gaps: Sequence[Gap]) -> None:
        self.song, self.mel, self.rate = song, analysis.mel, song.sample_rate / FRAME_RATE
        self.good = np.ones(len(self.mel), bool)
        for gap in gaps:
            self.good[max(0, int(gap.start / self.rate) - 1) : int(gap.stop / self.rate) + 3] = False
        self.gaps = gaps

    def fill(self, gap: Gap) -> Fill:
        """Return what fills a gap."""
        size = gap.stop - gap.start
        if size <= _PREDICTED * self.song.sample_rate:
            return Fill(gap, None, 0.0, 0.0, predicted(self.song, gap), self.song.sample_rate)
        best: tuple[float, int, float] | None = None
        for shift, difference in self._shifts(gap):
            exact, fit = self._aligned(gap, shift)
            cost = difference + _WAVE_DB * (1 - fit)
            if self._usable(gap, exact) and (best is None or cost < best[0]):
                best = cost, exact, difference
        if best is None:
            raise UsageError(
                f"{self.song.name or 'the song'}: no other stretch of it is as long as the gap of"
                f" {size / self.song.sample_rate:.2f} s; fill a shorter one"
            )
        source = gap.start - best[1]
        gain = self._gain(gap, source)
        return Fill(gap, source, gain, best[2], self._faded(gap, source, gain), self.song.sample_rate)

    def _shifts(self, gap: Gap) -> list[tuple[int, float]]:
        """Return shifts in samples at which what is around the gap fits, with the difference in dB, best first."""
        frames = len(self.mel)
        first, last = int(gap.start / self.rate), int(np.ceil(gap.stop / self.rate))
        reach = round(CONTEXT * FRAME_RATE)
        around = [k for k in range(first - reach, last + reach + 1) if 0 <= k < frames and self.good[k]]
        shifts = np.arange(last - frames + 1, first + 1)  # source frame = frame - shift
        total, weights = np.zeros(len(shifts)), np.zeros(len(shifts))
        for k in around:
            distance = (first - k if k <= first else k - last) / FRAME_RATE
            weight = float(np.exp(-max(distance, 0) / _DECAY))
            source = k - shifts
            there = (source >= 0) & (source < frames)
            there[there] &= self.good[source[there]]
            squared = np.square(self.mel[source[there]] - self.mel[k]).mean(axis=1)
            total[there] += weight * squared
            weights[there] += weight
        clean = np.concatenate([[0], np.cumsum(~self.good)])
        begin = np.clip(first - shifts, 0, frames)
        damaged = clean[np.clip(last - shifts, 0, frames)] - clean[begin]
        enough = (weights > 0.5 * weights.max(initial=0)) & (damaged == 0)
        cost = np.where(enough, np.sqrt(total / np.maximum(weights, 1e-9)), np.inf)
        found: list[tuple[int, float]] = []
        while len(found) < _CANDIDATES and np.isfinite(cost).any():
            at = int(np.argmin(cost))
            found.append((round(shifts[at] * self.rate), float(cost[at])))
            cost[max(0, at - 2) : at + 3] = np.inf
        return found

    def _aligned(self, gap: Gap, shift: int) -> tuple[int, float]:
        """Return the shift near another one at which the waveforms on both sides fit best, and the correlation."""
        side, search = round(_WAVE * self.song.sample_rate), round(0.025 * self.song.sample_rate)
        curves = []
        for at in (gap.start - side, gap.stop):
            if at < 0 or at + side > self.song.n_samples:
                continue
            template = self.song.mono(at, at + side)
            x = self.song.mono(at - shift - search, at - shift + side + search)
            curves.append(correlation_curve(template, x))
        if not curves:
            return shift, 0.0
        curve = np.mean(curves, axis=0)
        best = int(np.argmax(curve))
        return shift + search - best, float(curve[best])

    def _usable(self, gap: Gap, shift: int) -> bool:
        start, stop = gap.start - shift, gap.stop - shift
        inside = start >= 0 and stop <= self.song.n_samples
        return inside and all(stop <= other.start or start >= other.stop for other in self.gaps)

    def _gain(self, gap: Gap, source: int) -> float:
        """Return by how much louder what is around the gap is than what is around the source, dB."""
        side, stop = round(0.5 * self.song.sample_rate), source + gap.stop - gap.start
        here = [self.song.read(gap.start - side, gap.start), self.song.read(gap.stop, gap.stop + side)]
        there = [self.song.read(source - side, source), self.song.read(stop, stop + side)]
        levels = [level_of(np.concatenate(both, axis=1)) for both in (here, there)]
        return float(np.clip(levels[0] - levels[1], -_GAIN_DB, _GAIN_DB))

    def _faded(self, gap: Gap, source: int, gain: float) -> np.ndarray:
        """Return the samples of a fill, its ends cross-faded with the prediction of what is outside."""
        n = gap.stop - gap.start
        x = self.song.read(source, source + n) * np.float32(10 ** (gain / 20))
        edge, past = min(round(_EDGE * self.song.sample_rate), n // 2), round(_PAST * self.song.sample_rate)
        into = ((np.arange(edge) + 0.5) / max(edge, 1)).astype(np.float32)
        if gap.start > 0:
            before = extrapolate(self.song.read(max(0, gap.start - past), gap.start), edge)
            x[:, :edge] = before * (1 - into) + x[:, :edge] * into
        if gap.stop < self.song.n_samples:
            behind = extrapolate(self.song.read(gap.stop, gap.stop + past)[:, ::-1], edge)[:, ::-1]
            x[:, n - edge :] = behind * into + x[:, n - edge :] * (1 - into)
        return x
