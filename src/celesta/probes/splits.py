"""Splits of songs into training and test rows: published lists, grouped folds, and the naive split.

Groups (artists, recordings) stay on one side of every split except the naive one, which shows by how much a random
split overstates a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from celesta.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to score.

    Attributes:
        train: ``(n,)`` int64 rows.
        test: ``(m,)`` int64 rows, none of them in ``train``.
        seed: that it was drawn with; the splits of one seed are one repetition of folds.
    """

    train: np.ndarray
    test: np.ndarray
    seed: int = 0


def published(parts: Sequence[str] | np.ndarray) -> list[Split]:
    """Return the published split: ``train`` and ``valid`` train, ``test`` is scored.

    Args:
        parts: ``(n,)`` of ``train``, ``valid``, ``test``; any other name leaves the row out.

    Raises:
        DataError: one side is empty.
    """
    names = np.asarray(parts).astype(str)
    train, test = np.flatnonzero(np.isin(names, ("train", "valid"))), np.flatnonzero(names == "test")
    if not len(train) or not len(test):
        raise DataError(
            f"published split: {len(train)} tracks to train on and {len(test)} to score; the lists are needed (--lists)"
        )
    return [Split(train, test)]


def grouped(
    labels: Sequence[str] | np.ndarray,
    groups: Sequence[str] | np.ndarray,
    folds: int = 5,
    seeds: Sequence[int] = (0,),
) -> list[Split]:
    """Return stratified folds with no group on both sides of any; the folds of a seed score every row once.

    Args:
        labels: ``(n,)`` to balance the folds by.
        groups: ``(n,)`` such as artists.
        folds: at least 2.
        seeds: one repetition each.

    Raises:
        DataError: a label has fewer groups than there are folds.

    Example:
        >>> folds = grouped(["jazz", "jazz", "rock", "rock"], ["a", "b", "c", "d"], folds=2)
        >>> [len(split.test) for split in folds]
        [2, 2]
    """
    names, codes = np.asarray(labels).astype(str), _codes(groups)
    _check(names, codes, folds)
    splits = []
    for seed in seeds:
        maker = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        splits += [Split(train, test, seed) for train, test in maker.split(codes, names, codes)]
    return splits


def naive(labels: Sequence[str] | np.ndarray, folds: int = 5, seeds: Sequence[int] = (0,)) -> list[Split]:
    """Return stratified folds of single excerpts: songs of one artist, even of one record, are on both sides.

    Raises:
        DataError: a label has fewer rows than there are folds.
    """
    names = np.asarray(labels).astype(str)
    _check(names, np.arange(len(names)), folds)
    splits = []
    for seed in seeds:
        maker = StratifiedKFold(folds, shuffle=True, random_state=seed)
        splits += [Split(train, test, seed) for train, test in maker.split(names, names)]
    return splits


def fitting_folds(labels: Sequence[str] | np.ndarray, groups: Sequence[Any] | np.ndarray, wanted: int) -> int:
    """Return the number of folds, at most ``wanted``, that the class with the fewest groups allows.

    Raises:
        DataError: there are fewer than two classes, or a class has fewer than two groups.

    Example:
        >>> fitting_folds(["jazz"] * 3 + ["rock"] * 9, range(12), 5)
        3
    """
    names, codes = np.asarray(labels).astype(str), _codes(groups)
    _check(names, codes, 2)
    return max(2, min(wanted, *(len(np.unique(codes[names == name])) for name in np.unique(names))))


def _codes(groups: Sequence[Any] | np.ndarray) -> np.ndarray:
    codes: np.ndarray = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
    return codes


def _check(names: np.ndarray, codes: np.ndarray, folds: int) -> None:
    """Refuse folds that would leave a class out of a training or test part."""
    classes = np.unique(names)
    if folds < 2:
        raise DataError(f"folds: at least 2 are needed, got {folds}")
    if len(classes) < 2:
        raise DataError(f"folds: {len(classes)} class among {len(names)} tracks; at least two are needed")
    for name in classes:
        count = len(np.unique(codes[names == name]))
        if count < folds:
            noun = "group" if count == 1 else "groups"
            remedy = f"take fewer folds (--folds {count})" if count > 1 else "leave the class out"
            raise DataError(
                f"folds: class {str(name)!r} has {count} {noun} (artists, recordings, or songs where neither is known),"
                f" fewer than {folds} folds; {remedy} or give more music"
            )
