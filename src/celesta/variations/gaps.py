"""What fits into a gap of a song: stretches of the song, by what is around them, and linear prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from celesta.dsp.prediction import extrapolate
from celesta.errors import UsageError
from celesta.variations.analysis import FRAME_RATE, SongAnalysis
from celesta.variations.joins import correlation_curve, level_of
from celesta.variations.material import Material

_DECAY = 0.5, 2.0  # seconds in which the weight of the context falls to a third: as long as the gap, in these bounds
_CONTEXT = 2.5  # times as much on either side is compared
_EDGE = 0.008  # seconds of linear prediction at each border
_PREDICTED = 0.025  # seconds of gap that linear prediction alone fills
_PAST = 0.1  # seconds that it learns from
_CANDIDATES = 24
_WAVE = 0.06  # seconds on either side whose waveform is compared
_WAVE_DB = 0.5  # cost in dB of a waveform that does not fit at all
_OFF_BEAT_DB = 2.0  # cost in dB of a shift by a beat more or less than whole beats, in gaps of half a second or more
_GAIN_DB = 2.0  # most by which a fill is made louder or softer


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
    samples: np.ndarray = field(repr=False)
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


class GapSearch:
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
        self.clear = analysis.clear and len(analysis.beats) > 2
        self.period = float(np.median(np.diff(analysis.beats))) if self.clear else 0.0

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
        decay = float(np.clip((gap.stop - gap.start) / self.song.sample_rate, *_DECAY))
        reach = round(_CONTEXT * decay * FRAME_RATE)
        around = [k for k in range(first - reach, last + reach + 1) if 0 <= k < frames and self.good[k]]
        shifts = np.arange(last - frames + 1, first + 1)  # source frame = frame - shift
        total, weights = np.zeros(len(shifts)), np.zeros(len(shifts))
        for k in around:
            distance = (first - k if k <= first else k - last) / FRAME_RATE
            weight = float(np.exp(-max(distance, 0) / decay))
            source = k - shifts
            there = (source >= 0) & (source < frames)
            there[there] &= self.good[source[there]]
            total[there] += weight * np.abs(self.mel[source[there]] - self.mel[k]).mean(axis=1)
            weights[there] += weight
        clean = np.concatenate([[0], np.cumsum(~self.good)])
        begin = np.clip(first - shifts, 0, frames)
        damaged = clean[np.clip(last - shifts, 0, frames)] - clean[begin]
        intact = (damaged == 0) & (first - shifts >= 0) & (last - shifts <= frames)
        least = 0.5 * weights.max(initial=0)
        if not (intact & (weights > least)).any():  # a short song: less context must do
            least *= 0.2
        enough = intact & (weights > least)
        cost = np.where(enough, total / np.maximum(weights, 1e-9) + self._off_beat(gap, shifts), np.inf)
        found: list[tuple[int, float]] = []
        while len(found) < _CANDIDATES and np.isfinite(cost).any():
            at = int(np.argmin(cost))
            found.append((round(shifts[at] * self.rate), float(cost[at])))
            cost[max(0, at - 2) : at + 3] = np.inf
        return found

    def _off_beat(self, gap: Gap, shifts: np.ndarray) -> np.ndarray:
        """Return the cost in dB of shifts (in frames) that are not whole beats; 0 where there is no clear beat."""
        if not self.clear:
            return np.zeros(len(shifts))
        beats = shifts * self.rate / self.period
        seconds = (gap.stop - gap.start) / self.song.sample_rate
        off: np.ndarray = np.abs(beats - np.round(beats)) * _OFF_BEAT_DB * min(1.0, seconds / 0.5)
        return off

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
