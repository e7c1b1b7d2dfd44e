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
_POOLED_SONGS = 10.0  # how many distances the statistics of all songs count as
_ROWS = 16_384  # songs that are standardised at once


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


class _Block:
    """One block of all songs as points, with the mean and the variance of each song's distances to the others.

    Args:
        rows: ``(songs, D)``.
        reference: statistics of the block in a reference collection.
    """

    def __init__(self, rows: np.ndarray, reference: Reference | None) -> None:
        self._fit(rows, reference)
        self.points = np.concatenate([self.place(rows[i : i + _ROWS]) for i in range(0, max(1, len(rows)), _ROWS)])
        self.squares = np.einsum("ij,ij->i", self.points, self.points)
        songs = max(1, len(rows))
        self._centre = self.points.mean(axis=0, dtype=np.float64)
        self._square_mean = float(self.squares.mean(dtype=np.float64))
        self._square_variance = float(self.squares.var(dtype=np.float64))
        self._covariance = (self.points.T @ self.points).astype(np.float64) / songs - np.outer(
            self._centre, self._centre
        )
        self._square_covariance = (self.squares @ self.points).astype(np.float64) / songs - (
            self._square_mean * self._centre
        )
        mean, variance = self._moments(self.points)
        # A song's distance to itself, 0, is left out.
        others = max(1, len(rows) - 1)
        square = (variance + mean**2) * len(rows) / others
        mean = mean * len(rows) / others
        variance = np.maximum(square - mean**2, 0)
        self._pooled = float(mean.mean()), float(variance.mean() + mean.var())
        self.mean, self.variance = self._shrunk(mean, variance)

    def _fit(self, rows: np.ndarray, reference: Reference | None) -> None:
        n = len(rows)
        mean, variance = rows.mean(axis=0, dtype=np.float64), rows.var(axis=0, dtype=np.float64)
        if reference is not None:
            share = REFERENCE_SONGS / (REFERENCE_SONGS + n)
            apart = (mean - reference.mean) ** 2
            mean = (1 - share) * mean + share * reference.mean
            variance = (1 - share) * variance + share * reference.deviation**2 + share * (1 - share) * apart
        deviation = np.sqrt(variance)
        self._origin = mean
        self._deviation = np.where(deviation > 1e-8 * (1 + np.abs(mean)), deviation, np.inf)

    def place(self, rows: np.ndarray) -> np.ndarray:
        """Return rows ``(n, D)`` as points ``(n, D)`` float32, scaled so that ``D`` does not matter."""
        rows = np.atleast_2d(np.asarray(rows, np.float64))
        standard = np.clip((rows - self._origin) / self._deviation, -_CLIP, _CLIP)
        return np.asarray(standard / np.sqrt(rows.shape[1]), np.float32)

    def statistics(self, point: np.ndarray) -> tuple[float, float]:
        """Mean and variance of the distances of a point ``(1, D)``, which is no song of the library, to all songs."""
        mean, variance = self._shrunk(*self._moments(point))
        return float(mean[0]), float(variance[0])

    def _moments(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the squared distances of points ``(n, D)`` to all songs, in closed form."""
        squares = np.einsum("ij,ij->i", points, points)
        mean = squares - 2 * (points @ self._centre) + self._square_mean
        spread = np.einsum("ij,ij->i", points @ self._covariance.astype(np.float32), points)
        variance = self._square_variance - 4 * (points @ self._square_covariance) + 4 * spread
        return np.maximum(mean, 0), np.maximum(variance, 0)

    def _shrunk(self, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of few songs, each one's statistics are shrunk towards those of all songs."""
        share = _POOLED_SONGS / (_POOLED_SONGS + len(self.points))
        mean = (1 - share) * mean + share * self._pooled[0]
        return mean.astype(np.float32), ((1 - share) * variance + share * self._pooled[1]).astype(np.float32)

    def distances(self, point: np.ndarray) -> np.ndarray:
        """Squared distances ``(songs,)`` of a point ``(1, D)`` to all songs."""
        return np.asarray(np.maximum(self.squares + float(point[0] @ point[0]) - 2 * (self.points @ point[0]), 0))


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
        self._blocks = {name: _Block(rows, (references or {}).get(name)) for name, rows in blocks.items()}

    def similarities(self, query: Mapping[str, np.ndarray], weights: Weights) -> np.ndarray:
        """Compute the similarity of one query to all songs.

        Args:
            query: block name to ``(D,)`` numbers as given to the constructor.
            weights: of the blocks.

        Returns:
            ``(songs,)`` float32 from 0 to 1: the probability that a random song is further away, seen from both sides.
        """
        shares = weights.checked(self.names)
        points = {name: self._blocks[name].place(query[name]) for name in shares}
        return self._similar(points, {name: self._blocks[name].statistics(points[name]) for name in shares}, shares)

    def similarities_of(self, song: int, weights: Weights) -> np.ndarray:
        """Compute the similarity of a song of the library to all songs, itself included (1)."""
        shares = weights.checked(self.names)
        points = {name: self._blocks[name].points[song : song + 1] for name in shares}
        own = {
            name: (float(self._blocks[name].mean[song]), float(self._blocks[name].variance[song])) for name in shares
        }
        return self._similar(points, own, shares)

    def _similar(
        self, points: Mapping[str, np.ndarray], own: Mapping[str, tuple[float, float]], shares: Mapping[str, float]
    ) -> np.ndarray:
        distance, mean, variance = (np.zeros(self.songs, np.float32) for _ in range(3))
        for name, share in shares.items():
            block = self._blocks[name]
            distance += np.float32(share) * block.distances(points[name])
            # Distances of blocks are added as if they were independent.
            mean += np.float32(share) * block.mean
            variance += np.float32(share**2) * block.variance
        own_mean = sum(share * own[name][0] for name, share in shares.items())
        own_variance = sum(share**2 * own[name][1] for name, share in shares.items())
        seen_from_query = _share_further(distance, np.float32(own_mean), np.float32(own_variance))
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


def _share_further(
    distance: np.ndarray, mean: np.ndarray | np.float32, variance: np.ndarray | np.float32
) -> np.ndarray:
    """Share of songs beyond a distance, which is normally distributed but never below 0; 1 at the distance 0."""
    deviation = np.sqrt(variance + 1e-12)
    return np.asarray(ndtr((mean - distance) / deviation) / ndtr(mean / deviation))


def occurrence_skew(neighbours: np.ndarray, songs: int) -> float:
    """Measure hubness: the skewness of how often songs occur among others' neighbours (Radovanovic et al. 2010).

    Args:
        neighbours: ``(songs, k)`` places.
        songs: number of songs.
    """
    counts = np.bincount(np.asarray(neighbours).ravel(), minlength=songs).astype(float)
    deviation = counts.std()
    return float(((counts - counts.mean()) ** 3).mean() / deviation**3) if deviation > 0 else 0.0
