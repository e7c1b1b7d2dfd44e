"""Which songs train and which are scored: published lists, folds that keep groups whole, and the naive split.

A split is data, so that a table can say what it was; the groups (artists, recordings) are never torn but in the naive
split, which stands beside the others to show what tearing them is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from celesta.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to score.

    Attributes:
        train: ``(n,)`` int64 rows.
        test: ``(m,)`` int64 rows, none of them in ``train``.
        seed: that drew it; equal seeds make one repetition of folds.
    """

    train: np.ndarray
    test: np.ndarray
    seed: int = 0


def published(parts: Sequence[str] | np.ndarray) -> list[Split]:
    """One split: the rows of ``train`` and ``valid`` train (choices are made by folds among them), ``test`` is scored.

    Args:
        parts: ``(n,)`` of ``train``, ``valid``, ``test`` and anything else, which is left out.

    Raises:
        DataError: one side is empty.
    """
    names = np.asarray(parts).astype(str)
    train, test = np.flatnonzero(np.isin(names, ("train", "valid"))), np.flatnonzero(names == "test")
    if not len(train) or not len(test):
        raise DataError(
            f"published split: {len(train)} tracks to train on and {len(test)} to score; the lists are needed"
        )
    return [Split(train, test)]


def grouped(
    labels: Sequence[str] | np.ndarray,
    groups: Sequence[str] | np.ndarray,
    folds: int = 5,
    seeds: Sequence[int] = (0,),
) -> list[Split]:
    """Stratified folds, no group on both sides of any of them; all folds of a seed score every row once.

    Args:
        labels: ``(n,)`` to balance the folds by.
        groups: ``(n,)`` such as artists.
        folds: at least 2.
        seeds: one repetition each.

    Raises:
        DataError: a label has fewer groups than there are folds.
    """
    names, codes = np.asarray(labels).astype(str), _codes(groups)
    _enough(names, codes, folds)
    splits = []
    for seed in seeds:
        maker = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        splits += [Split(train, test, seed) for train, test in maker.split(codes, names, codes)]
    return splits


def naive(labels: Sequence[str] | np.ndarray, folds: int = 5, seeds: Sequence[int] = (0,)) -> list[Split]:
    """Stratified folds of single excerpts: songs of one artist, even of one record, stand on both sides.

    Raises:
        DataError: a label has fewer rows than there are folds.
    """
    names = np.asarray(labels).astype(str)
    _enough(names, np.arange(len(names)), folds)
    splits = []
    for seed in seeds:
        maker = StratifiedKFold(folds, shuffle=True, random_state=seed)
        splits += [Split(train, test, seed) for train, test in maker.split(names, names)]
    return splits


def _codes(groups: Sequence[str] | np.ndarray) -> np.ndarray:
    codes: np.ndarray = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
    return codes


def _enough(names: np.ndarray, codes: np.ndarray, folds: int) -> None:
    classes = np.unique(names)
    if len(classes) < 2:
        raise DataError(f"folds: {len(classes)} class among {len(names)} tracks; at least two are needed")
    for name in classes:
        count = len(np.unique(codes[names == name]))
        if count < folds:
            noun = "group" if count == 1 else "groups"
            raise DataError(
                f"folds: {str(name)!r} has {count} {noun} (artists or recordings), fewer than {folds} folds; "
                "leave the class out, take fewer folds, or give more music"
            )
