"""A protocol run on features: predictions of every test row, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from celesta.errors import DataError
from celesta.probes import statistics
from celesta.probes.estimators import Blocks, Tagger
from celesta.probes.estimators import probe as make_probe
from celesta.probes.protocols import Protocol


@dataclass(frozen=True, eq=False)
class Result:
    """Predictions of one probe on one kind of features under one protocol.

    Attributes:
        protocol: that was run.
        features: name of the features.
        probe: name of the probe.
        rows: ``(m,)`` rows of the protocol's tracks that were scored.
        probabilities: ``(repetitions, m, classes)``; a tag's are independent of the others'.
        choices: how often each candidate was chosen by the inner folds.
    """

    protocol: Protocol
    features: str
    probe: str
    rows: np.ndarray
    probabilities: np.ndarray
    choices: dict[str, int]

    @property
    def truth(self) -> np.ndarray:
        """``(m,)`` numbers of classes, or ``(m, tags)`` bool."""
        labels: np.ndarray = self.protocol.labels[self.rows]
        if self.protocol.tagging:
            return labels
        numbers: np.ndarray = np.searchsorted(np.array(self.protocol.classes), labels)
        return numbers

    @property
    def groups(self) -> np.ndarray:
        """``(m,)`` numbers of groups from 0."""
        numbers: np.ndarray = np.unique(self.protocol.groups[self.rows], return_inverse=True)[1]
        return numbers

    @property
    def counts(self) -> np.ndarray:
        """Confusion counts ``(groups, classes, classes)``, averaged over repetitions."""
        predicted = self.probabilities.argmax(-1)
        return statistics.confusion_by_group(self.truth, predicted, self.groups, len(self.protocol.classes))

    def row(self) -> dict[str, Any]:
        """A line of the table: scores with the interval of the one that counts."""
        return dict(self._row)

    @cached_property
    def _row(self) -> dict[str, Any]:
        """Kept, for its intervals take seconds and tables, figures and JSON all ask for it."""
        mean = self.probabilities.mean(0)
        head = {"protocol": self.protocol.name, "features": self.features, "probe": self.probe, "songs": len(self.rows)}
        head |= {"groups": int(self.groups.max()) + 1, "metric": self.protocol.metric}
        if self.protocol.tagging:
            return head | tag_scores(self.truth, mean, self.groups) | {"choices": self.choices}
        counts = self.counts
        low, high = statistics.interval(counts, self.protocol.metric)
        made = {name: float(metric(counts.sum(0))) for name, metric in statistics.METRICS.items()}
        return head | {
            "score": made[self.protocol.metric],
            "low": low,
            "high": high,
            **made,
            "calibration error": statistics.calibration_error(self.truth, mean),
            "choices": self.choices,
        }


def run(
    protocol: Protocol,
    X: np.ndarray,
    probe: str = "chosen",
    *,
    name: str = "features",
    blocks: Blocks | None = None,
) -> Result:
    """Fit a probe in every fold, predict its test rows.

    Args:
        protocol: see :mod:`celesta.probes.protocols`.
        X: ``(n, D)`` vectors of ``protocol.tracks``.
        probe: see :func:`celesta.probes.estimators.probe`; for tags always :class:`celesta.probes.estimators.Tagger`.
        name: of the features, for tables.
        blocks: of the vectors.

    Raises:
        DataError: vectors do not match the tracks, or are not finite.
    """
    if X.ndim != 2 or len(X) != len(protocol.tracks):
        raise DataError(f"{protocol.name}: vectors of shape {X.shape} do not fit {len(protocol.tracks)} tracks")
    if not np.isfinite(X).all():
        raise DataError(f"{protocol.name}: {name} hold NaN or infinite numbers; extract them again")
    answers = [_fold(protocol, X, probe, split.train, split.test, split.seed, blocks) for split in protocol.splits]
    return joined(protocol, name, probe, answers)


def joined(protocol: Protocol, name: str, probe: str, answers: Sequence[tuple[np.ndarray, str]]) -> Result:
    """One result of what was answered in every fold.

    Args:
        protocol: whose folds they are.
        name: of the features.
        probe: its name.
        answers: probabilities ``(test, classes)`` of each split, and which candidate made them.
    """
    seeds = list(dict.fromkeys(split.seed for split in protocol.splits))
    rows = np.unique(np.concatenate([split.test for split in protocol.splits]))
    place = {int(row): i for i, row in enumerate(rows)}
    probabilities = np.zeros((len(seeds), len(rows), len(protocol.classes)))
    choices: dict[str, int] = {}
    for split, (found, chosen) in zip(protocol.splits, answers, strict=True):
        probabilities[seeds.index(split.seed), [place[int(row)] for row in split.test]] = found
        choices[chosen] = choices.get(chosen, 0) + 1
    return Result(protocol, name, probe, rows, probabilities, choices)


def _fold(
    protocol: Protocol,
    X: np.ndarray,
    probe: str,
    train: np.ndarray,
    test: np.ndarray,
    seed: int,
    blocks: Blocks | None,
) -> tuple[np.ndarray, str]:
    """Probabilities ``(test, classes)`` and which candidate made them."""
    made = np.zeros((len(test), len(protocol.classes)))
    if protocol.tagging:
        return Tagger(blocks).fit(X[train], protocol.labels[train]).predict_proba(X[test]), "tagger"
    model = make_probe(probe, seed, blocks).fit(X[train], protocol.labels[train], protocol.groups[train])
    made[:, np.searchsorted(np.array(protocol.classes), model.classes_)] = model.predict_proba(X[test])
    return made, model.chosen_


def tag_scores(truth: np.ndarray, found: np.ndarray, groups: np.ndarray, resamples: int = 500) -> dict[str, float]:
    """Macro ROC-AUC and PR-AUC of tags with the interval of both over groups.

    Args:
        truth: ``(n, tags)`` bool.
        found: ``(n, tags)`` probabilities.
        groups: ``(n,)`` numbers of groups from 0.
        resamples: of the bootstrap.
    """
    count = int(groups.max()) + 1
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=resamples)[:, groups]
    made: dict[str, float] = {}
    for label, metric in (("score", statistics.roc_auc), ("PR-AUC", statistics.pr_auc)):
        columns = range(truth.shape[1])
        made[label] = float(np.mean([metric(truth[:, i], found[:, i])[0] for i in columns]))
        drawn = np.nanmean([metric(truth[:, i], found[:, i], weights) for i in columns], axis=0)
        low, high = np.percentile(drawn, [2.5, 97.5])
        prefix = "" if label == "score" else f"{label} "
        made |= {f"{prefix}low": float(low), f"{prefix}high": float(high)}
    return made | {"ROC-AUC": made["score"]}


def compare(a: Result, b: Result) -> float:
    """Two-sided p-value that two results of one protocol are alike, whole groups exchanged; for tags on ROC-AUC.

    Raises:
        DataError: the results are of other songs.
    """
    if a.protocol.name != b.protocol.name or not np.array_equal(a.rows, b.rows):
        raise DataError(f"{a.protocol.name} and {b.protocol.name}: only results of the same songs can be compared")
    if not a.protocol.tagging:
        return statistics.permutation_p(a.counts, b.counts, a.protocol.metric)
    rng = np.random.default_rng(0)
    one, other, truth, groups = a.probabilities.mean(0), b.probabilities.mean(0), a.truth, a.groups

    def difference(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean([
            statistics.roc_auc(truth[:, i], x[:, i])[0] - statistics.roc_auc(truth[:, i], y[:, i])[0]
            for i in range(truth.shape[1])
        ]))  # fmt: skip

    observed, hits, draws = abs(difference(one, other)), 0, 300
    for _ in range(draws):
        swap = rng.integers(0, 2, int(groups.max()) + 1)[groups][:, None].astype(bool)
        hits += abs(difference(np.where(swap, other, one), np.where(swap, one, other))) >= observed - 1e-12
    return (hits + 1) / (draws + 1)
