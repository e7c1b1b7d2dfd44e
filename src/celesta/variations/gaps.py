"""What fits into a gap of a song: stretches of the song, by what is around them, and linear prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from celesta.dsp.prediction import extrapolate
from celesta.errors import UsageError
from celesta.variations.alignment import correlation_curve, level_of, quietest
from celesta.variations.analysis import FRAME_RATE, SongAnalysis
from celesta.variations.material import Material
from celesta.variations.splice import Piece, crossfaded

_DECAY = 0.5  # seconds in which the weight of the context falls to a third
_CONTEXT = 2.5  # seconds on either side that are compared
_EDGE = 0.008  # seconds of linear prediction at each border
_PREDICTED = 0.025  # seconds of gap that linear prediction alone fills
_PAST = 0.1  # seconds that it learns from
_CANDIDATES = 60
_CERTAINTY_DB = 1.2  # a candidate whose context differs by so much more is a third as likely
_OWN = 0.3  # weight of a candidate's own cost next to its distance from the likely ones
_WAVE = 0.06  # seconds on either side whose waveform is compared
_WAVE_DB = 0.5  # cost in dB of a waveform that does not fit at all
_OFF_BEAT_DB = 2.0  # cost in dB of a shift by a beat more or less than whole beats, in gaps of half a second or more
_OFF_BAR_DB = 1.0  # the same for bars
_FAR_DB = 0.1  # cost in dB of a shift that is 2.7 times as long
_GAIN_DB, _GAIN_SHARE = 2.0, 0.3  # a share of the difference of levels around gap and source, which is at most so large
_LONG = 1.0  # seconds from which on a gap is filled from two stretches
_NEARER = 0.7  # weight of the side of the gap that each of them continues
_JOIN = 0.25  # seconds from the middle of the gap within which they are joined
_JOIN_FADE = 0.02  # seconds


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
        second: sample of the song at which a second stretch goes on, where there are two.
        join: sample of the song, inside the gap, at which it goes on.
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
    second: int | None = None
    join: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds; times in seconds."""
        sample_rate = self.sample_rate
        return {
            "from": self.gap.start / sample_rate,
            "to": self.gap.stop / sample_rate,
            "filled_from": None if self.source is None else self.source / sample_rate,
            "join": None if self.join is None else self.join / sample_rate,
            "then_from": None if self.second is None else self.second / sample_rate,
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
        self.metre = analysis.metre

    def fill(self, gap: Gap) -> Fill:
        """Return what fills a gap."""
        size = gap.stop - gap.start
        if size <= _PREDICTED * self.song.sample_rate:
            return Fill(gap, None, 0.0, 0.0, predicted(self.song, gap), self.song.sample_rate)
        if size < _LONG * self.song.sample_rate:
            shift, difference = self._best(gap, 0.5)
            return self._filled(gap, shift, shift, difference)
        (first, before), (last, behind) = self._best(gap, _NEARER), self._best(gap, 1 - _NEARER)
        return self._filled(gap, first, last, (before + behind) / 2)

    def _best(self, gap: Gap, share: float) -> tuple[int, float]:
        """Return the shift in samples that fits best, and the difference in dB.

        Args:
            gap: to fill.
            share: weight of what is before the gap, 0 to 1; what is behind it has the rest.

        Raises:
            UsageError: no stretch fits.
        """
        best: tuple[float, int, float] | None = None
        candidates = self._candidates(gap, share)
        for (shift, difference), distance in zip(candidates, self._expected(gap, candidates), strict=True):
            exact, fit = self._aligned(gap, shift, share)
            cost = distance + _OWN * difference + _WAVE_DB * (1 - fit)
            if self._usable(gap, exact) and (best is None or cost < best[0]):
                best = cost, exact, difference
        if best is None:
            raise UsageError(
                f"{self.song.name or 'the song'}: no other stretch of it is as long as the gap of"
                f" {(gap.stop - gap.start) / self.song.sample_rate:.2f} s; fill a shorter one"
            )
        return best[1:]

    def _frames(self, gap: Gap) -> tuple[int, int]:
        """Return the first frame of a gap and the one behind it."""
        return int(gap.start / self.rate), int(np.ceil(gap.stop / self.rate))

    def _candidates(self, gap: Gap, share: float) -> list[tuple[int, float]]:
        """Return shifts in samples at which what is around the gap fits, with the difference in dB, best first."""
        frames = len(self.mel)
        first, last = self._frames(gap)
        reach = round(_CONTEXT * FRAME_RATE)
        around = [k for k in range(first - reach, last + reach + 1) if 0 <= k < frames and self.good[k]]
        shifts = np.arange(last - frames + 1, first + 1)  # source frame = frame - shift
        total, weights = np.zeros(len(shifts)), np.zeros(len(shifts))
        for k in around:
            distance = (first - k if k <= first else k - last) / FRAME_RATE
            weight = (share if k <= first else 1 - share) * float(np.exp(-max(distance, 0) / _DECAY))
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
        cost = np.where(enough, total / np.maximum(weights, 1e-9) + self._misplaced(gap, shifts), np.inf)
        found: list[tuple[int, float]] = []
        while len(found) < _CANDIDATES and np.isfinite(cost).any():
            at = int(np.argmin(cost))
            found.append((round(shifts[at] * self.rate), float(cost[at])))
            cost[max(0, at - 2) : at + 3] = np.inf
        return found

    def _expected(self, gap: Gap, candidates: Sequence[tuple[int, float]]) -> np.ndarray:
        """Return how far each candidate is from all of them in dB, the likely ones with more weight.

        The truth is unknown, but the candidates say what it may be: what is near to most of the likely ones has the
        least expected distance to it (minimum Bayes risk).
        """
        if not candidates:
            return np.zeros(0)
        first, last = self._frames(gap)
        begin = np.round(first - np.array([shift for shift, _ in candidates]) / self.rate).astype(int)
        cost = np.array([difference for _, difference in candidates])
        likely = np.exp(-(cost - cost.min()) / _CERTAINTY_DB)
        inside = [self.mel[at : at + last - first] for at in begin]
        distance = np.array([[np.abs(a - b).mean() for b in inside] for a in inside])
        expected: np.ndarray = distance @ (likely / likely.sum())
        return expected

    def _misplaced(self, gap: Gap, shifts: np.ndarray) -> np.ndarray:
        """Return the cost in dB of shifts (in frames) that are long, or not whole beats and bars of a clear beat."""
        seconds = (gap.stop - gap.start) / self.song.sample_rate
        cost: np.ndarray = _FAR_DB * np.log(np.abs(shifts) / FRAME_RATE + 0.5)
        if self.clear:
            for samples, db in ((self.period, _OFF_BEAT_DB), (self.period * self.metre, _OFF_BAR_DB)):
                times = shifts * self.rate / samples
                cost += np.abs(times - np.round(times)) * db * min(1.0, seconds / 0.5)
        return cost

    def _aligned(self, gap: Gap, shift: int, share: float) -> tuple[int, float]:
        """Return the shift near another one at which the waveforms on both sides fit best, and the correlation."""
        side, search = round(_WAVE * self.song.sample_rate), round(0.025 * self.song.sample_rate)
        curves, weights = [], []
        for at, weight in ((gap.start - side, share), (gap.stop, 1 - share)):
            if at < 0 or at + side > self.song.n_samples:
                continue
            template = self.song.mono(at, at + side)
            x = self.song.mono(at - shift - search, at - shift + side + search)
            curves.append(correlation_curve(template, x))
            weights.append(weight)
        if not curves:
            return shift, 0.0
        curve = np.average(curves, axis=0, weights=weights)
        best = int(np.argmax(curve))
        return shift + search - best, float(curve[best])

    def _usable(self, gap: Gap, shift: int) -> bool:
        start, stop = gap.start - shift, gap.stop - shift
        inside = start >= 0 and stop <= self.song.n_samples
        return inside and all(stop <= other.start or start >= other.stop for other in self.gaps)

    def _filled(self, gap: Gap, first: int, last: int, difference: float) -> Fill:
        """Fill a gap by shifts of the song: from one to the middle, from another one on; they may be equal."""
        song, source, n = self.song, gap.start - first, gap.stop - gap.start
        if first == last:
            gain = self._gain(gap, first, last)
            x = song.read(source, source + n) * np.float32(10 ** (gain / 20))
            return Fill(gap, source, gain, difference, self._faded(gap, x), song.sample_rate)
        join, correlation = self._join(gap, first, last)
        half = round(_JOIN_FADE * song.sample_rate) // 2
        second = Piece(join - last, gap.stop - last, 2 * half, correlation)
        parts = [song.read(source, join - first - half), crossfaded(song, join - first, second)]
        parts.append(song.read(join - last + half, gap.stop - last))
        gain = self._gain(gap, first, last)
        x = np.concatenate(parts, axis=1) * np.float32(10 ** (gain / 20))
        return Fill(gap, source, gain, difference, self._faded(gap, x), song.sample_rate, join - last, join)

    def _join(self, gap: Gap, first: int, last: int) -> tuple[int, float]:
        """Return the sample of the gap near its middle at which two shifts of the song are most alike, and how much."""
        middle, reach = (gap.start + gap.stop) // 2, round(_JOIN * self.song.sample_rate)
        a, b = (self.song.mono(middle - reach - shift, middle + reach - shift) for shift in (first, last))
        at, correlation = quietest(a, b, round(_JOIN_FADE * self.song.sample_rate))
        return middle - reach + at, correlation

    def _gain(self, gap: Gap, first: int, last: int) -> float:
        """Return by how much a fill is made louder, as what is around the gap is than what is around the source, dB."""
        side = round(0.5 * self.song.sample_rate)
        begin, end = gap.start - first, gap.stop - last
        here = [self.song.read(gap.start - side, gap.start), self.song.read(gap.stop, gap.stop + side)]
        there = [self.song.read(begin - side, begin), self.song.read(end, end + side)]
        levels = [level_of(np.concatenate(both, axis=1)) for both in (here, there)]
        return _GAIN_SHARE * float(np.clip(levels[0] - levels[1], -_GAIN_DB, _GAIN_DB))

    def _faded(self, gap: Gap, x: np.ndarray) -> np.ndarray:
        """Cross-fade the ends of a fill with the prediction of what is outside."""
        n = x.shape[1]
        edge, past = min(round(_EDGE * self.song.sample_rate), n // 2), round(_PAST * self.song.sample_rate)
        into = ((np.arange(edge) + 0.5) / max(edge, 1)).astype(np.float32)
        if gap.start > 0:
            before = extrapolate(self.song.read(max(0, gap.start - past), gap.start), edge)
            x[:, :edge] = before * (1 - into) + x[:, :edge] * into
        if gap.stop < self.song.n_samples:
            behind = extrapolate(self.song.read(gap.stop, gap.stop + past)[:, ::-1], edge)[:, ::-1]
            x[:, n - edge :] = behind * into + x[:, n - edge :] * (1 - into)
        return x
