"""Run several rows through a network in one call: GPUs are fast only with many."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from celesta.models.runtime import Arrays, Network

T = TypeVar("T")


def run_rows(network: Network, rows: Sequence[dict[str, np.ndarray | int]], batch: int, **common: int) -> list[Arrays]:
    """Run rows through a network, neighbours of equal shapes together.

    Args:
        network: takes the arrays with a batch axis before theirs.
        rows: arrays and integers of each row. Integers of a batch become an array ``(B, 1)``; alone they stay integers.
        batch: rows of a call, at most.
        **common: integers that all rows share.

    Returns:
        The outputs of each row, their batch axis of length 1.

    Example:
        >>> from celesta.models.runtime import FunctionNetwork
        >>> double = FunctionNetwork(lambda x: 2 * x)
        >>> [out["out"].tolist() for out in run_rows(double, [{"x": np.ones(1)}, {"x": np.zeros(1)}], 2)]
        [[[2.0]], [[0.0]]]
    """
    made: list[Arrays] = []
    for _, some in itertools.groupby(rows, key=_shapes):
        for together in chunks(some, batch):
            inputs = {name: _stacked([row[name] for row in together]) for name in together[0]}
            out = network.run(**inputs, **common)
            made += [{name: array[i : i + 1] for name, array in out.items()} for i in range(len(together))]
    return made


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of ``size`` items, the last one shorter.

    >>> list(chunks("abc", 2))
    [['a', 'b'], ['c']]
    """
    stream = iter(items)
    while some := list(itertools.islice(stream, max(1, size))):
        yield some


def _shapes(row: dict[str, np.ndarray | int]) -> list[tuple[int, ...]]:
    return [value.shape for value in row.values() if isinstance(value, np.ndarray)]


def _stacked(values: list[np.ndarray | int]) -> np.ndarray | int:
    if len(values) == 1:
        value = values[0]
        return value[None] if isinstance(value, np.ndarray) else value
    stacked = np.stack(values)
    return stacked if isinstance(values[0], np.ndarray) else stacked[:, None]
