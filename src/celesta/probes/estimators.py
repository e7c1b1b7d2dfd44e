"""The probes: scikit-learn pipelines in a closed dict, everything that learns inside them.

Scaler, rotation and hyper-parameters are fitted by ``fit`` on the rows it is given, and nothing else: choices are made
by folds of those rows that keep groups whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from celesta.errors import MissingExtraError, UsageError

INNER_FOLDS = 3
Blocks = Sequence[tuple[int, float]]
_CLIP = 8.0


class BlockScaler(TransformerMixin, BaseEstimator):
    """Standardise each number, then weigh blocks of numbers: a block's share of the distance is its weight squared.

    Args:
        blocks: size and weight of each block, in order; None for one block.
    """

    def __init__(self, blocks: Blocks | None = None) -> None:
        self.blocks = blocks

    def fit(self, X: np.ndarray, y: Any = None) -> BlockScaler:
        """Take mean and spread of ``(n, D)``."""
        X = np.asarray(X, np.float64)
        self.mean_ = X.mean(axis=0)
        spread = X.std(axis=0)
        self.scale_ = np.where(spread > 1e-8 * (1 + np.abs(self.mean_)), spread, np.inf)
        blocks = [(X.shape[1], 1.0)] if self.blocks is None else list(self.blocks)
        total = sum(weight**2 for _, weight in blocks)
        self.weight_ = np.concatenate([np.full(n, w * np.sqrt(X.shape[1] / (n * total))) for n, w in blocks])
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """``(n, D)`` standardised, clipped at 8 spreads so that one odd number cannot rule a song, and weighted."""
        standard = np.clip((np.asarray(X, np.float64) - self.mean_) / self.scale_, -_CLIP, _CLIP)
        weighted: np.ndarray = standard * self.weight_
        return weighted


class Rotate(TransformerMixin, BaseEstimator):
    """Turn vectors so that no more numbers are left than there are rows; distances between them stay as they are.

    By the eigenvectors of the rows' products, which for wide vectors costs a tenth of a singular value decomposition.
    """

    def fit(self, X: np.ndarray, y: Any = None) -> Rotate:
        """Take the directions that rows ``(n, D)`` span."""
        self.basis_: np.ndarray | None = None
        if X.shape[1] > len(X):
            values, vectors = np.linalg.eigh(X @ X.T)
            kept = values > 1e-9 * values[-1]
            self.basis_ = X.T @ (vectors[:, kept] / np.sqrt(values[kept]))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """``(m, D)`` to ``(m, at most n)``."""
        return X if self.basis_ is None else X @ self.basis_


class Chosen(ClassifierMixin, BaseEstimator):
    """The candidate with the best macro-F1 over folds of the training rows, then fitted to all of them.

    Its probabilities are calibrated by one temperature, by which the folds' own answers become most likely. Source: Guo
    et al. 2017, "On Calibration of Modern Neural Networks". With one candidate there are no folds and it stays at 1.

    Args:
        before: a maker of what comes first, fitted once for all candidates.
        candidates: name to a maker of a classifier.
        seed: of the folds.
    """

    def __init__(self, before: Callable[[], Pipeline], candidates: dict[str, Callable[[], Any]], seed: int = 0) -> None:
        self.before = before
        self.candidates = candidates
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Chosen:
        """Choose and fit on ``(n, D)``; ``groups`` ``(n,)`` are never torn between the inner folds."""
        y = np.asarray(y)
        self.classes_ = np.unique(y)
        codes = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
        self.chosen_, self.temperature_ = next(iter(self.candidates)), 1.0
        if len(self.candidates) > 1:
            self.chosen_, self.temperature_ = self._choose(X, y, codes)
        self.before_ = self.before().fit(X)
        self.model_ = _fit(self.candidates[self.chosen_](), self.before_.transform(X), y)
        return self

    def _choose(self, X: np.ndarray, y: np.ndarray, codes: np.ndarray) -> tuple[str, float]:
        """The best candidate's name, and its temperature."""
        folds = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=self.seed)
        points = dict.fromkeys(self.candidates, 0.0)
        answers: dict[str, list[np.ndarray]] = {name: [] for name in self.candidates}
        truth: list[np.ndarray] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class with fewer groups than folds: they hold without it
            parts = list(folds.split(codes, y, codes))
        for train, test in parts:
            here = np.unique(y[train])
            if len(here) < 2 or not len(test):
                continue
            before = self.before().fit(X[train])
            inside, outside = before.transform(X[train]), before.transform(X[test])
            whole = len(here) == len(self.classes_)  # else its columns are not those of the other folds
            truth += [np.searchsorted(self.classes_, y[test])] if whole else []
            for name, make in self.candidates.items():
                model = _fit(make(), inside, y[train])
                points[name] += f1_score(y[test], model.predict(outside), average="macro", zero_division=0)
                answers[name] += [_logits(model, outside)] if whole else []
        best = max(points, key=lambda name: points[name])
        return best, _temperature(np.concatenate(answers[best]), np.concatenate(truth)) if truth else 1.0

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities ``(n, classes)``."""
        return np.asarray(softmax(_logits(self.model_, self.before_.transform(X)) / self.temperature_, axis=1))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Names ``(n,)``: the classes of highest probability."""
        found: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


class Tagger(BaseEstimator):
    """Several labels a song: for each tag the mean of a logistic regression and a radial SVM, nothing to choose.

    Scaler and rotation are shared by the tags, which makes fourteen of them as quick as one.

    Args:
        blocks: of the vectors.
    """

    def __init__(self, blocks: Blocks | None = None) -> None:
        self.blocks = blocks

    def fit(self, X: np.ndarray, y: np.ndarray) -> Tagger:
        """Fit ``(n, D)`` vectors and ``(n, tags)`` bool."""
        self.before_ = _before(self.blocks).fit(X)
        turned = self.before_.transform(X)
        self.share_ = y.mean(axis=0)
        self.models_: list[tuple[Any, Any] | None] = []
        for column in y.T:
            if column.all() or not column.any():
                self.models_.append(None)  # all alike: nothing can be learnt, the share is the answer
                continue
            lr = LogisticRegression(C=0.01, max_iter=200, tol=1e-3, class_weight="balanced")
            svm = SVC(C=1.0, gamma="scale", class_weight="balanced")
            self.models_.append((_fit(lr, turned, column), _fit(svm, turned, column)))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """``(n, tags)`` from 0 to 1: to rank by, not calibrated."""
        turned = self.before_.transform(X)
        made = np.tile(self.share_, (len(X), 1)).astype(float)
        for i, pair in enumerate(self.models_):
            if pair is not None:
                margin = pair[1].decision_function(turned)
                made[:, i] = (pair[0].predict_proba(turned)[:, 1] + 1 / (1 + np.exp(-2 * margin))) / 2
        return made


def names() -> tuple[str, ...]:
    """The probes there are."""
    return tuple(_PROBES)


def probe(name: str, seed: int = 0, blocks: Blocks | None = None) -> Chosen:
    """A probe, not yet fitted.

    Args:
        name: of :func:`names`: ``lr`` logistic regression, ``svm`` with a radial kernel, ``xgboost``, ``mlp``,
            ``chosen`` the better of the first two.
        seed: of folds and starts.
        blocks: of the vectors, see :class:`BlockScaler`.

    Raises:
        UsageError: there is no such probe.
        MissingExtraError: XGBoost is not installed.
    """
    if name not in _PROBES:
        raise UsageError(f"probe must be one of {', '.join(_PROBES)}, got {name!r}")
    plain = name == "xgboost"  # trees ask for no scale
    return Chosen(partial(_before, None if plain else blocks, plain), _PROBES[name](seed), seed)


def _fit(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # early stopping is a regulariser here, not a fault
        return model.fit(X, y)


def _logits(model: Any, X: np.ndarray) -> np.ndarray:
    """``(n, classes)`` numbers whose softmax is the answer: an SVM's margins, else logarithms of probabilities."""
    if not isinstance(model, SVC):
        return np.asarray(np.log(np.maximum(model.predict_proba(X), 1e-12)))
    margin = np.asarray(model.decision_function(X))
    return np.stack([-margin, margin], axis=1) if margin.ndim == 1 else margin


def _temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Of a geometric grid from 1/16 to 16, what makes the classes ``truth`` ``(n,)`` most likely."""
    grid = np.geomspace(1 / 16, 16, 65)
    rows = np.arange(len(truth))
    likely = [float(np.mean(log_softmax(logits / t, axis=1)[rows, truth])) for t in grid]
    return float(grid[int(np.argmax(likely))])


def _before(blocks: Blocks | None, plain: bool = False) -> Pipeline:
    if plain:
        return Pipeline([("nothing", "passthrough")])
    return Pipeline([("scale", BlockScaler(blocks)), ("rotate", Rotate())])


def _lr(seed: int) -> dict[str, Callable[[], Any]]:
    def make(c: float) -> Callable[[], Any]:
        return lambda: LogisticRegression(C=c, max_iter=200, tol=1e-3, class_weight="balanced")

    return {f"lr C={c:g}": make(c) for c in (0.003, 0.03, 0.3)}


def _svm(seed: int) -> dict[str, Callable[[], Any]]:
    def make(c: float) -> Callable[[], Any]:
        return lambda: SVC(C=c, gamma="scale", class_weight="balanced", random_state=seed)

    return {f"svm C={c:g}": make(c) for c in (1.0, 8.0)}


def _xgboost(seed: int) -> dict[str, Callable[[], Any]]:
    try:
        from xgboost import XGBClassifier
    except ImportError:
        raise MissingExtraError("xgboost is not installed; pip install 'celesta[probes]'") from None

    def make() -> _Numbered:
        trees = XGBClassifier(
            n_estimators=200, max_depth=4, learning_rate=0.1, subsample=0.8, colsample_bytree=0.3, random_state=seed,
            tree_method="hist", n_jobs=1,
        )  # fmt: skip
        return _Numbered(trees)

    return {"xgboost": make}


def _mlp(seed: int) -> dict[str, Callable[[], Any]]:
    def make(alpha: float) -> Callable[[], Any]:
        return lambda: MLPClassifier((128,), alpha=alpha, max_iter=60, learning_rate_init=2e-3, random_state=seed)

    return {f"mlp alpha={a:g}": make(a) for a in (0.1, 3.0)}


def _chosen(seed: int) -> dict[str, Callable[[], Any]]:
    return _lr(seed) | _svm(seed)


class _Numbered(ClassifierMixin, BaseEstimator):
    """A classifier that wants classes as numbers from 0, for classes of any name."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: np.ndarray, y: np.ndarray) -> _Numbered:
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.model.fit(X, numbers)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict_proba(X))

    def predict(self, X: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


_PROBES: dict[str, Callable[[int], dict[str, Callable[[], Any]]]] = {
    "lr": _lr,
    "svm": _svm,
    "xgboost": _xgboost,
    "mlp": _mlp,
    "chosen": _chosen,
}
