"""Figures of classes and groups: songs coloured by genre and by cluster, confusion matrices, bars of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from celesta.report.figures import CHANGED, ORIGINAL, THIRD

_WIDTH = 8.6
_MARKERS = "osD^vPX<>*"


def scatter(
    coordinates: np.ndarray,
    labels: Sequence[str] | np.ndarray,
    assignment: np.ndarray,
    title: str = "",
) -> Figure:
    """Songs at two coordinates, coloured by label on the left and by cluster on the right.

    A cluster has the colour of the label that it fits best, each label used once, so that equal colours agree.

    Args:
        coordinates: ``(n, 2)``.
        labels: ``(n,)`` names.
        assignment: ``(n,)`` whole numbers, the cluster of each song.
        title: above the right side.
    """
    names = np.asarray(labels).astype(str)
    classes, groups = np.unique(names), np.unique(assignment)
    figure = Figure(figsize=(_WIDTH, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    _points(left, coordinates, [(name, names == name, i) for i, name in enumerate(classes)])
    colour = _matched(names, classes, assignment, groups)
    _points(right, coordinates, [(f"cluster {g}", assignment == g, colour[i]) for i, g in enumerate(groups)])
    left.set_title("by label", fontsize=8)
    right.set_title(title or "by cluster", fontsize=8)
    for axes in (left, right):
        axes.set_xlabel("component 1", fontsize=7)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.25)
    left.set_ylabel("component 2", fontsize=7)
    return figure


def confusion(matrix: np.ndarray, classes: Sequence[str], title: str = "") -> Figure:
    """Confusion matrix: shade by share of the true class, numbers as counted.

    Args:
        matrix: ``(classes, classes)`` counts, true classes in rows.
        classes: names in that order.
        title: above.
    """
    counts = np.asarray(matrix)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.34 * len(classes)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if share[row, column] > 0.55 else "black"
            axes.text(column, row, f"{count:g}", ha="center", va="center", fontsize=7, color=shade)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, classes)
    axes.set_xlabel("predicted", fontsize=7)
    axes.set_ylabel("true", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.set_title(title, fontsize=8)
    return figure


def per_class(
    classes: Sequence[str],
    scores: Mapping[str, Sequence[float]],
    support: Sequence[int] | None = None,
    title: str = "",
) -> Figure:
    """Bars of each class, one a score, such as precision, recall and F1, all from 0 to 1.

    Args:
        classes: names.
        scores: name of a score to its numbers, ``(classes,)`` each.
        support: songs of each class, written under its name.
        title: above.
    """
    figure = Figure(figsize=(_WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(classes))
    width = 0.8 / max(1, len(scores))
    colours = (ORIGINAL, CHANGED, THIRD, "#8a6fb0")
    for i, (name, values) in enumerate(scores.items()):
        offset = (i - (len(scores) - 1) / 2) * width
        axes.bar(places + offset, np.asarray(values), width, label=name, color=colours[i % len(colours)])
    names = list(classes) if support is None else [f"{c}\n({n})" for c, n in zip(classes, support, strict=True)]
    axes.set_xticks(places, names)
    axes.set(ylim=(0, 1))
    axes.set_title(title, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25, axis="y")
    axes.legend(fontsize=6.5, ncols=len(scores), loc="upper right", framealpha=0.8)
    return figure


def _points(axes: Axes, coordinates: np.ndarray, parts: Sequence[tuple[str, np.ndarray, int]]) -> None:
    """Draw each part ``(name, mask, number of its colour)``; form and colour both tell parts apart."""
    palette = matplotlib.colormaps["tab20" if len(parts) > 10 else "tab10"]
    for name, mask, number in parts:
        colour, marker = palette(number % palette.N), _MARKERS[number % len(_MARKERS)]
        x, y = coordinates[mask].T
        axes.scatter(x, y, s=14, lw=0, alpha=0.75, color=colour, marker=marker, label=name)
    axes.legend(fontsize=6, ncols=1 + len(parts) // 6, framealpha=0.8)


def _matched(names: np.ndarray, classes: np.ndarray, assignment: np.ndarray, groups: np.ndarray) -> list[int]:
    """For each cluster the number of a label, so that most songs keep their colour; clusters too many get new ones."""
    together = np.array([[np.sum((assignment == g) & (names == name)) for name in classes] for g in groups])
    pairs = dict(zip(*linear_sum_assignment(-together), strict=True))
    spare = iter(range(len(classes), len(classes) + len(groups)))
    return [int(pairs[i]) if i in pairs else next(spare) for i in range(len(groups))]
