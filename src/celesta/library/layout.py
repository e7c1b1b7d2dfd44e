"""Lay out the songs of a library on a plane: like songs near each other, and no song moves when others are added.

Up to 2000 landmarks are laid out by t-SNE (van der Maaten and Hinton 2008, "Visualizing data using t-SNE") on mutual
proximities. Every other song, now or later, is placed between the landmarks that it is most like.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from celesta.library.space import Space, Weights

LANDMARKS = 2000
VERSION = "2"
"""Of this file: change it whenever positions would change."""
NEIGHBOURS = 10
"""Songs whose order is compared by :func:`trustworthiness_and_continuity`."""
_SAMPLE = 1000  # songs whose neighbours are compared
_BETWEEN = 6  # landmarks that a song is placed between
_ROWS = 512  # songs that are placed at once
_APART = 0.01  # least distance by which songs at one place are moved apart
_PERPLEXITY = 30.0
_FEWEST = 5  # songs from which t-SNE makes sense
_CLUSTERS = 12  # at most


@dataclass(eq=False)
class Positions:
    """Songs on the plane; rows are those of the space.

    Attributes:
        xy: ``(songs, 2)`` float32, most within -1 to 1; NaN where a song is not placed yet.
        cluster: ``(songs,)`` int, from 0.
        landmark: ``(songs,)`` bool.
    """

    xy: np.ndarray
    cluster: np.ndarray
    landmark: np.ndarray

    @property
    def placed(self) -> np.ndarray:
        """``(songs,)`` bool."""
        return np.asarray(np.isfinite(self.xy).all(axis=1))


def empty(songs: int) -> Positions:
    """Return positions of songs of which none is placed."""
    return Positions(np.full((songs, 2), np.nan, np.float32), np.zeros(songs, int), np.zeros(songs, bool))


def fit(space: Space, weights: Weights, landmarks: int = LANDMARKS, seed: int = 0) -> Positions:
    """Lay out landmarks, chosen at random, and group them; all other songs are not placed yet.

    Args:
        space: the songs.
        weights: of the blocks.
        landmarks: at most so many.
        seed: of the random numbers.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(space.songs)[:landmarks])
    points = weighted(space, rows, weights)
    made = empty(space.songs)
    made.xy[rows] = _scaled(_embedded(_distances(space, rows, weights), points, seed))
    made.cluster[rows] = _grouped(points, seed)
    made.landmark[rows] = True
    return made


def place(space: Space, weights: Weights, positions: Positions) -> Positions:
    """Place the songs that are not placed yet between the landmarks that they are most like.

    A song lies at the mean of its nearest landmarks that lie together, weighted by similarity, moved a little at random
    so that songs do not cover each other. Songs that are placed stay where they are.
    """
    made = Positions(positions.xy.copy(), positions.cluster.copy(), positions.landmark)
    landmarks = np.flatnonzero(positions.landmark & positions.placed)
    new = np.flatnonzero(~positions.placed)
    between = min(_BETWEEN, len(landmarks))
    for at in range(0, len(new), _ROWS):
        rows = new[at : at + _ROWS]
        similar = space.compare_many(rows, landmarks, weights)
        best = np.argpartition(-similar, between - 1, axis=1)[:, :between]
        near = landmarks[best]  # (rows, between)
        weight = np.maximum(np.take_along_axis(similar, best, axis=1).astype(np.float64), 1e-6) ** 4
        xy = made.xy[near].astype(np.float64)
        apart = np.linalg.norm(xy[:, :, None] - xy[:, None], axis=3)
        # The landmark that lies nearest to the others: one far off does not count.
        middle = np.einsum("rij,rj->ri", apart, weight).argmin(axis=1)
        apart = apart[np.arange(len(rows)), middle]
        reach = np.median(apart, axis=1, keepdims=True)
        weight *= apart <= 2 * reach + 1e-9
        means = np.einsum("ri,rid->rd", weight, xy) / weight.sum(axis=1, keepdims=True)
        made.xy[rows] = means + 0.25 * np.maximum(reach, _APART) * _noise(rows)
        votes = np.zeros((len(rows), int(made.cluster.max(initial=0)) + 1))
        np.add.at(votes, (np.arange(len(rows))[:, None], made.cluster[near]), weight)
        made.cluster[rows] = votes.argmax(axis=1)
    return made


def _noise(rows: np.ndarray) -> np.ndarray:
    """Normal numbers ``(n, 2)`` that depend on the row alone."""
    return np.stack([np.random.default_rng(row).standard_normal(2) for row in rows.tolist()])


def weighted(space: Space, rows: np.ndarray, weights: Weights) -> np.ndarray:
    """Return points ``(n, D)`` whose squared Euclidean distances are those of the weighted blocks."""
    shares = weights.checked(space.names)
    parts = [np.sqrt(np.float32(share)) * space.points[rows, space.places[name]] for name, share in shares.items()]
    return np.concatenate(parts, axis=1)


def trustworthiness_and_continuity(
    space: Space, weights: Weights, positions: Positions, seed: int = 0
) -> tuple[float, float]:
    """Measure how well neighbours on the plane are neighbours among the songs, and the reverse; 1 is perfect.

    Source: Venna and Kaski 2001, "Neighborhood preservation in nonlinear projection methods", with 10 neighbours. Of up
    to 1000 songs, chosen at random.

    Returns:
        Trustworthiness and continuity, 0 to 1; NaN for fewer than 22 songs.
    """
    from sklearn.manifold import trustworthiness

    rows = np.sort(np.random.default_rng(seed).permutation(np.flatnonzero(positions.placed))[:_SAMPLE])
    if len(rows) < 2 * NEIGHBOURS + 2:
        return float("nan"), float("nan")
    points, xy = weighted(space, rows, weights), positions.xy[rows]
    return (
        float(trustworthiness(points, xy, n_neighbors=NEIGHBOURS)),
        float(trustworthiness(xy, points, n_neighbors=NEIGHBOURS)),
    )


def _distances(space: Space, rows: np.ndarray, weights: Weights) -> np.ndarray:
    """``(n, n)`` float32: 1 less the mutual proximity of each two songs."""
    apart = 1 - space.compare_many(rows, rows, weights)
    apart = np.maximum((apart + apart.T) / 2, 0)
    np.fill_diagonal(apart, 0)
    return np.asarray(apart, np.float32)


def _embedded(distances: np.ndarray, points: np.ndarray, seed: int) -> np.ndarray:
    """``(n, 2)`` by t-SNE, begun at the first two principal components."""
    count = len(points)
    if count < _FEWEST:
        angles = 2 * np.pi * np.arange(count) / max(count, 1)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1) * (count > 1)
    from sklearn.manifold import TSNE

    u, s, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    begin = (u * s)[:, :2]
    begin = 1e-4 * begin / max(float(begin[:, 0].std()), 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = TSNE(
            metric="precomputed",
            init=begin.astype(np.float32),
            perplexity=min(_PERPLEXITY, (count - 1) / 3),
            random_state=seed,
            n_jobs=1,
        ).fit_transform(distances)
    return np.asarray(made)


def _scaled(xy: np.ndarray) -> np.ndarray:
    """Centre positions, and scale them so that 98 % lie within a distance of 1."""
    xy = xy - np.median(xy, axis=0)
    reach = float(np.quantile(np.linalg.norm(xy, axis=1), 0.98)) if len(xy) > 1 else 0.0
    return np.asarray(xy / reach if reach > 0 else xy, np.float32)


def _grouped(points: np.ndarray, seed: int) -> np.ndarray:
    """Cluster numbers ``(n,)`` by k-means, the largest cluster first."""
    count = int(np.clip(round(np.sqrt(len(points) / 4)), 1, _CLUSTERS))
    if count < 2:
        return np.zeros(len(points), int)
    from sklearn.cluster import KMeans

    labels = KMeans(count, n_init=4, random_state=seed).fit_predict(points)
    order = np.argsort(-np.bincount(labels, minlength=count), kind="stable")
    return np.asarray(np.argsort(order)[labels])


def cluster_names(cluster: np.ndarray, words: Sequence[dict[str, float]]) -> list[str]:
    """Name clusters by the two words that are most typical of each: more probable in it than elsewhere.

    Args:
        cluster: ``(songs,)`` number of each song's cluster.
        words: of each song, to probability.
    """
    known = sorted({word for some in words for word in some})
    column = {word: i for i, word in enumerate(known)}
    sums = np.zeros((int(cluster.max(initial=0)) + 1, len(known)))
    for number, some in zip(cluster.tolist(), words, strict=True):
        for word, p in some.items():
            sums[number, column[word]] += p
    counts = np.maximum(np.bincount(cluster, minlength=len(sums)), 1)[:, None]
    means, everywhere = sums / counts, sums.sum(axis=0) / max(len(words), 1)
    typical = means * np.log2((means + 0.01) / (everywhere + 0.01))
    names = []
    for row in typical:
        best = [known[i] for i in np.argsort(-row)[:2] if row[i] > 0]
        names.append(", ".join(best))
    return [name or f"group {i + 1}" for i, name in enumerate(names)]
