"""Classifiers of songs that are kept and used: trained on labelled music, stored as data, asked about any song.

A predictor is a logistic regression on features of a song, with one temperature that calibrates its probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from celesta.errors import DataError, ModelError
from celesta.features.fusion import Blocks
from celesta.models.weights import FOLDER as WEIGHTS
from celesta.models.weights import load_tensors, save_tensors
from celesta.probes import splits
from celesta.probes.cross_validation import Result, Task, cross_validate
from celesta.probes.scaling import BlockScaler

__all__ = ["SHIPPED", "Predictor", "cross_validate", "evaluate", "mood_plane", "train"]
SHIPPED = ("genre", "mood", "tags")
STRENGTHS = (0.001, 0.003, 0.01, 0.03)
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Predictor:
    """Probabilities of classes from features of a song.

    Attributes:
        classes: names.
        features: kind of features it reads, see :func:`celesta.features.names`, or ``celesta-features``.
        exclusive: whether one class is right (softmax) or any number of them (sigmoids).
        mean: ``(D,)`` of the training songs.
        weights: ``(D, classes)`` of the standardised features, scale included.
        bias: ``(classes,)``.
        about: data, protocol and scores.
    """

    classes: tuple[str, ...]
    features: str
    exclusive: bool
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    about: dict[str, Any] = field(default_factory=dict)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities ``(n, classes)`` of features ``(n, D)``.

        Raises:
            DataError: features of another size.
        """
        if X.ndim != 2 or X.shape[1] != len(self.mean):
            raise DataError(f"this classifier reads {len(self.mean)} numbers of {self.features}, got shape {X.shape}")
        standard = np.clip((X - self.mean) * self.scale, -8, 8)
        return _probabilities(standard @ self.weights + self.bias, self.exclusive)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: data only."""
        tensors = {
            name: torch.from_numpy(np.ascontiguousarray(getattr(self, name), np.float32))
            for name in ("mean", "scale", "weights", "bias")
        }
        about = {"classes": self.classes, "features": self.features, "exclusive": self.exclusive, "about": self.about}
        save_tensors(path, tensors, {"predictor": 1, **about})

    @classmethod
    def load(cls, path: str | Path) -> Predictor:
        """Read what :meth:`save` wrote; ``genre``, ``mood`` and ``tags`` name those that ship.

        Raises:
            ModelError: the file is missing, damaged, or no classifier.
        """
        file = WEIGHTS / f"predict-{path}.safetensors" if str(path) in SHIPPED else Path(path)
        tensors, about = load_tensors(file)
        try:
            arrays = {name: tensors[name].double().numpy() for name in ("mean", "scale", "weights", "bias")}
            classes = tuple(str(name) for name in about["classes"])
            made = cls(classes, str(about["features"]), bool(about["exclusive"]), **arrays, about=dict(about["about"]))
            if made.weights.shape != (len(made.mean), len(classes)) or made.scale.shape != made.mean.shape:
                raise ValueError("its arrays do not fit together")
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{file}: not a classifier ({error}); train it again") from None
        return made


def train(
    X: np.ndarray,
    labels: np.ndarray,
    groups: Sequence[str] | np.ndarray,
    *,
    features: str,
    blocks: Blocks | None = None,
    extra: tuple[np.ndarray, np.ndarray] | None = None,
    about: dict[str, Any] | None = None,
) -> Predictor:
    """Train on all songs; strength and temperature are chosen by folds that keep groups whole.

    Args:
        X: ``(n, D)``.
        labels: ``(n,)`` names, or ``(n, classes)`` bool with ``about["classes"]``.
        groups: ``(n,)`` such as artists.
        features: kind of ``X``.
        blocks: sizes and weights, see :class:`celesta.probes.scaling.BlockScaler`.
        extra: altered copies to train on too: ``(m, D)`` and ``(m,)``, which song each is of. They never choose.
        about: kept in the file.

    Raises:
        DataError: a class has fewer groups than there are folds.
    """
    about = dict(about or {})
    exclusive = labels.ndim == 1
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
    return Predictor(classes, features, exclusive, scaler.mean_, 1 / scaler.scale_, folded, bias / best[2], about)


def evaluate(predictor: Predictor, X: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> Result:
    """A trained predictor on other labelled songs: scores with intervals over groups.

    Raises:
        DataError: a label is none of the predictor's classes.
    """
    strange = sorted(set(labels.tolist()) - set(predictor.classes))
    if strange:
        raise DataError(
            f"labels that this classifier does not know: {', '.join(strange)}; it knows {predictor.classes}"
        )
    rows = np.arange(len(labels))
    split = splits.Split(rows[:0], rows)
    about = "A trained classifier on these songs."
    task = Task("evaluate", np.asarray(labels), predictor.classes, np.asarray(groups).astype(str), [split], about=about)
    return Result(task, predictor.features, "predictor", rows, predictor.predict_proba(X)[None], {})


def mood_plane(classes: Sequence[str], probabilities: np.ndarray) -> np.ndarray:
    """Valence and arousal ``(n, 2)`` from -1 to 1: expected signs under the quadrants' probabilities ``(n, 4)``.

    Source: Russell 1980, the circumplex: Q1 happy (+, +), Q2 angry (-, +), Q3 sad (-, -), Q4 calm (+, -).
    """
    corners = {"Q1": (1, 1), "Q2": (-1, 1), "Q3": (-1, -1), "Q4": (1, -1)}
    made: np.ndarray = probabilities @ np.array([corners[name] for name in classes], float)
    return made


def _fit(
    scaler: BlockScaler,
    X: np.ndarray,
    truth: np.ndarray,
    rows: np.ndarray,
    extra: tuple[np.ndarray, np.ndarray] | None,
    strength: float,
    exclusive: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights ``(D, classes)`` and bias of one-against-all or softmax regression on standardised rows."""
    features, wanted = X[rows], truth[rows]
    if extra is not None:
        mine = np.isin(extra[1], rows)
        features = np.concatenate([features, extra[0][mine]])
        wanted = np.concatenate([wanted, truth[extra[1][mine]]])
    Z = scaler.transform(features)
    # The dual of the problem in as many dimensions as there are rows: nothing is lost, wide vectors cost little.
    _, s, basis = np.linalg.svd(Z, full_matrices=False)
    basis = basis[s > 1e-9 * s[0]]
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


def _probabilities(logits: np.ndarray, exclusive: bool) -> np.ndarray:
    if not exclusive:
        made: np.ndarray = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
        return made
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    made = e / e.sum(axis=1, keepdims=True)
    return made


def _temperature(logits: np.ndarray, truth: np.ndarray, exclusive: bool) -> tuple[float, float]:
    """The temperature of lowest log loss, and that loss. Source: Guo et al. 2017, section 4.2."""

    def loss(log_temperature: float) -> float:
        p = np.clip(_probabilities(logits / np.exp(log_temperature), exclusive), 1e-7, 1 - 1e-7)
        if exclusive:
            return float(-np.log(p[truth]).mean())
        return float(-(np.log(p) * truth + np.log(1 - p) * ~truth).mean())

    found = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    return float(np.exp(found.x)), float(found.fun)


def _rarest(truth: np.ndarray) -> np.ndarray:
    """For each row of ``(n, classes)`` the number of its rarest class, -1 without any: what folds are balanced by."""
    share = truth.sum(0).astype(float)
    made: np.ndarray = np.where(truth.any(1), np.where(truth, share, np.inf).argmin(1), -1)
    return made
