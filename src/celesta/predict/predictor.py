"""Saved predictors: class probabilities from feature vectors of songs.

A predictor is a logistic regression on the features of a song, with one temperature that calibrates its probabilities.
:mod:`celesta.predict.training` trains them.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from celesta._files import atomic, printable, read_arrays
from celesta.errors import DataError, ModelError
from celesta.features.extract import Features
from celesta.predict.moods import mood_words, quadrant

SHIPPED = ("genre", "mood", "tags")
WEIGHTS = Path(__file__).parents[1] / "weights"
_ARRAYS = ("mean", "scale", "weights", "bias")
_CLIP = 8.0  # standard deviations, as in the scaler that it was trained with
_MOVED = ("cross_validate", "evaluate", "train")  # to celesta.predict.training


@dataclass(frozen=True, eq=False, repr=False)
class Predictor:
    """Class probabilities from feature vectors of songs, with the methods of a scikit-learn classifier.

    Attributes:
        classes: names. Moods have words: happy, angry, sad and calm for the quadrants Q1 to Q4 of files and labels.
        features: name of the features that it reads, see :func:`celesta.features.names`.
        exclusive: whether a song has exactly one class (softmax) or any number of them (sigmoids).
        mean: ``(D,)`` of the training songs.
        scale: ``(D,)``, one over the standard deviation.
        weights: ``(D, classes)`` of the standardised features.
        bias: ``(classes,)``.
        about: data, protocol and scores.
        precision: of the networks of features in training.
        trained_on: hashes of the contents of the training songs, see :func:`song_hash`.

    Example:
        >>> predictor = Predictor.load("genre")
        >>> vectors = np.tile(predictor.mean, (2, 1))  # of two songs; in practice from celesta.features.extract
        >>> predictor.predict_proba(vectors).shape, predictor.predict(vectors).shape
        ((2, 10), (2,))
    """

    classes: tuple[str, ...]
    features: str
    exclusive: bool
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    about: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    trained_on: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Predictor({len(self.classes)} classes from {self.features}: {', '.join(self.classes)[:60]})"

    @property
    def classes_(self) -> np.ndarray:
        """Names of the classes ``(classes,)``, in the order of the columns of probabilities."""
        return np.array(self.classes)

    def predict_proba(self, X: np.ndarray | Features) -> np.ndarray:
        """Compute class probabilities.

        Args:
            X: ``(n, D)``, or what :func:`celesta.features.extract` returned for this predictor's features.

        Returns:
            ``(n, classes)``; rows sum to 1 where :attr:`exclusive`.

        Raises:
            DataError: vectors of another size.
            UsageError: the features of this predictor were not extracted.
        """
        if isinstance(X, Features):
            X = X[self.features]
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(self.mean):
            raise DataError(
                f"this predictor needs vectors (n, {len(self.mean)}) of {self.features}, got shape {X.shape}"
            )
        standard = np.clip((X - self.mean) * self.scale, -_CLIP, _CLIP)
        return probabilities(standard @ self.weights + self.bias, self.exclusive)

    def predict(self, X: np.ndarray | Features) -> np.ndarray:
        """Return the most probable class of each song ``(n,)``; of tags, those above one half ``(n, classes)``.

        Args:
            X: as for :meth:`predict_proba`.
        """
        found = self.predict_proba(X)
        predicted: np.ndarray = self.classes_[found.argmax(axis=1)] if self.exclusive else found > 0.5
        return predicted

    def save(self, path: str | Path) -> None:
        """Write one safetensors file of numbers and names.

        Args:
            path: of the file; one that is there is replaced.

        Raises:
            ModelError: the file cannot be written.
        """
        arrays = {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in _ARRAYS}
        about = {
            "predictor": 1, "classes": self.classes, "features": self.features, "exclusive": self.exclusive,
            "precision": self.precision, "trained_on": sorted(self.trained_on), "about": self.about,
        }  # fmt: skip
        with atomic(path, ModelError) as temporary:
            temporary.write_bytes(safetensors.numpy.save(arrays, {"about": json.dumps(about)}))

    @classmethod
    def load(cls, path: str | Path) -> Predictor:
        """Read what :meth:`save` wrote; ``genre``, ``mood`` and ``tags`` are those that ship.

        Args:
            path: of a file, or the name of a predictor that ships.

        Raises:
            ModelError: the file is missing, damaged, or not a predictor.
        """
        file = WEIGHTS / f"predict-{path}.safetensors" if str(path) in SHIPPED else Path(path)
        try:
            tensors, metadata = read_arrays(file)
            about = json.loads(metadata["about"])
            arrays = {name: tensors[name].astype(np.float64) for name in _ARRAYS}
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise ValueError("its numbers are not finite")
            loaded = cls(
                tuple(mood_words(about["classes"])),
                str(about["features"]),
                bool(about["exclusive"]),
                **arrays,
                about=dict(about["about"]),
                precision=str(about.get("precision", "float32")),
                trained_on=frozenset(map(str, about.get("trained_on", ()))),
            )
            if (
                loaded.weights.shape != (len(loaded.mean), len(loaded.classes))
                or loaded.scale.shape != loaded.mean.shape
            ):
                raise ValueError("its arrays do not fit together")
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            said = "no such file" if isinstance(error, FileNotFoundError) else f"not a predictor ({error})"
            raise ModelError(f"{printable(file)}: {said}; give its file, or one of {', '.join(SHIPPED)}") from None
        return loaded


def song_hash(content: str) -> str:
    """Shorten the SHA-256 of an audio file to what a predictor stores of its training songs: 16 hexadecimal digits."""
    return hashlib.sha256(f"celesta song {content}".encode()).hexdigest()[:16]


def mood_plane(classes: Sequence[str], probabilities: np.ndarray) -> np.ndarray:
    """Compute valence and arousal ``(n, 2)`` from -1 to 1: expected signs of the moods ``(n, 4)``.

    Args:
        classes: the four moods as words or quadrants, in the order of the columns.
        probabilities: ``(n, 4)``.

    Source: Russell 1980, the circumplex: Q1 happy (+, +), Q2 angry (-, +), Q3 sad (-, -), Q4 calm (+, -).

    Example:
        >>> mood_plane(("happy", "angry", "sad", "calm"), np.array([[0.5, 0.0, 0.0, 0.5]])).tolist()
        [[1.0, 0.0]]
    """
    corners = {"Q1": (1, 1), "Q2": (-1, 1), "Q3": (-1, -1), "Q4": (1, -1)}
    made: np.ndarray = probabilities @ np.array([corners[quadrant(name)] for name in classes], float)
    return made


def probabilities(logits: np.ndarray, exclusive: bool) -> np.ndarray:
    """Turn logits ``(n, classes)`` into probabilities: a softmax where exclusive, sigmoids otherwise."""
    if not exclusive:
        made: np.ndarray = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
        return made
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    made = e / e.sum(axis=1, keepdims=True)
    return made


def __getattr__(name: str) -> Any:
    if name in _MOVED:  # imported on use: training needs scikit-learn, prediction does not
        return getattr(importlib.import_module("celesta.predict.training"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
