"""How often an extension repeats the same stretch; measured from its list of pieces alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _variation_tables import show

from celesta.variations.analysis import analyse
from celesta.variations.extend import plan_extension
from celesta.variations.material import Material
from celesta.variations.splice import Piece

GRID = 0.1  # seconds
TOLERANCE = 0.25  # seconds by which a stretch that is played again may be shifted
BROKEN = 2.0  # seconds by which a run of repetitions may be interrupted
WINDOW = 60.0  # seconds in which plays are counted
SHORT = 4.0  # seconds; a stretch between two jumps below it is short


@dataclass
class Repeats:
    """What a result repeats.

    Attributes:
        plays: ``(seconds of the song,)`` how often each second is played.
        row: how often the same stretch is played back to back at most.
        row_seconds: length of that stretch.
        minute: how often any moment of the song is played within a minute at most.
    """

    plays: np.ndarray
    row: float
    row_seconds: float
    minute: int


def repeats(pieces: Sequence[Piece], n_samples: int, sample_rate: int) -> Repeats:
    """Measure the pieces of a result.

    Args:
        pieces: of the result, in order.
        n_samples: of the song.
        sample_rate: Hz.
    """
    step = GRID * sample_rate
    edges = np.cumsum([0, *(piece.stop - piece.start for piece in pieces)])
    times = np.arange(0, edges[-1], step)
    piece = np.minimum(np.searchsorted(edges, times, "right") - 1, len(pieces) - 1)
    place = (times - edges[piece] + np.array([p.start for p in pieces])[piece]) / sample_rate
    inside = place[place >= 0]
    seconds = np.bincount(inside.astype(int), minlength=-(-n_samples // sample_rate)) * GRID
    return Repeats(seconds, *_row(place), _within(place))


def _row(place: np.ndarray) -> tuple[float, float]:
    """Return how often the same stretch is played back to back at most, and its length in seconds."""
    best = 1.0, 0.0
    for period in range(round(1 / GRID), len(place) // 2):
        same = np.abs(place[period:] - place[:-period]) <= TOLERANCE
        if (1 + same.sum() / period) <= best[0]:
            continue
        at = np.flatnonzero(same)
        groups = np.split(at, np.flatnonzero(np.diff(at) > BROKEN / GRID) + 1)
        longest = max((g[-1] - g[0] + 1 for g in groups if len(g)), default=0)
        if 1 + longest / period > best[0] + 1e-9:
            best = 1 + longest / period, period * GRID
    return best


def _within(place: np.ndarray) -> int:
    """Return how often any moment is played within a minute at most."""
    most = 1
    moment = np.floor(place / (5 * GRID)).astype(int)
    order = np.lexsort((np.arange(len(place)), moment))
    sorted_moment, at = moment[order], order * GRID
    new = np.concatenate([[True], (np.diff(at) > 2.0) | (np.diff(sorted_moment) != 0)])
    sorted_moment, at = sorted_moment[new], at[new]
    for first in np.flatnonzero(np.concatenate([[True], np.diff(sorted_moment) != 0])):
        last = np.searchsorted(sorted_moment, sorted_moment[first], "right")
        own = at[first:last]
        if len(own) > most:
            most = max(most, int((np.searchsorted(own, own + WINDOW) - np.arange(len(own))).max()))
    return most


def repetition(files: Sequence[Path], times: Sequence[float] = (1.5, 2.0, 4.0), seed: int = 0) -> None:
    """Print what extensions of songs repeat, for each target, and the songs that repeat most."""
    found: dict[float, list[tuple[str, Repeats, list[float], bool]]] = {t: [] for t in times}
    for file in files:
        with Material(file) as song:
            analysis = analyse(song)
            for t in times:
                plan = plan_extension(song, analysis, round(t * song.n_samples), seed=seed)
                at = [0.0, *(j.at / song.sample_rate for j in plan.joins if j.kind == "jump"), t * song.duration]
                off = abs(plan.remainder) > 0.04 * plan.n_samples
                measured = repeats(plan.pieces, song.n_samples, song.sample_rate)
                found[t].append((file.stem[:24], measured, list(np.diff(at)), off))
    rows, worst = [], []
    for t, every in found.items():
        measures = [
            [r.row for _, r, _, _ in every],
            [r.plays.max() / t for _, r, _, _ in every],
            [float(r.minute) for _, r, _, _ in every],
        ]
        stretches = np.concatenate([s for _, _, s, _ in every])
        cells = [f"{value:.1f}" for x in measures for value in (np.median(x), np.percentile(x, 90), np.max(x))]
        unused = np.mean([np.mean(r.plays < 0.5) for _, r, _, _ in every])
        short = f"{np.mean(stretches < SHORT):.0%}"
        rows.append([f"{t:g}", len(every), *cells, f"{unused:.0%}", f"{np.median(stretches):.0f}", short])
        for name, r, stretch, off in sorted(every, key=lambda one: -one[1].row)[:6]:
            in_a_row = f"{r.row:.1f} x {r.row_seconds:.1f} s"
            cut = "yes" if off else "no"
            worst.append([f"{t:g}", name, in_a_row, f"{r.plays.max() / t:.1f}", r.minute, len(stretch) - 1, cut])
    head = ["times", "songs", "in a row: median", "90 %", "most", "plays over times: median", "90 %", "most"]
    head += ["in a minute: median", "90 %", "most", "not played", "stretch, s: median", "below 4 s"]
    show("Repetition", head, rows)
    head = ["times", "song", "in a row", "plays over times", "in a minute", "jumps", "cut off the beat"]
    show("Songs that repeat most", head, worst)
