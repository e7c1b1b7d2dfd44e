"""Where one can jump from one beat of a song to another one without it being noticed.

Beats are compared with what was before them and what follows: timbre, harmony, level and position in the bar. Each of
the four can veto a jump alone. What is left is aligned to the sample by cross-correlation, and the join itself is
rendered and compared with the song's ordinary beats, where each measure can again veto.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from celesta.variations.alignment import best_lag, level_of, quietest
from celesta.variations.analysis import CHROMA_RATE, FRAME_RATE, SongAnalysis
from celesta.variations.bars import means_between, unit
from celesta.variations.material import Material
from celesta.variations.splice import Ordinary, Piece, around

SLOTS = 4  # parts of a beat that are compared
CONTEXT = (-2, -1, 0, 1, 2, 3)  # beats around a jump that must be alike
_KEPT = 6  # best partners of a beat that are looked at
_DIRECT = 2.5  # seconds by which a jump may miss the wanted shift
_ROWS = 256  # beats that are compared with all others at once
_LEVEL_DB = 3.0
_HARMONY = 0.25
_HIGHEST = {1.0: 85.0, 1.6: 95.0, 3.0: 95.0}  # percentile among the song's beats, by the factor of the thresholds
_BUMP_DB = 1.2
_TIMBRE_SHARE = 0.15  # a jump must be among this share of all pairs in timbre


@dataclass(frozen=True)
class Join:
    """A jump from one place of a song to another.

    Attributes:
        leave: sample after the last one that is played before.
        enter: first sample that is played then.
        from_beat, to_beat: the beats that the places belong to.
        fade: samples of the cross-fade.
        correlation: of the two signals in it.
        timbre: root mean square difference around the jump, dB.
        harmony: 1 - cosine of the pitch classes.
        level: largest difference of level of the beats, dB.
        flux, mel: percentiles of the join among the song's beats, 0 to 100.
        bump: level of the cross-fade less the mean of the two signals that it joins, dB.
        click: high-passed peak at the join over the song's own 99.5th percentile.
        cost: the smaller, the less the jump is noticed; 0 is best.
    """

    leave: int
    enter: int
    from_beat: int
    to_beat: int
    fade: int
    correlation: float
    timbre: float
    harmony: float
    level: float
    flux: float = 0.0
    mel: float = 0.0
    bump: float = 0.0
    click: float = 0.0
    cost: float = 0.0

    @property
    def shift(self) -> int:
        """Samples by which the jump makes the song longer."""
        return self.leave - self.enter

    def piece(self, stop: int) -> Piece:
        """Return the piece that the jump begins."""
        return Piece(self.enter, stop, self.fade, self.correlation)


class BeatFeatures:
    """What each beat is like, with its neighbours.

    Attributes:
        timbre: ``(n, d)``; squared distances are mean squared differences in dB.
        harmony: ``(n, d)`` of unit length; products are cosines.
        level: ``(n, beats)`` dB.
    """

    def __init__(self, analysis: SongAnalysis, context: tuple[int, ...] = CONTEXT) -> None:
        seconds = analysis.beats / analysis.sample_rate
        period = np.diff(np.append(seconds, analysis.duration))
        slots = (seconds[:, None] + period[:, None] * np.arange(SLOTS) / SLOTS).ravel()
        mel = means_between(analysis.mel, slots * FRAME_RATE).reshape(len(seconds), -1)
        level = means_between(analysis.level[:, None], slots * FRAME_RATE).reshape(len(seconds), -1)
        chroma = unit(np.sqrt(means_between(analysis.chroma, seconds * CHROMA_RATE)))
        at = np.clip(np.arange(len(seconds))[:, None] + np.array(context), 0, len(seconds) - 1)
        timbre = mel[at].reshape(len(seconds), -1)
        self.timbre = timbre / np.sqrt(timbre.shape[1])
        self.harmony = unit(chroma[at].reshape(len(seconds), -1))
        self.level = level.mean(axis=1)[at]

    def distances(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return timbre (dB), harmony (1 - cosine) and level (dB) distances ``(rows, n)`` of beats to all beats."""
        t = self.timbre
        squared = np.sum(t[rows] ** 2, axis=1)[:, None] + np.sum(t**2, axis=1) - 2 * t[rows] @ t.T
        harmony = 1 - self.harmony[rows] @ self.harmony.T
        level = np.zeros_like(squared)
        for k in range(self.level.shape[1]):
            np.maximum(level, np.abs(self.level[rows, k][:, None] - self.level[:, k]), out=level)
        return np.sqrt(np.maximum(squared, 0)), np.maximum(harmony, 0), level


@dataclass(frozen=True)
class Strictness:
    """How alike the two ends of a jump must be.

    Attributes:
        relaxed: factor of all thresholds; above 1 where the song has too few jumps that pass them.
        bars: whether a jump keeps the position in the bar.
        shortest: beats that a jump goes at least.
    """

    relaxed: float = 1.0
    bars: bool = True
    shortest: int = 4


class JoinFinder:
    """Find the jumps of a song that are not noticed.

    Args:
        song: its samples.
        analysis: of the song.

    Example:
        finder = JoinFinder(song, analysis)
        best = finder.find()[0]
    """

    def __init__(self, song: Material, analysis: SongAnalysis) -> None:
        self.song, self.analysis = song, analysis
        self._features = BeatFeatures(analysis)
        self._limit = _timbre_limit(self._features)
        self._ordinary: Ordinary | None = None
        self._known: dict[tuple[int, int], Join] = {}

    def find(
        self,
        strictness: Strictness = Strictness(),
        *,
        shift: int | None = None,
        ends: tuple[int, int] = (0, 0),
        most: int = 400,
    ) -> list[Join]:
        """Find jumps, best first.

        Args:
            strictness: how alike their ends must be.
            shift: samples by which a result shall be longer; jumps that do it alone are looked at too.
            ends: samples at the beginning and at the end of the song that those must not touch.
            most: candidates that are rendered and measured.

        Returns:
            Jumps that no measure vetoes; there may be none.
        """
        candidates = self._alike(strictness, most, shift, ends)
        made = [self._measured(candidate) for candidate in candidates]
        if highest := _HIGHEST.get(strictness.relaxed):
            made = [join for join in made if _unnoticed(join, highest)]
        return sorted(made, key=lambda join: join.cost)

    def _alike(self, strictness: Strictness, most: int, shift: int | None, ends: tuple[int, int]) -> list[Join]:
        """Find pairs of beats that are alike in timbre, harmony, level and position in the bar."""
        analysis, n = self.analysis, len(self.analysis.beats)
        position, beats, relaxed = analysis.bar_position(), analysis.beats, strictness.relaxed
        limit = self._limit * relaxed
        usual: list[Join] = []
        direct: list[Join] = []
        for first in range(0, n, _ROWS):
            rows = np.arange(first, min(first + _ROWS, n))
            timbre, harmony, level = self._features.distances(rows)
            passed = (timbre <= limit) & (harmony <= _HARMONY * relaxed) & (level <= _LEVEL_DB * relaxed)
            passed &= np.abs(rows[:, None] - np.arange(n)) >= strictness.shortest
            if analysis.clear and strictness.bars:
                passed &= position[rows][:, None] == position
            rank = timbre / max(self._limit, 1e-9) + harmony / _HARMONY + level / _LEVEL_DB
            rank = np.where(passed, rank, np.inf)
            usual += _best_pairs(rank, rows, _KEPT, timbre, harmony, level)
            if shift is not None:
                near = np.abs(beats[rows][:, None] - beats - shift) <= _DIRECT * analysis.sample_rate
                near &= (beats[rows][:, None] >= ends[0]) & (beats <= analysis.n_samples - ends[1])
                direct += _best_pairs(np.where(near, rank, np.inf), rows, _KEPT, timbre, harmony, level)
        usual, direct = (sorted(some, key=_order)[:count] for some, count in ((usual, most), (direct, most // 3)))
        return list({(join.from_beat, join.to_beat): join for join in usual + direct}.values())

    def _measured(self, candidate: Join) -> Join:
        """Align a jump, render it and measure it, once."""
        key = candidate.from_beat, candidate.to_beat
        if key not in self._known:
            if self._ordinary is None:
                self._ordinary = Ordinary(self.song, self.analysis.beats)
            self._known[key] = _measured(self.song, self._ordinary, _aligned(self.song, self.analysis, candidate))
        return self._known[key]


def _best_pairs(
    rank: np.ndarray, rows: np.ndarray, count: int, timbre: np.ndarray, harmony: np.ndarray, level: np.ndarray
) -> list[Join]:
    """Return the best finite pairs of each row."""
    count = min(count, rank.shape[1])
    best = np.argpartition(rank, count - 1, axis=1)[:, :count]
    found = []
    for k, row in enumerate(rows):
        for other in best[k]:
            if np.isfinite(rank[k, other]):
                values = float(timbre[k, other]), float(harmony[k, other]), float(level[k, other])
                found.append(Join(0, 0, int(row), int(other), 0, 0.0, *values, cost=float(rank[k, other])))
    return found


def _order(join: Join) -> tuple[float, int, int]:
    return join.cost, join.from_beat, join.to_beat


def _timbre_limit(features: BeatFeatures) -> float:
    """Return the timbre distance below which a share of all pairs of beats lies."""
    some = np.unique(np.linspace(0, len(features.timbre) - 1, 200).astype(int))
    timbre = features.distances(some)[0][:, some]
    pairs = timbre[np.triu_indices(len(some), 1)]
    return float(np.quantile(pairs, _TIMBRE_SHARE)) if pairs.size else 0.0


def _aligned(song: Material, analysis: SongAnalysis, join: Join) -> Join:
    """Place a jump to the sample: where the two signals fit best, and just before the beat."""
    rate = song.sample_rate
    leave, enter = (int(analysis.beats[beat]) for beat in (join.from_beat, join.to_beat))
    search, reach = round(0.02 * rate), round(0.12 * rate)
    here = song.mono(leave - reach, leave + reach // 2)
    lag, _ = best_lag(here, song.mono(enter - reach - search, enter + reach // 2 + search))
    enter += lag - search
    fade = round((0.02 if analysis.clear else 0.2) * rate) // 2 * 2
    # The place of the cross-fade: before the attack, where the two signals differ least.
    a, b = song.mono(leave - reach, leave + reach // 4), song.mono(enter - reach, enter + reach // 4)
    offset, correlation = quietest(a, b, min(fade, len(a) // 2))
    offset -= reach
    return Join(
        leave + offset, enter + offset, join.from_beat, join.to_beat, fade, correlation,
        join.timbre, join.harmony, join.level, cost=join.cost,
    )  # fmt: skip


def _measured(song: Material, ordinary: Ordinary, join: Join) -> Join:
    """Render a join and measure it."""
    piece = join.piece(song.n_samples)
    flux, mel, click = ordinary.percentiles(join.leave, piece)
    side = round(0.05 * song.sample_rate)
    joined = level_of(around(song, join.leave, piece, max(side, join.fade // 2)))
    parts = [level_of(song.mono(at - side, at + side)) for at in (join.leave, join.enter)]
    bump = joined - 0.5 * sum(parts)
    cost = join.cost / 3 + 0.5 * (flux + mel) / 100 + (1 - join.correlation) + 10 * max(0.0, click - 1)
    return replace(join, flux=flux, mel=mel, bump=bump, click=click, cost=cost)


def _unnoticed(join: Join, highest: float) -> bool:
    """Whether no measure of the rendered join vetoes it."""
    return join.flux <= highest and join.mel <= highest and join.click <= 1 and abs(join.bump) <= _BUMP_DB
