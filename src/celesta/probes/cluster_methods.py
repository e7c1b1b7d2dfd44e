"""The methods of clustering: K-Means, Gaussian mixture, Ward, spectral."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.cluster.hierarchy import ClusterWarning
from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.mixture import GaussianMixture

METHODS = ("kmeans", "gmm", "ward", "spectral")
_KMEANS_STARTS, _GMM_STARTS = 20, 5
_GMM_COVARIANCE = 1e-4
"""Added to variances of standardised features, so that a component of few songs does not collapse."""
_NEIGHBOUR = 7
"""Neighbour whose distance is a song's local scale in spectral clustering, after Zelnik-Manor & Perona."""
_LEAST_AFFINITY = 1e-9
"""A floor keeps the graph of songs connected, which the method's eigenvectors need."""


def assign(space: np.ndarray, method: str, groups: int, seed: int) -> np.ndarray:
    """Return the cluster ``(n,)`` of each row of ``(n, d)``, by one of :data:`METHODS`."""
    n, d = space.shape
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, ClusterWarning):  # fewer distinct songs than clusters
            warnings.simplefilter("ignore", category)
        if method == "kmeans":
            found = KMeans(groups, n_init=_KMEANS_STARTS, random_state=seed).fit_predict(space)
        elif method == "gmm":
            # Full covariances only where there are songs enough: more parameters than songs fit anything.
            covariance = "full" if groups * d * (d + 1) / 2 <= n else "diag"
            mixture = GaussianMixture(
                groups, covariance_type=covariance, reg_covar=_GMM_COVARIANCE, n_init=_GMM_STARTS, random_state=seed
            )
            found = mixture.fit_predict(space)
        elif method == "ward":
            found = AgglomerativeClustering(groups, linkage="ward").fit_predict(space)
        else:
            model = SpectralClustering(groups, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
            found = model.fit_predict(_affinity(space))
    return np.asarray(found, np.int64)


def _affinity(space: np.ndarray) -> np.ndarray:
    """Affinity ``(n, n)`` of songs, scaled by the local density around each.

    Source: Zelnik-Manor & Perona 2004, "Self-Tuning Spectral Clustering", section 2.
    """
    distance = euclidean_distances(space)
    scale = np.sort(distance, axis=1)[:, min(_NEIGHBOUR, len(space) - 1)]
    products = np.maximum(np.outer(scale, scale), 1e-12)
    affinity: np.ndarray = np.maximum(np.exp(-(distance**2) / products), _LEAST_AFFINITY)
    return affinity
