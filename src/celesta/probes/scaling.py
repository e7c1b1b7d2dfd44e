"""Standardise feature vectors by blocks and rotate wide ones, as scikit-learn transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

Blocks = Sequence[tuple[int, float]]
"""Size and weight of each block of consecutive features."""

_CLIP = 8.0
"""Standard deviations at which a standardised feature is clipped: far outside of what a regular song reaches."""
_CONSTANT = 1e-8
"""Relative standard deviation below which a feature counts as constant: a few times float32's rounding."""
_RANK_TOLERANCE = 1e-9
"""Eigenvalues below this share of the largest are rounding errors of double precision."""


class BlockScaler(TransformerMixin, BaseEstimator):
    """Standardise each feature, then weight blocks of features.

    A block's share of the squared distance between songs is its weight squared, whatever its size. Constant features
    become 0.

    Args:
        blocks: size and weight of each block, in order; None for one block.

    Example:
        >>> import numpy as np
        >>> X = np.array([[1.0, 10.0], [3.0, 30.0]])
        >>> BlockScaler().fit_transform(X).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
    """

    def __init__(self, blocks: Blocks | None = None) -> None:
        self.blocks = blocks

    def fit(self, X: np.ndarray, y: Any = None) -> BlockScaler:
        """Compute mean and standard deviation of each column of ``(n, D)``."""
        X = np.asarray(X, np.float64)
        self.mean_ = X.mean(axis=0)
        deviation = X.std(axis=0)
        self.scale_ = np.where(deviation > _CONSTANT * (1 + np.abs(self.mean_)), deviation, np.inf)
        blocks = [(X.shape[1], 1.0)] if self.blocks is None else list(self.blocks)
        total = sum(weight**2 for _, weight in blocks)
        self.weight_ = np.concatenate([np.full(n, w * np.sqrt(X.shape[1] / (n * total))) for n, w in blocks])
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n, D)`` standardised, clipped at 8 standard deviations, and weighted.

        Clipping keeps one outlying feature from deciding a song's distances.
        """
        standard = np.clip((np.asarray(X, np.float64) - self.mean_) / self.scale_, -_CLIP, _CLIP)
        weighted: np.ndarray = standard * self.weight_
        return weighted


class Rotate(TransformerMixin, BaseEstimator):
    """Rotate vectors so that there are no more features than training rows; distances stay as they are.

    The rotation comes from the eigenvectors of the training rows' Gram matrix, which is much faster than a singular
    value decomposition where vectors are wide. Vectors narrower than the number of rows pass unchanged, and so do all
    where the training rows are zeros, as those of copies of one song are once they are standardised.
    """

    def fit(self, X: np.ndarray, y: Any = None) -> Rotate:
        """Compute the directions that the rows ``(n, D)`` span."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: np.ndarray, y: Any = None, **_: Any) -> np.ndarray:
        """Fit, and return the training rows ``(n, at most n)`` rotated, which costs no further product."""
        self.rows_: np.ndarray | None = None
        if X.shape[1] <= len(X) or not X.any():
            return X
        values, vectors = np.linalg.eigh(X @ X.T)
        spanned = values > _RANK_TOLERANCE * values[-1]
        lengths = np.sqrt(values[spanned])
        self.rows_, self.scaled_ = X, vectors[:, spanned] / lengths
        rotated: np.ndarray = vectors[:, spanned] * lengths
        return rotated

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Rotate ``(m, D)`` to ``(m, at most n)``."""
        if self.rows_ is None:
            return X
        # The basis is rows_.T @ scaled_; this order of products never builds it, since m is smaller than D.
        rotated: np.ndarray = (X @ self.rows_.T) @ self.scaled_
        return rotated
