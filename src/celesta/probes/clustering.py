"""Cluster songs by their feature vectors, and score the clusters by labels where there are any.

Source: Grinblat, Mazzarello & Migdal 2024, "TP4 TDVI", section 5: standardise, PCA to 2 components, K-Means, Gaussian
mixture and hierarchical clustering, scored by ARI and AMI. Spectral clustering, V-measure, spaces of more components
and the choice of the number of clusters are ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, silhouette_score, v_measure_score

from celesta.errors import DataError, UsageError
from celesta.probes.cluster_methods import METHODS, assign
from celesta.probes.scaling import Blocks, BlockScaler

SPACES: tuple[int | None, ...] = (2, 20, None)
"""Numbers of principal components; None for all features."""
LEAST_SONGS = 3
MOST_GROUPS = 10
"""Largest number of clusters that is tried where none is given."""
_GROUPING_COMPONENTS = 20
_SILHOUETTE_SONGS = 2_000
"""Songs that a silhouette is computed on: its cost grows with their square."""


@dataclass(frozen=True, eq=False)
class Clustering:
    """One clustering of ``n`` songs.

    Attributes:
        method: one of :data:`METHODS`.
        groups: number of clusters asked for.
        pca: number of components that were clustered; None for all standardised features.
        seed: of the method's random starts.
        assignment: ``(n,)`` int64, cluster of each song, from 0.
        coordinates: ``(n, 2)`` float64, the first two principal components, to draw.
        ari: adjusted Rand index, 0 by chance, 1 for the labels themselves; None without labels.
        ami: adjusted mutual information, likewise.
        v_measure: harmonic mean of homogeneity and completeness, 0 to 1, not adjusted for chance.
        explained: share of the standardised variance that the clustered space holds.
    """

    method: str
    groups: int
    pca: int | None
    seed: int
    assignment: np.ndarray
    coordinates: np.ndarray
    ari: float | None
    ami: float | None
    v_measure: float | None
    explained: float

    @property
    def space(self) -> str:
        """Name of what was clustered: ``PCA(2)`` or ``no PCA``."""
        return "no PCA" if self.pca is None else f"PCA({self.pca})"

    @property
    def name(self) -> str:
        """Method and space, such as ``kmeans, PCA(2)``."""
        return f"{self.method}, {self.space}"

    def row(self) -> dict[str, str | int | float | None]:
        """Return the line of a table: everything but the songs."""
        return {
            "method": self.method,
            "space": self.space,
            "groups": self.groups,
            "seed": self.seed,
            "ari": self.ari,
            "ami": self.ami,
            "v_measure": self.v_measure,
            "explained": self.explained,
        }


def cluster(
    X: np.ndarray,
    labels: Sequence[str] | np.ndarray | None = None,
    method: str = "kmeans",
    *,
    groups: int | None = None,
    pca: int | None = 2,
    seed: int = 0,
    blocks: Blocks | None = None,
) -> Clustering:
    """Cluster songs by their vectors; labels only score the result.

    Args:
        X: ``(songs, D)`` one vector a song.
        labels: ``(songs,)`` names, such as genres; "" where a song has none. None for no scores.
        method: one of :data:`METHODS`.
        groups: number of clusters; None for as many as there are labels, without labels :func:`choose_groups`.
        pca: number of components to cluster; None for all standardised features.
        seed: of the method's random starts.
        blocks: of the vectors, see :class:`celesta.probes.scaling.BlockScaler`.

    Raises:
        DataError: shapes do not match, vectors are not finite, or there are too few songs.
        UsageError: an unknown method, or more components than songs or features.

    Example:
        >>> import numpy as np
        >>> X = np.repeat([[0.0, 1.0], [5.0, 9.0]], 3, axis=0)
        >>> found = cluster(X, ["a", "a", "a", "b", "b", "b"])
        >>> found.groups, round(found.ari, 3)
        (2, 1.0)
    """
    songs = _prepare(X, labels, blocks)
    return _cluster(songs, method, _number(songs, groups), pca, seed)


def sweep(
    X: np.ndarray,
    labels: Sequence[str] | np.ndarray | None = None,
    *,
    methods: Sequence[str] = METHODS,
    spaces: Sequence[int | None] = SPACES,
    groups: int | None = None,
    seeds: Sequence[int] = (0,),
    blocks: Blocks | None = None,
) -> list[Clustering]:
    """Cluster by every method in every space with every seed, in that order; spaces larger than the data are skipped.

    Raises:
        DataError, UsageError: as :func:`cluster`.
    """
    songs = _prepare(X, labels, blocks)
    number = _number(songs, groups)
    fitting = [pca for pca in spaces if pca is None or pca <= min(songs.standard.shape)]
    combinations = itertools.product(fitting, methods, seeds)
    return [_cluster(songs, method, number, pca, seed) for pca, method, seed in combinations]


def choose_groups(X: np.ndarray, *, most: int = MOST_GROUPS, seed: int = 0, blocks: Blocks | None = None) -> int:
    """Choose the number of clusters with the largest mean silhouette of K-Means on 20 principal components.

    Source: Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis".

    Args:
        X: ``(songs, D)``, at least 3 songs.
        most: largest number tried.
        seed: of K-Means, and of the songs that are compared where there are many.
        blocks: of the vectors.

    Raises:
        DataError: there are fewer than 3 songs, or vectors are not finite.
    """
    return _choose(_prepare(X, None, blocks), most, seed)


class _Songs(NamedTuple):
    """What every method and space starts from; it takes longer than most of them."""

    names: np.ndarray | None
    standard: np.ndarray
    components: np.ndarray
    shares: np.ndarray


def _prepare(X: np.ndarray, labels: Sequence[str] | np.ndarray | None, blocks: Blocks | None) -> _Songs:
    names = None if labels is None else np.asarray(labels).astype(str)
    if np.ndim(X) != 2 or np.shape(X)[1] == 0:
        raise DataError(f"cluster: vectors must have the shape (songs, features), got {np.shape(X)}")
    if names is not None and len(X) != len(names):
        raise DataError(f"cluster: vectors of shape {np.shape(X)} do not fit {len(names)} labels")
    if not np.isfinite(X).all():
        song = int(np.argmin(np.isfinite(X).all(axis=1)))
        raise DataError(f"cluster: the vector of song {song} holds NaN or infinite numbers; extract it again")
    if len(X) < LEAST_SONGS:
        raise DataError(f"cluster: {len(X)} songs are too few; give at least {LEAST_SONGS}")
    standard = BlockScaler(blocks).fit_transform(np.asarray(X, np.float64))
    labelled = names is not None and bool((names != "").any())
    return _Songs(names if labelled else None, standard, *_components(standard))


def _number(songs: _Songs, groups: int | None) -> int:
    """The number of clusters: given, that of the labels, or chosen by silhouettes."""
    count = len(songs.standard)
    if groups is not None:
        number = groups
    elif songs.names is None:
        return _choose(songs, MOST_GROUPS, 0)
    else:
        number = len(np.unique(songs.names[songs.names != ""]))
    if number < 2:
        raise DataError(f"cluster: at least two clusters are needed, got {number}; give more labels or a number")
    if number >= count:
        raise DataError(f"cluster: {count} songs are too few for {number} clusters; give at least {number + 1}")
    return number


def _choose(songs: _Songs, most: int, seed: int) -> int:
    space = songs.components[:, :_GROUPING_COMPONENTS]
    best, number = -np.inf, 2
    for k in range(2, min(most, len(space) - 1) + 1):
        assignment = assign(space, "kmeans", k, seed)
        if len(np.unique(assignment)) < k:
            break  # there are fewer distinct songs
        sample = min(_SILHOUETTE_SONGS, len(space)) if len(space) > _SILHOUETTE_SONGS else None
        score = silhouette_score(space, assignment, sample_size=sample, random_state=seed)
        if score > best:
            best, number = score, k
    return number


def _cluster(songs: _Songs, method: str, groups: int, pca: int | None, seed: int) -> Clustering:
    if method not in METHODS:
        raise UsageError(f"cluster: method must be one of {', '.join(METHODS)}, got {method!r}")
    count, size = songs.standard.shape
    if pca is not None and not 1 <= pca <= min(count, size):
        raise UsageError(f"cluster: pca must be 1 to {min(count, size)} for vectors of shape {count, size}, got {pca}")
    # All components have the distances of the features themselves, and are far fewer; only mixtures see their axes.
    space = songs.standard if pca is None and method == "gmm" else songs.components[:, :pca]
    assignment = assign(space, method, groups, seed)
    return Clustering(
        method=method,
        groups=groups,
        pca=pca,
        seed=seed,
        assignment=assignment,
        coordinates=_two(songs.components),
        ari=_score(adjusted_rand_score, songs.names, assignment),
        ami=_score(adjusted_mutual_info_score, songs.names, assignment),
        v_measure=_score(v_measure_score, songs.names, assignment),
        explained=1.0 if pca is None else float(songs.shares[:pca].sum()),
    )


def _score(
    measure: Callable[[np.ndarray, np.ndarray], float], names: np.ndarray | None, assignment: np.ndarray
) -> float | None:
    """A score of the songs that have labels; None without labels."""
    if names is None:
        return None
    labelled = names != ""
    return float(measure(names[labelled], assignment[labelled]))


def _components(standard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All principal components of the songs and the share of variance of each; signs do not depend on the machine."""
    pca = PCA(svd_solver="full")
    with np.errstate(invalid="ignore", divide="ignore"):
        pca.fit(standard)
    # Vectors that are all alike have no variance to share.
    return pca.transform(standard), np.nan_to_num(pca.explained_variance_ratio_)


def _two(components: np.ndarray) -> np.ndarray:
    """The first two components, the second zero where there is only one."""
    return np.pad(components[:, :2], ((0, 0), (0, max(0, 2 - components.shape[1]))))
