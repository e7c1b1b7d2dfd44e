"""The page of clustered songs, and figures of classes: songs by label and by cluster, confusion matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from celesta._files import printable
from celesta.probes.clustering import Clustering
from celesta.probes.song_clusters import MOST_LABELS, Song, SongClusters
from celesta.report.figures import MARKERS, PALETTE
from celesta.report.page import Link, Page, relative_url

_WIDTH = 8.6
_MAP_WIDTH, _MAP_HEIGHT, _MARGIN = 1_000, 620, 16
_COMMON = 3
"""Labels that the legend names for each cluster."""
_RADII = ((100, 10), (400, 7), (10**9, 5))
"""Number of songs up to which the map's points have a radius."""


def write_page(found: SongClusters, path: str | Path, files: Sequence[Link] = ()) -> Path:
    """Write the page of clustered songs: a map with a link at each point, the songs, all clusterings; return its path.

    Args:
        found: songs and clusterings.
        path: of the page; links to the songs are relative to its folder.
        files: links to further files, such as the CSV.
    """
    path, main = Path(path), found.main
    count = len(found.songs)
    page = Page(
        f"{count} songs in {found.groups} clusters",
        f"Songs of one cluster are alike by {found.features}. {_HOW[found.chosen_by].format(found.groups)}",
    )
    page.section("Map")
    how = f"{_METHODS.get(main.method, main.method)}, {main.space}"
    page.text(
        f"Every point is a song, coloured by its cluster ({how}). The map shows the first two principal components of "
        "the features: songs that are close are alike, but two dimensions do not hold all of it."
    )
    _map(page, found, path)
    page.section("Songs")
    labels = ["label"] if found.labelled else []
    artists = ["artist"] if any(song.artist for song in found.songs) else []
    rows: list[list[str | Link]] = [
        [
            Link(s.title, relative_url(s.path, path)), *([s.artist] if artists else []), str(c),
            *([s.label] if labels else []), printable(s.path),
        ]
        for s, c in sorted(zip(found.songs, main.assignment, strict=True), key=lambda pair: (pair[1], pair[0].artist))
    ]  # fmt: skip
    page.table(["title", *artists, "cluster", *labels, "path"], rows)
    page.section("All clusterings")
    scored = " Labels only score the clusters." if found.labelled else ""
    page.text(f"The songs were clustered in several ways; the map shows {main.name}.{scored}")
    page.table(*score_table(found))
    if found.labelled and len(found.classes) <= MOST_LABELS:
        page.begin_details("Every clustering next to the labels")
        for one in found.clusterings:
            page.heading(one.name)
            names = [song.label or "no label" for song in found.songs]
            page.figure(scatter(one.coordinates, names, one.assignment), f"songs by label and by cluster of {one.name}")
        page.end_details()
    for name, reason in found.skipped.items():
        page.note(f"{name} was left out: {reason}.")
    if found.left_out:
        page.section("Left out")
        page.table(["file", "reason"], [[printable(p), reason] for p, reason in found.left_out.items()])
    if files:
        page.section("Files")
        page.files(files)
    return page.write(path)


_METHODS = {"kmeans": "K-Means", "gmm": "Gaussian mixture", "ward": "Ward", "spectral": "spectral"}
_HOW = {
    "given": "{} clusters, as asked for.",
    "labels": "{} clusters, as many as there are labels; labels only score.",
    "silhouette": "{} clusters: of 2 to 10 the number with the largest silhouette (K-Means on PCA).",
}


def score_table(found: SongClusters) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the table of clusterings: sizes, and scores where there are labels."""
    scores = ["ARI", "AMI", "V-measure"] if found.labelled else []
    rows = [[c.method, c.space, _sizes(c), *(_scores(c) if scores else [])] for c in found.clusterings]
    return ["method", "space", "songs in each cluster", *scores], rows


def _sizes(one: Clustering) -> str:
    return ", ".join(str(n) for n in np.bincount(one.assignment, minlength=one.groups))


def _scores(one: Clustering) -> list[str]:
    return ["" if score is None else f"{score:.3f}" for score in (one.ari, one.ami, one.v_measure)]


def _map(page: Page, found: SongClusters, path: Path) -> None:
    """The map as SVG, whose points show their song on hover and focus, and lead to its file."""
    main = found.main
    low, high = main.coordinates.min(0), main.coordinates.max(0)
    share = (main.coordinates - low) / np.where(high > low, high - low, 1)
    places = _MARGIN + share * (np.array([_MAP_WIDTH, _MAP_HEIGHT]) - 2 * _MARGIN)
    points = [
        {
            "x": f"{x:.1f}",
            "y": f"{_MAP_HEIGHT - y:.1f}",
            "colour": PALETTE[cluster % len(PALETTE)],
            "title": _caption(song, int(cluster)),
            "href": relative_url(song.path, path),
        }
        for song, cluster, (x, y) in zip(found.songs, main.assignment, places, strict=True)
    ]
    sizes = np.bincount(main.assignment, minlength=found.groups)
    legend = [
        {
            "colour": PALETTE[i % len(PALETTE)],
            "text": f"cluster {i}: {size} {'song' if size == 1 else 'songs'}{_labels_of(found, i)}",
        }
        for i, size in enumerate(sizes)
    ]
    page.add(
        "song_map.html", label="Map of songs", points=points, legend=legend, width=_MAP_WIDTH, height=_MAP_HEIGHT,
        radius=next(radius for most, radius in _RADII if len(points) <= most),
    )  # fmt: skip


def _labels_of(found: SongClusters, cluster: int) -> str:
    """Name the commonest labels of a cluster with their numbers of songs."""
    inside = zip(found.songs, found.main.assignment, strict=True)
    counts = Counter(song.label for song, one in inside if one == cluster and song.label)
    common = [f"{label} {n}" for label, n in counts.most_common(_COMMON)]
    return f" ({', '.join(common)}{', ...' if len(counts) > _COMMON else ''})" if common else ""


def _caption(song: Song, cluster: int) -> str:
    name = f"{song.artist} – {song.title}" if song.artist else song.title
    return f"{name} | cluster {cluster}{f' | {song.label}' if song.label else ''} | {printable(song.path)}"


def scatter(
    coordinates: np.ndarray,
    labels: Sequence[str] | np.ndarray,
    assignment: np.ndarray,
    title: str = "",
) -> Figure:
    """Draw songs at two coordinates, coloured by label on the left and by cluster on the right.

    A cluster has the colour of the label that it fits best, each label used once, so that equal colours agree.

    Args:
        coordinates: ``(n, 2)``.
        labels: ``(n,)`` names.
        assignment: ``(n,)`` integers, the cluster of each song.
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
    """Draw a confusion matrix, shaded by the share of the true class.

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
            shade = "#fdfdfd" if share[row, column] > 0.55 else "#101010"  # not those that dark pages exchange
            axes.text(column, row, f"{count:g}", ha="center", va="center", fontsize=7, color=shade)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, classes)
    axes.set_xlabel("predicted", fontsize=7)
    axes.set_ylabel("true", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.set_title(title, fontsize=8)
    return figure


def _points(axes: Axes, coordinates: np.ndarray, parts: Sequence[tuple[str, np.ndarray, int]]) -> None:
    """Draw each part ``(name, mask, index of its colour)``; marker and colour both distinguish parts."""
    palette = matplotlib.colormaps["tab20" if len(parts) > 10 else "tab10"]
    for name, mask, number in parts:
        colour, marker = palette(number % palette.N), MARKERS[number % len(MARKERS)]
        x, y = coordinates[mask].T
        axes.scatter(x, y, s=14, lw=0, alpha=0.75, color=colour, marker=marker, label=name)
    axes.legend(fontsize=6, ncols=1 + len(parts) // 6, framealpha=0.8)


def _matched(names: np.ndarray, classes: np.ndarray, assignment: np.ndarray, groups: np.ndarray) -> list[int]:
    """For each cluster the index of a label, so that most songs keep their colour; further clusters get new ones."""
    together = np.array([[np.sum((assignment == g) & (names == name)) for name in classes] for g in groups])
    pairs = dict(zip(*linear_sum_assignment(-together), strict=True))
    spare = iter(range(len(classes), len(classes) + len(groups)))
    return [int(pairs[i]) if i in pairs else next(spare) for i in range(len(groups))]
