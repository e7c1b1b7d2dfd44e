"""Probes: scikit-learn classifiers on feature vectors, every learnt step inside ``fit``.

Scaler, rotation, hyper-parameters and calibration are fitted to the rows that ``fit`` gets and to no others.
Hyper-parameters are chosen by inner folds of those rows that keep groups (artists) whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from celesta.errors import MissingExtraError, UsageError
from celesta.probes.scaling import Blocks, BlockScaler, Rotate

INNER_FOLDS = 3
_SVM_SLOPE = 2.0
"""Slope of the logistic function that maps an SVM's margin, where 1 is the edge, to a score from 0 to 1."""
Folds = list[tuple[np.ndarray, np.ndarray]]


class Chosen(ClassifierMixin, BaseEstimator):
    """The candidate with the best macro-F1 over inner folds, refitted to all training rows and calibrated.

    The search is scikit-learn's ``GridSearchCV``; probabilities are calibrated by one temperature, fitted to the
    inner folds' predictions by ``CalibratedClassifierCV``. Source of temperature scaling: Guo et al. 2017, "On
    Calibration of Modern Neural Networks". One candidate is fitted as it is, without folds.

    Args:
        candidates: name to classifier.
        steps: transformers before the classifier, by name.
        seed: of the inner folds.

    Attributes:
        chosen_: name of the best candidate.
        temperature_: that logits are divided by; 1 where the inner folds could not fit one.
    """

    def __init__(self, candidates: Mapping[str, Any], steps: Mapping[str, Any] | None = None, seed: int = 0) -> None:
        self.candidates = candidates
        self.steps = steps
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Chosen:
        """Choose and fit on ``(n, D)``; no group of ``groups`` ``(n,)`` is on both sides of an inner fold."""
        y = np.asarray(y)
        self.classes_ = np.unique(y)
        names, models = list(self.candidates), list(self.candidates.values())
        pipeline = Pipeline([*(self.steps or {}).items(), ("model", models[0])])
        best, self.temperature_, folds = 0, 1.0, []
        if len(models) > 1:
            folds = _inner_folds(y, groups, self.seed)
        with _quiet():
            if folds:
                search = GridSearchCV(pipeline, {"model": models}, scoring=_MACRO_F1, cv=folds, refit=False)
                best = int(search.fit(X, y).best_index_)
            self.chosen_ = names[best]
            self.model_ = clone(pipeline).set_params(model=clone(models[best]))
            if _calibrates(folds, y):
                self.model_ = CalibratedClassifierCV(self.model_, method="temperature", cv=folds, ensemble=False)
                self.model_.fit(X, y)
                self.temperature_ = 1 / float(self.model_.calibrated_classifiers_[0].calibrators[0].beta_)
            else:
                self.model_.fit(X, y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities ``(n, classes)``."""
        if hasattr(self.model_, "predict_proba"):
            return np.asarray(self.model_.predict_proba(X))
        return _softmax_of_margins(self.model_.decision_function(X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the names ``(n,)`` of the classes of highest probability."""
        found: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


class Tagger(BaseEstimator):
    """Several labels a song: for each tag the mean of a logistic regression and a radial SVM, with nothing to choose.

    All tags share one scaler and one rotation, which makes fourteen tags as fast as one.

    Args:
        blocks: of the vectors, see :class:`BlockScaler`.
    """

    def __init__(self, blocks: Blocks | None = None) -> None:
        self.blocks = blocks

    def fit(self, X: np.ndarray, y: np.ndarray) -> Tagger:
        """Fit ``(n, D)`` vectors and ``(n, tags)`` bool."""
        self.before_ = Pipeline(list(_steps(self.blocks).items())).fit(X)
        rotated = self.before_.transform(X)
        self.share_ = y.mean(axis=0)
        self.models_: list[tuple[Any, Any] | None] = []
        for column in y.T:
            if column.all() or not column.any():
                self.models_.append(None)  # no song differs, so nothing can be learnt: the share is the prediction
                continue
            with _quiet():
                regression = _regression(0.01).fit(rotated, column)
                self.models_.append((regression, _svm(1.0).fit(rotated, column)))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return scores ``(n, tags)`` from 0 to 1: for ranking, not calibrated."""
        rotated = self.before_.transform(X)
        scores = np.tile(self.share_, (len(X), 1)).astype(float)
        for i, pair in enumerate(self.models_):
            if pair is not None:
                margin = pair[1].decision_function(rotated)
                scores[:, i] = (pair[0].predict_proba(rotated)[:, 1] + 1 / (1 + np.exp(-_SVM_SLOPE * margin))) / 2
        return scores


class _Numbered(ClassifierMixin, BaseEstimator):
    """A classifier that needs classes as integers from 0, for classes of any name."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: np.ndarray, y: np.ndarray) -> _Numbered:
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.model_ = clone(self.model).fit(X, numbers)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.model_.predict_proba(X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


def names() -> tuple[str, ...]:
    """Return the names of all probes."""
    return tuple(PROBES)


def probe(name: str, seed: int = 0, blocks: Blocks | None = None) -> Chosen:
    """Build a probe, not yet fitted.

    Args:
        name: of :func:`names`: ``lr`` logistic regression, ``svm`` with a radial kernel, ``xgboost``, ``mlp``,
            ``chosen`` the better of the first two.
        seed: of inner folds and of classifiers that start at random.
        blocks: of the vectors, see :class:`BlockScaler`.

    Raises:
        UsageError: there is no such probe.
        MissingExtraError: XGBoost is not installed.

    Example:
        >>> import numpy as np
        >>> X, y = np.repeat(np.eye(2), 6, axis=0), np.repeat(["jazz", "rock"], 6)
        >>> probe("lr").fit(X, y).predict(X[[0, 11]]).tolist()
        ['jazz', 'rock']
    """
    if name not in PROBES:
        raise UsageError(f"probe must be one of {', '.join(PROBES)}, got {name!r}")
    entry = PROBES[name]
    return Chosen(entry.candidates(seed), _steps(blocks) if entry.scaled else None, seed)


def _steps(blocks: Blocks | None) -> dict[str, Any]:
    return {"scale": BlockScaler(blocks), "rotate": Rotate()}


def _inner_folds(y: np.ndarray, groups: np.ndarray | None, seed: int) -> Folds:
    """Folds of the training rows that keep groups whole; those that leave one class or no test row are left out."""
    codes = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = min(INNER_FOLDS, int(np.unique(y, return_counts=True)[1].max()))
    if count < 2:
        return []
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer groups than folds: some folds lack it
        folds = list(splitter.split(codes, y, codes))
    return [(train, test) for train, test in folds if len(np.unique(y[train])) > 1 and len(test)]


def _calibrates(folds: Folds, y: np.ndarray) -> bool:
    """Whether folds predict every row once, each with all classes, which fitting a temperature needs."""
    classes = len(np.unique(y))
    scored = sum(len(test) for _, test in folds)
    return scored == len(y) and all(len(np.unique(y[train])) == classes for train, _ in folds)


def _softmax_of_margins(margins: np.ndarray) -> np.ndarray:
    """Probabilities ``(n, classes)`` of margins ``(n, classes)``, or ``(n,)`` of two classes."""
    logits = np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = e / e.sum(axis=1, keepdims=True)
    return shares


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings of classifiers that stop before they converge: stopping early is a regulariser here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(f1_score(truth, predicted, average="macro", zero_division=0))


_MACRO_F1 = make_scorer(_macro_f1)


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=200, tol=1e-3, class_weight="balanced")


def _svm(strength: float, seed: int = 0) -> SVC:
    return SVC(C=strength, gamma="scale", class_weight="balanced", random_state=seed)


def _regressions(seed: int) -> dict[str, Any]:
    return {f"lr C={c:g}": _regression(c) for c in (0.003, 0.03, 0.3)}


def _svms(seed: int) -> dict[str, Any]:
    return {f"svm C={c:g}": _svm(c, seed) for c in (1.0, 8.0)}


def _xgboost(seed: int) -> dict[str, Any]:
    try:
        from xgboost import XGBClassifier
    except ImportError:
        raise MissingExtraError("xgboost is not installed; pip install 'celesta[probes]'") from None
    trees = XGBClassifier(
        n_estimators=200, max_depth=4, learning_rate=0.1, subsample=0.8, colsample_bytree=0.3, random_state=seed,
        tree_method="hist", n_jobs=1,
    )  # fmt: skip
    return {"xgboost": _Numbered(trees)}


def _mlp(seed: int) -> dict[str, Any]:
    def network(alpha: float) -> MLPClassifier:
        return MLPClassifier((128,), alpha=alpha, max_iter=60, learning_rate_init=2e-3, random_state=seed)

    return {f"mlp alpha={a:g}": network(a) for a in (0.1, 3.0)}


@dataclass(frozen=True)
class Entry:
    """A probe of the table.

    Attributes:
        candidates: seed to the classifiers to choose from, by name.
        scaled: whether vectors are standardised and rotated first; trees do not need it.
    """

    candidates: Callable[[int], dict[str, Any]]
    scaled: bool = True


PROBES: dict[str, Entry] = {
    "lr": Entry(_regressions),
    "svm": Entry(_svms),
    "xgboost": Entry(_xgboost, scaled=False),
    "mlp": Entry(_mlp),
    "chosen": Entry(lambda seed: _regressions(seed) | _svms(seed)),
}
"""Name to probe. A new probe is one entry; the study's page and the documentation read this table."""
