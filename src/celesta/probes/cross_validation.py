"""Cross-validate a probe on feature vectors: predictions of every test row, scores and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from celesta.errors import DataError
from celesta.probes import splits as splitting
from celesta.probes import statistics
from celesta.probes.estimators import Tagger
from celesta.probes.estimators import probe as make_probe
from celesta.probes.scaling import Blocks
from celesta.probes.splits import Split

_TAG_RESAMPLES = 500
_TAG_PERMUTATIONS = 300
SEEDS = (0, 1, 2, 3, 4)
"""Of repeated folds."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is predicted, and which rows train and test.

    Attributes:
        name: such as ``P4``.
        labels: ``(n,)`` one class a row; for tags ``(n, tags)`` bool.
        classes: names of classes or tags, sorted.
        groups: ``(n,)`` names of what splits keep whole and intervals resample, such as artists.
        splits: folds; all folds of one seed are a repetition.
        metric: the score that decides, of :data:`celesta.probes.statistics.METRICS`, or ``ROC-AUC`` for tags.
        flag: what is wrong with it, in words; "" for an honest one.
        about: one sentence.
    """

    name: str
    labels: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray
    splits: Sequence[Split]
    metric: str = "macro-F1"
    flag: str = ""
    about: str = ""

    @property
    def tagging(self) -> bool:
        """Whether a row may have several labels."""
        return self.labels.ndim == 2


@dataclass(frozen=True, eq=False)
class Result:
    """Predictions of one method on one set of features.

    Attributes:
        task: that was run.
        features: name of the features.
        probe: name of the probe, or of another method.
        rows: ``(m,)`` rows of the task that were scored.
        probabilities: ``(repetitions, m, classes)``; a tag's are independent of the others'.
        choices: how often each candidate was chosen by the inner folds.
    """

    task: Task
    features: str
    probe: str
    rows: np.ndarray
    probabilities: np.ndarray
    choices: dict[str, int]

    def __repr__(self) -> str:
        """Name task, features and probe in one short line."""
        return f"<Result {self.task.name}: {self.probe} on {self.features}, {len(self.rows)} songs>"

    @property
    def truth(self) -> np.ndarray:
        """``(m,)`` indices of classes, or ``(m, tags)`` bool."""
        labels: np.ndarray = self.task.labels[self.rows]
        if self.task.tagging:
            return labels
        order = np.argsort(self.task.classes)
        indices: np.ndarray = order[np.searchsorted(np.array(self.task.classes), labels, sorter=order)]
        return indices

    @property
    def groups(self) -> np.ndarray:
        """``(m,)`` indices of groups from 0."""
        indices: np.ndarray = np.unique(self.task.groups[self.rows], return_inverse=True)[1]
        return indices

    @property
    def counts(self) -> np.ndarray:
        """Confusion counts ``(groups, classes, classes)``, averaged over repetitions."""
        predicted = self.probabilities.argmax(-1)
        return statistics.confusion_by_group(self.truth, predicted, self.groups, len(self.task.classes))

    @property
    def per_class(self) -> dict[str, np.ndarray]:
        """Precision, recall, F1 and support, ``(classes,)`` each; for single labels only."""
        return statistics.per_class(self.counts.sum(0))

    @property
    def score(self) -> float:
        """The score that decides."""
        return float(self.row()["score"])

    def row(self) -> dict[str, Any]:
        """Return a line of a table: all scores, and a 95 % interval over groups of the one that decides."""
        return dict(self._row)

    @cached_property
    def _row(self) -> dict[str, Any]:
        """Computed once: the intervals take seconds, and tables, figures and JSON all need them."""
        task = self.task
        head = {"protocol": task.name, "features": self.features, "probe": str(self.probe), "songs": len(self.rows)}
        head |= {"groups": int(self.groups.max()) + 1, "metric": task.metric}
        mean = self.probabilities.mean(0)
        if task.tagging:
            return head | tag_scores(self.truth, mean, self.groups) | {"choices": self.choices}
        counts = self.counts
        low, high = statistics.interval(counts, task.metric)
        scores = {name: float(metric(counts.sum(0))) for name, metric in statistics.METRICS.items()}
        return head | {
            "score": scores[task.metric],
            "low": low,
            "high": high,
            **scores,
            "calibration error": statistics.calibration_error(self.truth, mean),
            "choices": self.choices,
        }


def cross_validate(
    X: np.ndarray,
    labels: Sequence[str] | np.ndarray,
    groups: Sequence[str] | np.ndarray | None = None,
    splits: Sequence[Split] | None = None,
    *,
    probe: str = "chosen",
    folds: int = 5,
    seeds: Sequence[int] = SEEDS,
    metric: str = "macro-F1",
    blocks: Blocks | None = None,
    features: str = "features",
) -> Result:
    """Score a probe on feature vectors of songs; ``.row()`` of the result holds the scores.

    Args:
        X: ``(n, D)`` vectors.
        labels: ``(n,)`` names of classes.
        groups: ``(n,)`` what no fold may tear, such as artists; None for every song its own.
        splits: rows that train and test; None for repeated stratified folds that keep groups whole.
        probe: see :func:`celesta.probes.estimators.probe`.
        folds: number of folds where ``splits`` is None, at least 2.
        seeds: one repetition of the folds each.
        metric: the score that decides, of :data:`celesta.probes.statistics.METRICS`.
        blocks: of the vectors, see :class:`celesta.probes.scaling.BlockScaler`.
        features: their name, for tables.

    Raises:
        DataError: vectors, labels and groups differ in number, or a class has fewer groups than there are folds.

    Example:
        >>> import numpy as np
        >>> X, labels = np.repeat(np.eye(2), 6, axis=0), ["jazz"] * 6 + ["rock"] * 6
        >>> cross_validate(X, labels, probe="lr", folds=3, seeds=[0]).row()["accuracy"]
        1.0
    """
    names = np.asarray(labels).astype(str)
    codes = np.arange(len(names)).astype(str) if groups is None else np.asarray(groups).astype(str)
    if len(codes) != len(names):
        raise DataError(f"{len(names)} labels and {len(codes)} groups do not match")
    parts = splitting.grouped(names, codes, folds, seeds) if splits is None else splits
    about = f"{folds} folds grouped by the groups given." if splits is None else ""
    task = Task("songs", names, tuple(np.unique(names).tolist()), codes, parts, metric, "", about)
    return run(task, np.asarray(X), probe, features=features, blocks=blocks)


def run(
    task: Task, X: np.ndarray, probe: str = "chosen", *, features: str = "features", blocks: Blocks | None = None
) -> Result:
    """Fit a probe on the training rows of every split and predict its test rows.

    Args:
        task: labels, groups and splits.
        X: ``(n, D)`` vectors, a row for each of the task's.
        probe: see :func:`celesta.probes.estimators.probe`; for tags always :class:`celesta.probes.estimators.Tagger`.
        features: their name, for tables.
        blocks: of the vectors.

    Raises:
        DataError: the number of vectors is not the task's, or they are not finite.
    """
    if X.ndim != 2 or len(X) != len(task.labels):
        raise DataError(f"{task.name}: vectors of shape {X.shape} do not fit {len(task.labels)} tracks")
    if not np.isfinite(X).all():
        raise DataError(f"{task.name}: {features} hold NaN or infinite numbers; extract them again")
    return joined(task, features, probe, [_predict_fold(task, X, probe, split, blocks) for split in task.splits])


def joined(task: Task, features: str, probe: str, predictions: Sequence[tuple[np.ndarray, str]]) -> Result:
    """Join the predictions of all splits to one result.

    Args:
        task: whose splits they are.
        features: their name.
        probe: its name.
        predictions: probabilities ``(test, classes)`` of each split, and which candidate made them.
    """
    seeds = list(dict.fromkeys(split.seed for split in task.splits))
    rows = np.unique(np.concatenate([split.test for split in task.splits]))
    place = {int(row): i for i, row in enumerate(rows)}
    probabilities = np.zeros((len(seeds), len(rows), len(task.classes)))
    choices: dict[str, int] = {}
    for split, (found, chosen) in zip(task.splits, predictions, strict=True):
        probabilities[seeds.index(split.seed), [place[int(row)] for row in split.test]] = found
        choices[chosen] = choices.get(chosen, 0) + 1
    return Result(task, features, probe, rows, probabilities, choices)


def _predict_fold(task: Task, X: np.ndarray, probe: str, split: Split, blocks: Blocks | None) -> tuple[np.ndarray, str]:
    """Probabilities ``(test, classes)`` and which candidate made them."""
    train, test = split.train, split.test
    if task.tagging:
        return Tagger(blocks).fit(X[train], task.labels[train]).predict_proba(X[test]), "tagger"
    model = make_probe(probe, split.seed, blocks).fit(X[train], task.labels[train], task.groups[train])
    probabilities = np.zeros((len(test), len(task.classes)))
    probabilities[:, np.searchsorted(np.array(task.classes), model.classes_)] = model.predict_proba(X[test])
    return probabilities, model.chosen_


def tag_scores(
    truth: np.ndarray, found: np.ndarray, groups: np.ndarray, resamples: int = _TAG_RESAMPLES
) -> dict[str, float]:
    """Compute macro ROC-AUC and PR-AUC of tags, each with its 95 % interval over groups.

    Args:
        truth: ``(n, tags)`` bool.
        found: ``(n, tags)`` probabilities.
        groups: ``(n,)`` indices of groups from 0.
        resamples: of the bootstrap.
    """
    weights = statistics.bootstrap_weights(int(groups.max()) + 1, resamples)[:, groups]
    scores: dict[str, float] = {}
    for label, metric in (("score", statistics.roc_auc), ("PR-AUC", statistics.pr_auc)):
        tags = range(truth.shape[1])
        scores[label] = float(np.mean([metric(truth[:, i], found[:, i])[0] for i in tags]))
        resampled = np.nanmean([metric(truth[:, i], found[:, i], weights) for i in tags], axis=0)
        low, high = statistics.central_95(resampled)
        prefix = "" if label == "score" else f"{label} "
        scores |= {f"{prefix}low": low, f"{prefix}high": high}
    return scores | {"ROC-AUC": scores["score"]}


def compare(a: Result, b: Result) -> float:
    """Compute the two-sided p-value that two results of one task do not differ, exchanging whole groups.

    The statistic is the task's metric, for tags macro ROC-AUC.

    Raises:
        DataError: the results are of other songs.
    """
    if a.task.name != b.task.name or not np.array_equal(a.rows, b.rows):
        raise DataError(f"{a.task.name} and {b.task.name}: only results of the same songs can be compared")
    if not a.task.tagging:
        return statistics.permutation_p(a.counts, b.counts, a.task.metric)
    rng = np.random.default_rng(0)
    one, other, truth, groups = a.probabilities.mean(0), b.probabilities.mean(0), a.truth, a.groups

    def difference(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean([
            statistics.roc_auc(truth[:, i], x[:, i])[0] - statistics.roc_auc(truth[:, i], y[:, i])[0]
            for i in range(truth.shape[1])
        ]))  # fmt: skip

    observed, hits = abs(difference(one, other)), 0
    for _ in range(_TAG_PERMUTATIONS):
        swap = rng.integers(0, 2, int(groups.max()) + 1)[groups][:, None].astype(bool)
        hits += abs(difference(np.where(swap, other, one), np.where(swap, one, other))) >= observed - 1e-12
    return (hits + 1) / (_TAG_PERMUTATIONS + 1)
