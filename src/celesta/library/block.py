"""One block of numbers of all songs: standardised, with statistics of the distances in closed form.

A block is standardised by the library's mean and standard deviation, shrunk towards those of a reference collection so
that thirty songs work as well as a hundred thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


class Block:
    """One block of all songs as points, with the mean and the variance of each song's distances to the others.

    Args:
        rows: ``(songs, D)``.
        reference: statistics of the block in a reference collection.
        points: ``(songs, D)`` float32, where the points are written to.
    """

    def __init__(self, rows: np.ndarray, reference: Reference | None, points: np.ndarray) -> None:
        self._fit(rows, reference)
        self.points = points
        for i in range(0, len(rows), _ROWS):
            points[i : i + _ROWS] = self.place(rows[i : i + _ROWS])
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
        mean = squares - 2 * (points @ self._centre.astype(np.float32)) + self._square_mean
        bilinear = np.concatenate(
            [
                np.einsum("ij,ij->i", some @ self._covariance.astype(np.float32), some)
                for some in np.array_split(points, max(1, len(points) // _ROWS))
            ]
        )
        crossed = points @ self._square_covariance.astype(np.float32)
        variance = self._square_variance - 4 * crossed.astype(np.float64) + 4 * bilinear
        return np.maximum(mean, 0), np.maximum(variance, 0)

    def _shrunk(self, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of few songs, each one's statistics are shrunk towards those of all songs."""
        share = _POOLED_SONGS / (_POOLED_SONGS + len(self.points))
        mean = (1 - share) * mean + share * self._pooled[0]
        return mean.astype(np.float32), ((1 - share) * variance + share * self._pooled[1]).astype(np.float32)
