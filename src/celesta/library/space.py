"""Distances between songs: blocks of numbers, standardised with shrinkage, freed of hubs.

Each song has several blocks of numbers (timbre, rhythm, harmony, ...). A block is standardised by the library's mean
and standard deviation, shrunk towards those of a reference collection so that thirty songs work as well as a hundred
thousand. The distance of two songs is the weighted sum of their blocks' mean squared differences. Mutual proximity
(Schnitzer et al. 2012, "Local and global scaling reduce hubs in space") turns it into a similarity that keeps single
songs from being everyone's neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from celesta.errors import UsageError

REFERENCE_SONGS = 50.0
"""How many songs of the library the reference collection counts as."""
_CLIP = 6.0  # standard deviations: one odd number cannot decide a distance
_SAMPLE = 1_000  # songs that stand for the library in the statistics of distances
_POOLED_SONGS = 10.0  # how many distances the statistics of all songs count as
_SEED = 7
_ROWS = 16_384  # songs whose distances are computed at once


@dataclass(frozen=True)
class Reference:
    """Mean and standard deviation of a block in a reference collection, ``(D,)`` each."""

    mean: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True)
class Weights:
    """How much each block counts in a distance; blocks that are not named count 0."""

    of: Mapping[str, float]

    def checked(self, blocks: Sequence[str]) -> dict[str, float]:
        """Return the weights, scaled to a sum of 1.

        Raises:
            UsageError: a block does not exist, a weight is negative, or all are 0.
        """
        for name, weight in self.of.items():
            if name not in blocks:
                raise UsageError(f"--by {name}: there is no such block; choose from {', '.join(blocks)}")
            if not 0 <= weight < np.inf:
                raise UsageError(f"--by {name}: its weight must be 0 or more, got {weight}")
        total = sum(self.of.values())
        if total <= 0:
            raise UsageError("--by: at least one block needs a weight above 0")
        return {name: weight / total for name, weight in self.of.items() if weight > 0}


class Space:
    """The songs of a library as points, ready to be searched exactly.

    Args:
        blocks: name to ``(songs, D)`` numbers, the same songs in each.
        references: name to the block's statistics in a reference collection, for blocks that have one.

    Attributes:
        songs: number of songs.
        names: of the blocks.
    """

    def __init__(self, blocks: Mapping[str, np.ndarray], references: Mapping[str, Reference] | None = None) -> None:
        self.names = tuple(blocks)
        self.songs = len(next(iter(blocks.values()))) if blocks else 0
        self._mean: dict[str, np.ndarray] = {}
        self._deviation: dict[str, np.ndarray] = {}
        self._points: dict[str, np.ndarray] = {}
        for name, rows in blocks.items():
            self._fit(name, np.asarray(rows, np.float64), (references or {}).get(name))
            self._points[name] = self.place(name, rows)
        rng = np.random.default_rng(_SEED)
        self._sample = rng.permutation(self.songs)[: min(self.songs, _SAMPLE)]
        self._pooled: dict[str, tuple[float, float]] = {}
        self._sampled = np.zeros(self.songs, bool)
        self._sampled[self._sample] = True
        self._distance_mean, self._distance_variance = self._statistics(self._points, self._sampled)

    def _fit(self, name: str, rows: np.ndarray, reference: Reference | None) -> None:
        n = len(rows)
        mean, variance = rows.mean(axis=0), rows.var(axis=0)
        if reference is not None:
            share = REFERENCE_SONGS / (REFERENCE_SONGS + n)
            apart = (mean - reference.mean) ** 2
            mean = (1 - share) * mean + share * reference.mean
            variance = (1 - share) * variance + share * reference.deviation**2 + share * (1 - share) * apart
        deviation = np.sqrt(variance)
        self._mean[name] = mean
        self._deviation[name] = np.where(deviation > 1e-8 * (1 + np.abs(mean)), deviation, np.inf)

    def place(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return rows ``(n, D)`` of a block as points ``(n, D)`` float32, scaled so that ``D`` does not matter."""
        rows = np.atleast_2d(np.asarray(rows, np.float64))
        standard = np.clip((rows - self._mean[name]) / self._deviation[name], -_CLIP, _CLIP)
        return np.asarray(standard / np.sqrt(rows.shape[1]), np.float32)

    def _statistics(
        self, points: Mapping[str, np.ndarray], sampled: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Mean and variance of each point's distances to the sample, block by block.

        Points that are in the sample themselves leave that distance out. Of few songs, each one's statistics are shrunk
        towards those of all songs.
        """
        means, variances = {}, {}
        for name, rows in points.items():
            others = self._points[name][self._sample]
            mean, variance = np.empty(len(rows), np.float32), np.empty(len(rows), np.float32)
            for i in range(0, len(rows), _ROWS):
                apart = _distances(rows[i : i + _ROWS], others)
                others_count = np.maximum(len(others) - sampled[i : i + _ROWS], 1)
                average = apart.sum(axis=1) / others_count  # the distance to itself is 0
                mean[i : i + _ROWS] = average
                variance[i : i + _ROWS] = np.maximum((apart**2).sum(axis=1) / others_count - average**2, 0)
            if name not in self._pooled:  # the first call is for the songs themselves
                self._pooled[name] = float(mean.mean()), float(variance.mean() + mean.var())
            share = _POOLED_SONGS / (_POOLED_SONGS + len(others))
            means[name] = (1 - share) * mean + share * self._pooled[name][0]
            variances[name] = (1 - share) * variance + share * self._pooled[name][1]
        return means, variances

    def similarities(self, query: Mapping[str, np.ndarray], weights: Weights) -> np.ndarray:
        """Compute the similarity of one query to all songs.

        Args:
            query: block name to ``(D,)`` numbers as given to the constructor.
            weights: of the blocks.

        Returns:
            ``(songs,)`` float32 from 0 to 1: the probability that a random song is further away, seen from both sides.
        """
        points = {name: self.place(name, query[name]) for name in weights.checked(self.names)}
        mean, variance = self._statistics(points, np.zeros(1, bool))
        return self._similar(points, mean, variance, weights)

    def similarities_of(self, song: int, weights: Weights) -> np.ndarray:
        """Compute the similarity of a song of the library to all songs, itself included (1)."""
        names, own = weights.checked(self.names), slice(song, song + 1)
        points, mean, variance = (
            {name: of[name][own] for name in names}
            for of in (self._points, self._distance_mean, self._distance_variance)
        )
        return self._similar(points, mean, variance, weights)

    def _similar(
        self,
        points: Mapping[str, np.ndarray],
        own_mean: Mapping[str, np.ndarray],
        own_variance: Mapping[str, np.ndarray],
        weights: Weights,
    ) -> np.ndarray:
        shares = weights.checked(self.names)
        distance = np.zeros(self.songs, np.float32)
        mean, variance = np.zeros(self.songs, np.float32), np.zeros(self.songs, np.float32)
        query_mean = query_variance = 0.0
        for name, share in shares.items():
            distance += np.float32(share) * _distances(points[name], self._points[name])[0]
            # Distances of blocks are added as if they were independent.
            mean += np.float32(share) * self._distance_mean[name]
            variance += np.float32(share**2) * self._distance_variance[name]
            query_mean += share * float(own_mean[name][0])
            query_variance += share**2 * float(own_variance[name][0])
        seen_from_query = _share_further(distance, np.array(query_mean), np.array(query_variance))
        return np.asarray(seen_from_query * _share_further(distance, mean, variance), np.float32)

    def nearest(self, song: int, weights: Weights, n: int) -> np.ndarray:
        """Return the ``n`` most similar other songs, best first."""
        found = self.similarities_of(song, weights)
        found[song] = -1
        return top(found, n)


def top(values: np.ndarray, n: int) -> np.ndarray:
    """Return the places of the ``n`` largest values, largest first; ties by place.

    Example:
        >>> top(np.array([0.1, 0.9, 0.5]), 2).tolist()
        [1, 2]
    """
    n = min(n, len(values))
    if n <= 0:
        return np.zeros(0, np.int64)
    some = np.argpartition(-values, n - 1)[:n]
    return some[np.lexsort((some, -values[some]))]


def _share_further(distance: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Share of songs beyond a distance, which is normally distributed but never below 0; 1 at the distance 0."""
    deviation = np.sqrt(variance + 1e-12)
    return np.asarray(ndtr((mean - distance) / deviation) / ndtr(mean / deviation))


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances ``(n, m)`` of points ``(n, D)`` and ``(m, D)``."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None]
    return np.asarray(np.maximum(squares - 2 * (a @ b.T), 0), np.float32)


def occurrence_skew(neighbours: np.ndarray, songs: int) -> float:
    """Measure hubness: the skewness of how often songs occur among others' neighbours (Radovanovic et al. 2010).

    Args:
        neighbours: ``(songs, k)`` places.
        songs: number of songs.
    """
    counts = np.bincount(np.asarray(neighbours).ravel(), minlength=songs).astype(float)
    deviation = counts.std()
    return float(((counts - counts.mean()) ** 3).mean() / deviation**3) if deviation > 0 else 0.0
