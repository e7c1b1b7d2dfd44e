"""Scores of predictions, bootstrap intervals over groups, and permutation tests.

Scores of classes are computed from confusion counts of each group (artist), so that resampling and exchanging whole
groups is a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 2_000
_BLOCK = 200
"""Resamples computed at a time, which bounds memory."""
PER_CLASS_HEAD = ("class", "precision", "recall", "F1", "support")


def confusion_by_group(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """Count confusions ``(groups, classes, classes)``, true classes in rows, averaged over repetitions.

    Args:
        truth: ``(n,)`` indices of classes.
        predicted: ``(repetitions, n)`` indices of classes.
        groups: ``(n,)`` indices of groups from 0.
        classes: number of classes.

    Example:
        >>> import numpy as np
        >>> confusion_by_group(np.array([0, 1]), np.array([[0, 0]]), np.array([0, 0]), 2).tolist()
        [[[1.0, 0.0], [1.0, 0.0]]]
    """
    counts = np.zeros((int(groups.max()) + 1, classes, classes))
    for one in predicted:
        np.add.at(counts, (groups, truth, one), 1 / len(predicted))
    return counts


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Compute the share of correct predictions of confusion matrices ``(..., classes, classes)``."""
    right: np.ndarray = np.trace(matrix, axis1=-2, axis2=-1) / np.maximum(matrix.sum((-2, -1)), 1e-12)
    return right


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Compute the mean recall of the classes that have songs."""
    songs = matrix.sum(-1)
    recall = _diagonal(matrix) / np.maximum(songs, 1e-12)
    mean: np.ndarray = recall.sum(-1) / np.maximum((songs > 0).sum(-1), 1)
    return mean


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Compute the mean F1 of the classes that have songs."""
    f1 = 2 * _diagonal(matrix) / np.maximum(matrix.sum(-1) + matrix.sum(-2), 1e-12)
    present = matrix.sum(-1) > 0
    mean: np.ndarray = (f1 * present).sum(-1) / np.maximum(present.sum(-1), 1)
    return mean


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": accuracy,
    "balanced accuracy": balanced_accuracy,
    "macro-F1": macro_f1,
}


def per_class(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Compute precision, recall, F1 and support, ``(classes,)`` each, of one confusion matrix."""
    right = _diagonal(matrix)
    precision = right / np.maximum(matrix.sum(0), 1e-12)
    recall = right / np.maximum(matrix.sum(1), 1e-12)
    f1 = 2 * right / np.maximum(matrix.sum(0) + matrix.sum(1), 1e-12)
    return {"precision": precision, "recall": recall, "f1": f1, "support": matrix.sum(1)}


def per_class_rows(classes: Sequence[str], matrix: np.ndarray) -> list[list[str]]:
    """Format the scores of each class as rows of a table under :data:`PER_CLASS_HEAD`."""
    scores = per_class(matrix)
    return [
        [name, *(f"{scores[k][i]:.2f}" for k in ("precision", "recall", "f1")), f"{scores['support'][i]:.0f}"]
        for i, name in enumerate(classes)
    ]


def bootstrap_weights(groups: int, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Draw groups with replacement: how often each counts, ``(resamples, groups)`` (cluster bootstrap).

    Source: Field & Welsh 2007, "Bootstrapping clustered data".
    """
    weights: np.ndarray = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)
    return weights


def central_95(resampled: np.ndarray) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of a statistic's resamples ``(n,)``."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def interval(counts: np.ndarray, metric: str, seed: int = 0) -> tuple[float, float]:
    """Compute the 95 % bootstrap interval of a metric over groups.

    Args:
        counts: ``(groups, classes, classes)`` of :func:`confusion_by_group`.
        metric: of :data:`METRICS`.
        seed: of the draws.
    """
    weights, flat = bootstrap_weights(len(counts), RESAMPLES, seed), counts.reshape(len(counts), -1)
    resampled = [
        METRICS[metric]((part @ flat).reshape(len(part), *counts.shape[1:]))
        for part in np.split(weights, RESAMPLES // _BLOCK)
    ]
    return central_95(np.concatenate(resampled))


def mean_interval(
    values: Sequence[float] | np.ndarray, seed: int = 0, draws: int = 1_000
) -> tuple[float, float, float]:
    """Compute a mean and its 95 % bootstrap interval: ``(mean, low, high)``.

    Example:
        >>> mean_interval([2.0, 2.0])
        (2.0, 2.0, 2.0)
    """
    x = np.asarray(values, float)
    resampled = x[np.random.default_rng(seed).integers(len(x), size=(draws, len(x)))].mean(axis=1)
    return float(x.mean()), *central_95(resampled)


def permutation_p(a: np.ndarray, b: np.ndarray, metric: str, seed: int = 0) -> float:
    """Compute the two-sided p-value that two models do not differ: predictions of whole groups are exchanged at random.

    Source: Good 2005, "Permutation, Parametric and Bootstrap Tests of Hypotheses", paired exchange.

    Args:
        a: ``(groups, classes, classes)`` of one model.
        b: of the other, on the same songs.
        metric: of :data:`METRICS`.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    measure = METRICS[metric]
    observed = abs(float(measure(a.sum(0)) - measure(b.sum(0))))
    flat_a, flat_b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    hits = 0
    for _ in range(RESAMPLES // _BLOCK):
        swap = rng.integers(0, 2, (_BLOCK, len(a)))
        one = (swap @ flat_b + (1 - swap) @ flat_a).reshape(_BLOCK, *a.shape[1:])
        other = (swap @ flat_a + (1 - swap) @ flat_b).reshape(_BLOCK, *a.shape[1:])
        hits += int(np.sum(np.abs(measure(one) - measure(other)) >= observed - 1e-12))
    return (hits + 1) / (RESAMPLES + 1)


def roc_auc(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Compute the area under the ROC curve for each weighting of the songs; ties count half.

    Args:
        truth: ``(n,)`` bool.
        scores: ``(n,)``.
        weights: ``(w, n)`` how often each song counts; None for once, one row.

    Returns:
        ``(w,)``; NaN where a side is empty.
    """
    w = np.ones((1, len(truth))) if weights is None else weights
    _, rank = np.unique(scores, return_inverse=True)
    levels = int(rank.max()) + 1
    positive, negative = (_by_level(w * side, rank, levels) for side in (truth, ~truth))
    below = np.cumsum(negative, axis=1) - negative
    pairs = (positive * (below + negative / 2)).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        area: np.ndarray = pairs / (positive.sum(1) * negative.sum(1))
    return area


def pr_auc(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Compute average precision, the step-wise area under precision against recall; arguments as :func:`roc_auc`."""
    w = np.ones((1, len(truth))) if weights is None else weights
    _, rank = np.unique(-scores, return_inverse=True)
    levels = int(rank.max()) + 1
    positive = _by_level(w * truth, rank, levels)
    everything = _by_level(w, rank, levels)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(np.cumsum(positive, axis=1) / np.cumsum(everything, axis=1))
        area: np.ndarray = (precision * positive).sum(1) / positive.sum(1)
    return area


def calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Compute the expected calibration error: the mean distance of confidence and accuracy over bins of confidence.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.

    Args:
        truth: ``(n,)`` indices of classes.
        probabilities: ``(n, classes)``.
        bins: of equal width.
    """
    sure, right = probabilities.max(1), probabilities.argmax(1) == truth
    where = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(sure[where == b].mean() - right[where == b].mean()) * np.mean(where == b) for b in np.unique(where)]
    return float(np.sum(gaps))


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _by_level(weights: np.ndarray, rank: np.ndarray, levels: int) -> np.ndarray:
    """Weights ``(w, n)`` summed by rank to ``(w, levels)``."""
    order = np.argsort(rank, kind="stable")
    starts = np.searchsorted(rank[order], np.arange(levels))
    summed: np.ndarray = np.add.reduceat(weights[:, order], starts, axis=1)
    return summed
