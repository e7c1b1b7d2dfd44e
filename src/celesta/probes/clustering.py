"""Songs grouped without their labels, and how well the groups fit the labels.

Source: seed report, section 5: standardise, PCA to 2 components, K-Means, Gaussian mixture and hierarchical clustering,
scored by ARI and AMI. Spectral clustering, V-measure and spaces of more components are ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, v_measure_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.mixture import GaussianMixture

from celesta.errors import DataError, UsageError
from celesta.probes.scaling import Blocks, BlockScaler

METHODS = ("kmeans", "gmm", "ward", "spectral")
SPACES: tuple[int | None, ...] = (2, 20, None)


@dataclass(frozen=True, eq=False)
class Clustering:
    """One clustering of ``n`` songs against their labels.

    Attributes:
        method: one of :data:`METHODS`.
        groups: how many were asked for.
        pca: components that were clustered; None for all standardised numbers.
        seed: of the method's starts.
        assignment: ``(n,)`` int64, group of each song, from 0.
        coordinates: ``(n, 2)`` float64, the first two principal components, to draw.
        ari: adjusted Rand index, 0 by chance, 1 for the labels themselves.
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
    ari: float
    ami: float
    v_measure: float
    explained: float

    @property
    def space(self) -> str:
        """What was clustered, in words: ``PCA(2)`` or ``no PCA``."""
        return "no PCA" if self.pca is None else f"PCA({self.pca})"

    def row(self) -> dict[str, str | int | float]:
        """The line of a table: everything but the songs."""
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
    labels: Sequence[str] | np.ndarray,
    method: str = "kmeans",
    *,
    groups: int | None = None,
    pca: int | None = 2,
    seed: int = 0,
    blocks: Blocks | None = None,
) -> Clustering:
    """Cluster songs by their vectors; the labels only score the result and tell the number of groups if None.

    Args:
        X: ``(songs, size)`` one vector a song.
        labels: ``(songs,)`` names, such as genres.
        method: one of :data:`METHODS`.
        groups: number of groups; None for as many as there are labels.
        pca: components to cluster; None for all standardised numbers.
        seed: of the method's starts.
        blocks: of the vectors, see :class:`celesta.probes.scaling.BlockScaler`.

    Raises:
        DataError: shapes do not match, numbers are not finite, or there are fewer than two songs a group.
        UsageError: an unknown method, or more components than songs or numbers.
    """
    return _one(_prepared(X, labels, blocks), method, groups, pca, seed)


def sweep(
    X: np.ndarray,
    labels: Sequence[str] | np.ndarray,
    *,
    methods: Sequence[str] = METHODS,
    spaces: Sequence[int | None] = SPACES,
    groups: int | None = None,
    seeds: Sequence[int] = (0,),
    blocks: Blocks | None = None,
) -> list[Clustering]:
    """Every method in every space with every seed, in that order; spaces larger than the vectors are left out.

    Raises:
        DataError, UsageError: as :func:`cluster`.
    """
    songs = _prepared(X, labels, blocks)
    fitting = [pca for pca in spaces if pca is None or pca <= min(songs.standard.shape)]
    return [_one(songs, method, groups, pca, seed) for pca, method, seed in itertools.product(fitting, methods, seeds)]


class _Songs(NamedTuple):
    """What every method and space starts from: it costs more than most of them."""

    names: np.ndarray
    standard: np.ndarray
    components: np.ndarray
    shares: np.ndarray


def _prepared(X: np.ndarray, labels: Sequence[str] | np.ndarray, blocks: Blocks | None) -> _Songs:
    names = np.asarray(labels).astype(str)
    if np.ndim(X) != 2 or len(X) != len(names) or np.shape(X)[1] == 0:
        raise DataError(f"cluster: vectors of shape {np.shape(X)} do not fit {len(names)} labels")
    if not np.isfinite(X).all():
        song = int(np.argmin(np.isfinite(X).all(axis=1)))
        raise DataError(f"cluster: the vector of song {song} holds NaN or infinite numbers; extract it again")
    if len(X) < 4:
        raise DataError(f"cluster: {len(X)} songs are too few for 2 groups; give at least 4")
    standard = BlockScaler(blocks).fit_transform(np.asarray(X, np.float64))
    return _Songs(names, standard, *_components(standard))


def _one(songs: _Songs, method: str, groups: int | None, pca: int | None, seed: int) -> Clustering:
    if method not in METHODS:
        raise UsageError(f"cluster: method must be one of {', '.join(METHODS)}, got {method!r}")
    wanted = len(np.unique(songs.names)) if groups is None else groups
    count, size = songs.standard.shape
    if wanted < 2:
        raise DataError(f"cluster: it needs two or more groups, got {wanted}; give more labels or a number of groups")
    if count < 2 * wanted:
        raise DataError(f"cluster: {count} songs are too few for {wanted} groups; give at least {2 * wanted}")
    if pca is not None and not 1 <= pca <= min(count, size):
        raise UsageError(f"cluster: pca must be 1 to {min(count, size)} for vectors of shape {count, size}, got {pca}")
    # All components lie as far apart as the numbers themselves, and are far fewer; only mixtures see their axes.
    space = songs.standard if pca is None and method == "gmm" else songs.components[:, :pca]
    assignment = _assign(space, method, wanted, seed)
    return Clustering(
        method=method,
        groups=wanted,
        pca=pca,
        seed=seed,
        assignment=assignment,
        coordinates=_two(songs.components),
        ari=float(adjusted_rand_score(songs.names, assignment)),
        ami=float(adjusted_mutual_info_score(songs.names, assignment)),
        v_measure=float(v_measure_score(songs.names, assignment)),
        explained=1.0 if pca is None else float(songs.shares[:pca].sum()),
    )


def _components(standard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All principal components of the songs and the share of variance of each; signs do not depend on the machine."""
    pca = PCA(svd_solver="full").fit(standard)
    # Vectors that are all alike have no variance to share.
    return pca.transform(standard), np.nan_to_num(pca.explained_variance_ratio_)


def _two(components: np.ndarray) -> np.ndarray:
    """The first two components, the second zero where there is only one."""
    return np.pad(components[:, :2], ((0, 0), (0, max(0, 2 - components.shape[1]))))


def _assign(space: np.ndarray, method: str, groups: int, seed: int) -> np.ndarray:
    """Group of each row of ``(n, d)``."""
    n, d = space.shape
    if method == "kmeans":
        found = KMeans(groups, n_init=20, random_state=seed).fit_predict(space)
    elif method == "gmm":
        # Full covariances only where the songs can tell them; more numbers than songs fit anything.
        covariance = "full" if groups * d * (d + 1) / 2 <= n else "diag"
        model = GaussianMixture(groups, covariance_type=covariance, reg_covar=1e-4, n_init=5, random_state=seed)
        found = model.fit_predict(space)
    elif method == "ward":
        found = AgglomerativeClustering(groups, linkage="ward").fit_predict(space)
    else:
        model = SpectralClustering(groups, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
        found = model.fit_predict(_affinity(space))
    return np.asarray(found, np.int64)


def _affinity(space: np.ndarray, neighbour: int = 7) -> np.ndarray:
    """Likeness ``(n, n)`` of songs, scaled to how dense each song's surroundings are.

    Source: Zelnik-Manor & Perona 2004, "Self-Tuning Spectral Clustering", section 2 (the 7th neighbour).
    """
    distance = euclidean_distances(space)
    scale = np.sort(distance, axis=1)[:, min(neighbour, len(space) - 1)]
    spread = np.maximum(np.outer(scale, scale), 1e-12)
    # A floor keeps the graph in one piece, which the method's eigenvectors need.
    affinity: np.ndarray = np.maximum(np.exp(-(distance**2) / spread), 1e-9)
    return affinity
