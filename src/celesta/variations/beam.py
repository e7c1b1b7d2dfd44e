"""Beam search for the grains of a mosaic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BEAM = 24
_NEAR = 8  # frames within which two grains are from one place
_REPEATED = 1e6


@dataclass(frozen=True)
class Candidates:
    """Windows of sources for each grain.

    Attributes:
        wanted: ``(grains, d)``, what each grain should be like.
        points: ``(windows, d)``.
        nearest: ``(grains, k)``, indices of windows.
        source, semitones, place: ``(windows,)``, where each window is from: source, transposition, frame.
    """

    wanted: np.ndarray
    points: np.ndarray
    nearest: np.ndarray
    source: np.ndarray
    semitones: np.ndarray
    place: np.ndarray


def search(found: Candidates, frames: np.ndarray, variety: int, jump: np.ndarray) -> list[tuple[int, int, int, bool]]:
    """Choose a window for each grain.

    The cost of a grain is its distance from what is wanted; its ``jump`` comes on top where it does not continue the
    grain before it.

    Args:
        found: the candidates.
        frames: ``(grains,)`` frame at which each grain begins in the target.
        variety: no window near one of the last so many, unless it continues the last one.
        jump: ``(grains,)`` cost of leaving a source's own order.

    Returns:
        Source, frame, semitones, and whether it continues the grain before, for each grain.
    """
    score = np.zeros(1)
    chosen = np.full((1, 0), 0, np.int64)  # windows of each hypothesis, the last `variety` of them
    history: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # window, parent, continues
    last = np.full(1, -1, np.int64)
    for k in range(len(frames)):
        step = int(frames[k] - frames[k - 1]) if k else 0
        options = _options(found, found.nearest[k], last, step)
        distance = np.sqrt(np.sum((found.points[options] - found.wanted[k]) ** 2, axis=1))
        follows = (last[:, None] >= 0) & (options == last[:, None] + step) & _same(found, options, last)
        total = score[:, None] + distance + np.where(follows, 0.0, jump[k] if k else 0.0)
        if variety and chosen.shape[1]:
            near = np.abs(found.place[options] - found.place[chosen][..., None]) <= _NEAR
            near &= found.source[options] == found.source[chosen][..., None]
            total = total + _REPEATED * (near.any(axis=1) & ~follows)
        flat = _best(total, options)
        parent, option = np.divmod(flat, len(options))
        history.append((options[option], parent, follows[parent, option]))
        score, last = total[parent, option] - total.min(), options[option]
        chosen = np.concatenate([chosen[parent], last[:, None]], axis=1)[:, -variety:] if variety else chosen[parent]
    return _traced(found, history, int(np.argmin(score)))


def _options(found: Candidates, nearest: np.ndarray, last: np.ndarray, step: int) -> np.ndarray:
    """Return the nearest windows, and those that continue the hypotheses."""
    going = last[last >= 0] + step
    going = going[going < len(found.points)]
    return np.unique(np.concatenate([nearest, going]))


def _same(found: Candidates, options: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Whether options ``(m,)`` are from the same source and transposition as hypotheses ``(h,)``: ``(h, m)``."""
    source = found.source[options] == found.source[last][:, None]
    same: np.ndarray = source & (found.semitones[options] == found.semitones[last][:, None])
    return same


def _best(total: np.ndarray, options: np.ndarray) -> np.ndarray:
    """Return the flat indices of the best hypotheses, at most one for each window."""
    best_parent = total.argmin(axis=0)
    scores = total[best_parent, np.arange(total.shape[1])]
    order = np.argsort(scores, kind="stable")[:_BEAM]
    flat: np.ndarray = best_parent[order] * len(options) + order
    return flat


def _traced(
    found: Candidates, history: list[tuple[np.ndarray, np.ndarray, np.ndarray]], at: int
) -> list[tuple[int, int, int, bool]]:
    made = []
    for window, parent, follows in reversed(history):
        index = int(window[at])
        place = int(found.source[index]), int(found.place[index]), int(found.semitones[index]), bool(follows[at])
        made.append(place)
        at = int(parent[at])
    return made[::-1]
