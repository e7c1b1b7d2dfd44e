"""Train predictors of songs, and score them on other songs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from celesta.errors import DataError, warn
from celesta.features.extract import Features
from celesta.predict.moods import MOODS, are_moods, mood_words
from celesta.predict.predictor import Predictor, probabilities, song_hash
from celesta.probes import splits
from celesta.probes.cross_validation import Result, Task, cross_validate
from celesta.probes.scaling import Blocks, BlockScaler

__all__ = ["cross_validate", "evaluate", "train"]
STRENGTHS = (0.001, 0.003, 0.01, 0.03)
"""Inverse regularisation strengths to choose from: few songs and wide vectors need strong regularisation."""
FOLDS = 5


def train(
    X: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str] | np.ndarray,
    *,
    features: str,
    blocks: Blocks | None = None,
    extra: tuple[np.ndarray, np.ndarray] | None = None,
    about: dict[str, Any] | None = None,
    contents: Sequence[str] = (),
    precision: str = "float32",
) -> Predictor:
    """Train a predictor on all songs; strength and temperature are chosen by folds that keep groups whole.

    Args:
        X: ``(n, D)``.
        labels: ``(n,)`` names, where the four quadrants Q1 to Q4 get the words of moods, or ``(n, classes)`` bool
            with ``about["classes"]``.
        groups: ``(n,)`` such as artists.
        features: name of the features ``X``.
        blocks: sizes and weights, see :class:`celesta.probes.scaling.BlockScaler`.
        extra: altered copies to train on too: ``(m, D)``, and ``(m,)`` the row of the song of each. They do not choose.
        about: saved in the file.
        contents: SHA-256 of each song's file, by which :func:`evaluate` finds songs that were trained on.
        precision: of the networks of features.

    Raises:
        DataError: a class has fewer groups than there are folds.
    """
    about = dict(about or {})
    exclusive = labels.ndim == 1
    if exclusive:
        labels = np.array(mood_words(labels))
    classes = tuple(np.unique(labels).tolist()) if exclusive else tuple(about["classes"])
    truth = (labels[:, None] == np.array(classes)) if exclusive else labels
    strata = labels if exclusive else _rarest(truth)
    folds = splits.grouped(strata, groups, splits.fitting_folds(strata, groups, FOLDS))
    scaler = BlockScaler(blocks).fit(X)
    best: tuple[float, float, float] | None = None
    for strength in STRENGTHS:
        logits = np.zeros(truth.shape)
        for fold in folds:
            inner = BlockScaler(blocks).fit(X[fold.train])
            weights, bias = _fit(inner, X, truth, fold.train, extra, strength, exclusive)
            logits[fold.test] = inner.transform(X[fold.test]) @ weights + bias
        temperature, loss = _temperature(logits, truth, exclusive)
        if best is None or loss < best[0]:
            best = (loss, strength, temperature)
    assert best is not None
    weights, bias = _fit(scaler, X, truth, np.arange(len(X)), extra, best[1], exclusive)
    about |= {"log loss, out of fold": best[0], "strength": best[1], "temperature": best[2], "songs": len(X)}
    folded = weights * scaler.weight_[:, None] / best[2]
    return Predictor(
        classes, features, exclusive, scaler.mean_, 1 / scaler.scale_, folded, bias / best[2], about, precision,
        frozenset(map(song_hash, contents)),
    )  # fmt: skip


def evaluate(
    predictor: Predictor,
    X: np.ndarray | Features,
    labels: Sequence[str] | np.ndarray,
    groups: Sequence[str] | np.ndarray | None = None,
    contents: Sequence[str] = (),
) -> Result:
    """Score a predictor on labelled songs, with intervals over groups.

    Args:
        predictor: with exclusive classes.
        X: ``(n, D)``, or extracted features.
        labels: ``(n,)`` names of classes; moods as words or as quadrants.
        groups: ``(n,)`` such as artists; None for each song its own.
        contents: SHA-256 of each song's file, to find songs that the predictor was trained on.

    Warns:
        UserWarning: songs were trained on, so that the scores are too high.

    Raises:
        DataError: a label is none of the predictor's classes, or there are no songs.
    """
    labels = np.array([MOODS.get(str(name), str(name)) for name in labels] if are_moods(predictor.classes) else labels)
    if not len(labels):
        raise DataError("no songs to score")
    unknown = sorted(set(labels.tolist()) - set(predictor.classes))
    if unknown:
        raise DataError(f"labels that this predictor does not know: {', '.join(unknown)}; it knows {predictor.classes}")
    known = sum(song_hash(content) in predictor.trained_on for content in contents)
    if known:
        text = f"{known} of {len(labels)} songs were used in training: these scores say nothing about other music"
        warn(UserWarning(text))
    rows = np.arange(len(labels))
    names = rows if groups is None else np.asarray(groups)
    task = Task(
        "evaluate", labels, predictor.classes, names.astype(str), [splits.Split(rows[:0], rows)],
        about="A trained predictor on these songs.",
    )  # fmt: skip
    return Result(task, predictor.features, "predictor", rows, predictor.predict_proba(X)[None], {})


def _fit(
    scaler: BlockScaler,
    X: np.ndarray,
    truth: np.ndarray,
    rows: np.ndarray,
    extra: tuple[np.ndarray, np.ndarray] | None,
    strength: float,
    exclusive: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit weights ``(D, classes)`` and bias of one-against-all or softmax regression on standardised rows."""
    features, wanted = X[rows], truth[rows]
    if extra is not None:
        mine = np.isin(extra[1], rows)
        features = np.concatenate([features, extra[0][mine]])
        wanted = np.concatenate([wanted, truth[extra[1][mine]]])
    Z = scaler.transform(features)
    # The dual of the problem in as many dimensions as there are rows: nothing is lost, wide vectors cost little.
    _, s, basis = np.linalg.svd(Z, full_matrices=False)
    basis = basis[s > 1e-9 * s[0]] if s[0] else basis[:1]  # all rows the same: the bias alone is learnt
    turned = Z @ basis.T
    options: dict[str, Any] = {"C": strength, "max_iter": 500, "tol": 1e-4, "class_weight": "balanced"}
    if exclusive:
        model = LogisticRegression(**options).fit(turned, wanted.argmax(1))
        coefficients, bias = model.coef_, model.intercept_
        if len(model.classes_) == 2:
            coefficients, bias = np.concatenate([-coefficients, coefficients]) / 2, np.array([-bias[0], bias[0]]) / 2
        return basis.T @ coefficients.T, bias
    models = [LogisticRegression(**options).fit(turned, column) for column in wanted.T]
    return basis.T @ np.concatenate([m.coef_ for m in models]).T, np.array([m.intercept_[0] for m in models])


def _temperature(logits: np.ndarray, truth: np.ndarray, exclusive: bool) -> tuple[float, float]:
    """Find the temperature of lowest log loss, and that loss. Source: Guo et al. 2017, section 4.2.

    Scikit-learn's calibration does not take several labels a song.
    """

    def loss(log_temperature: float) -> float:
        p = np.clip(probabilities(logits / np.exp(log_temperature), exclusive), 1e-7, 1 - 1e-7)
        if exclusive:
            return float(-np.log(p[truth]).mean())
        return float(-(np.log(p) * truth + np.log(1 - p) * ~truth).mean())

    found = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    return float(np.exp(found.x)), float(found.fun)


def _rarest(truth: np.ndarray) -> np.ndarray:
    """Return the index of the rarest class of each row ``(n, classes)``, -1 without any; folds are balanced by it."""
    share = truth.sum(0).astype(float)
    made: np.ndarray = np.where(truth.any(1), np.where(truth, share, np.inf).argmin(1), -1)
    return made
