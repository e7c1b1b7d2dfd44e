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

from celesta._names import suggestion
from celesta.errors import UsageError
from celesta.library.block import Block, Reference

_LEAST_VARIANCE = 1e-12
_PREPARED = 8  # sets of weights whose sums are kept


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
                raise UsageError(f"--by {name}: there is no such block; {suggestion(name, blocks)}")
            if not 0 <= weight < np.inf:
                raise UsageError(f"--by {name}: its weight must be 0 or more, got {weight}")
        total = sum(self.of.values())
        if total <= 0:
            raise UsageError("--by: at least one block needs a weight above 0")
        return {name: weight / total for name, weight in self.of.items() if weight > 0}


@dataclass(frozen=True, eq=False)
class Placed:
    """A song, or a part of one, as a point of a :class:`Space`.

    Attributes:
        point: ``(D,)`` float32, all blocks one after the other.
        moments: block to mean and variance of its distances to all songs, for the blocks that are known.
    """

    point: np.ndarray
    moments: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class _Weighted:
    """What does not change from query to query, for one set of weights.

    Attributes:
        columns: ``(D,)`` weight of each column.
        first, last: columns outside of these have the weight 0.
        squares: ``(songs,)`` weighted squares of the points.
        mean: ``(songs,)`` of each song's distances to the others.
        deviation: ``(songs,)`` their standard deviation.
        near: ``(songs,)`` share of the normal distribution above the distance 0.
    """

    columns: np.ndarray
    first: int
    last: int
    squares: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    near: np.ndarray


class Space:
    """The songs of a library as points, ready to be searched exactly.

    All points are one matrix, so that a query reads it once, in one matrix-vector product.

    Args:
        blocks: name to ``(songs, D)`` numbers, the same songs in each.
        references: name to the block's statistics in a reference collection, for blocks that have one.

    Attributes:
        songs: number of songs.
        names: of the blocks.
        places: block to its columns of :attr:`points`.
        points: ``(songs, D)`` float32.
    """

    def __init__(self, blocks: Mapping[str, np.ndarray], references: Mapping[str, Reference] | None = None) -> None:
        self.names = tuple(blocks)
        self.songs = len(next(iter(blocks.values()))) if blocks else 0
        ends = np.cumsum([rows.shape[1] for rows in blocks.values()]).tolist()
        self.places = {
            name: slice(end - rows.shape[1], end) for (name, rows), end in zip(blocks.items(), ends, strict=True)
        }
        self.points = np.empty((self.songs, ends[-1] if ends else 0), np.float32)
        self._blocks = {
            name: Block(rows, (references or {}).get(name), self.points[:, self.places[name]])
            for name, rows in blocks.items()
        }
        self._prepared: dict[tuple[tuple[str, float], ...], _Weighted] = {}

    def placed(self, query: Mapping[str, np.ndarray]) -> Placed:
        """Place numbers, block name to ``(D,)``, that are no song of the library.

        Blocks that are left out can have no weight where the point is compared.
        """
        point = np.zeros((1, self.points.shape[1]), np.float32)
        for name, numbers in query.items():
            point[:, self.places[name]] = self._blocks[name].place(numbers)
        moments = {name: self._blocks[name].statistics(point[:, self.places[name]]) for name in query}
        return Placed(point[0], moments)

    def placed_song(self, song: int) -> Placed:
        """Return a song of the library."""
        blocks = self._blocks.items()
        moments = {name: (float(block.mean[song]), float(block.variance[song])) for name, block in blocks}
        return Placed(self.points[song], moments)

    def place_rows(self, rows: np.ndarray) -> np.ndarray:
        """Place rows ``(n, D)``, all blocks one after the other, as points ``(n, D)``."""
        placed = [self._blocks[name].place(rows[:, place]) for name, place in self.places.items()]
        return np.concatenate(placed, axis=1)

    def similarities(self, query: Mapping[str, np.ndarray], weights: Weights) -> np.ndarray:
        """Compute the similarity of one query to all songs.

        Args:
            query: block name to ``(D,)`` numbers as given to the constructor.
            weights: of the blocks.

        Returns:
            ``(songs,)`` float32 from 0 to 1: the probability that a random song is further away, seen from both sides.
        """
        return self.compare(self.placed(query), weights)

    def similarities_of(self, song: int, weights: Weights) -> np.ndarray:
        """Compute the similarity of a song of the library to all songs, itself included (1)."""
        return self.compare(self.placed_song(song), weights)

    def compare(self, one: Placed, weights: Weights) -> np.ndarray:
        """Compute the similarity ``(songs,)`` of a placed song to all songs; see :meth:`similarities`."""
        known = self._weighted(weights)
        used = slice(known.first, known.last)
        query = known.columns[used] * one.point[used]
        distance = self.points[:, used] @ (-2 * query)
        distance += known.squares
        distance += np.float32(query @ one.point[used])
        return self._similar(distance, one, weights, known.mean, known.deviation, known.near)

    def compare_many(self, rows: np.ndarray, to: np.ndarray, weights: Weights) -> np.ndarray:
        """Compute the similarities ``(len(rows), len(to))`` of songs to other songs."""
        known = self._weighted(weights)
        points = self.points[rows] * known.columns
        distance = (-2 * points) @ self.points[to].T
        distance += known.squares[rows][:, None]
        distance += known.squares[to]
        np.maximum(distance, 0, out=distance)
        mean, deviation, near = known.mean, known.deviation, known.near
        similar: np.ndarray = ndtr((mean[rows][:, None] - distance) / deviation[rows][:, None])
        similar *= ndtr((mean[to] - distance) / deviation[to])
        similar /= near[rows][:, None] * near[to]
        return similar

    def compare_parts(self, one: Placed, points: np.ndarray, songs: np.ndarray, weights: Weights) -> np.ndarray:
        """Compute the similarity ``(n,)`` of a placed song to parts of songs.

        Args:
            one: what is asked for.
            points: ``(n, D)`` of the parts; see :meth:`place_rows`.
            songs: ``(n,)`` the song of each part. A part is as near to others as its song is.
            weights: of the blocks.
        """
        known = self._weighted(weights)
        distance = ((points - one.point) ** 2) @ known.columns
        return self._similar(distance, one, weights, known.mean[songs], known.deviation[songs], known.near[songs])

    def _similar(
        self,
        distance: np.ndarray,
        one: Placed,
        weights: Weights,
        mean: np.ndarray,
        deviation: np.ndarray,
        near: np.ndarray,
    ) -> np.ndarray:
        """Mutual proximity: the share of songs that are further away, seen from the query and from each song."""
        np.maximum(distance, 0, out=distance)
        shares = weights.checked(self.names)
        # Distances of blocks are added as if they were independent.
        own_mean = np.float32(sum(share * one.moments[name][0] for name, share in shares.items()))
        own_variance = sum(share**2 * one.moments[name][1] for name, share in shares.items())
        own_deviation = np.float32(np.sqrt(own_variance + _LEAST_VARIANCE))
        similar = ndtr((own_mean - distance) / own_deviation)
        similar *= ndtr((mean - distance) / deviation)
        similar /= near * ndtr(own_mean / own_deviation)
        return np.asarray(similar, np.float32)

    def _weighted(self, weights: Weights) -> _Weighted:
        shares = weights.checked(self.names)
        key = tuple(sorted(shares.items()))
        if key not in self._prepared:
            if len(self._prepared) >= _PREPARED:
                self._prepared.clear()
            self._prepared[key] = self._prepare(shares)
        return self._prepared[key]

    def _prepare(self, shares: Mapping[str, float]) -> _Weighted:
        squares, mean, variance = (np.zeros(self.songs, np.float32) for _ in range(3))
        columns = np.zeros(self.points.shape[1], np.float32)
        for name, share in shares.items():
            block = self._blocks[name]
            columns[self.places[name]] = share
            squares += np.float32(share) * block.squares
            mean += np.float32(share) * block.mean
            variance += np.float32(share**2) * block.variance
        deviation = np.sqrt(variance + np.float32(_LEAST_VARIANCE))
        first, last = np.flatnonzero(columns)[[0, -1]].tolist()
        near = np.asarray(ndtr(mean / deviation), np.float32)
        return _Weighted(columns, first, last + 1, squares, mean, deviation, near)

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


def occurrence_skew(neighbours: np.ndarray, songs: int) -> float:
    """Measure hubness: the skewness of how often songs occur among others' neighbours (Radovanovic et al. 2010).

    Args:
        neighbours: ``(songs, k)`` places.
        songs: number of songs.
    """
    counts = np.bincount(np.asarray(neighbours).ravel(), minlength=songs).astype(float)
    deviation = counts.std()
    return float(((counts - counts.mean()) ** 3).mean() / deviation**3) if deviation > 0 else 0.0
