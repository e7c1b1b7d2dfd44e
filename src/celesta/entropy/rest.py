"""Range-code how much power the detail leaves out of each cell that it partly keeps, in steps below the envelope.

A cell of which nothing is kept leaves out what the envelope says, one that is kept whole nothing: both cost no bits.
"""

from __future__ import annotations

from collections.abc import Iterator

import constriction
import numpy as np

from celesta.entropy import range_coder as rows
from celesta.entropy.envelope_tables import DROPS, NEIGHBOURS, RATIOS, SHARES, EnvelopeTables
from celesta.entropy.tables import TOTAL, as_shares
from celesta.errors import LatentError

_EDGES = np.array([1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4])


def thresholds(q: np.ndarray, step: int, power: int, tables: EnvelopeTables) -> np.ndarray:
    """The envelope index at which a band's coefficients are as large as the least that is kept, ``(bands, groups)``.

    Args:
        q: ``(bands, groups)`` envelope indices.
        step: index of the detail's step.
        power: sixteenths of the power of the envelope in the step.
        tables: the codec's.
    """
    # In sixteenths of a dB: dead zone, step, weight, envelope. Integers, so that contexts are the same everywhere.
    level = (step - 768) * 20_069 // 10_000 - 66 + tables.level[:, None] + power * (3 * q.astype(np.int64) - 96)
    found: np.ndarray = (level + 96 * 16) // 48
    return found


class Cells:
    """The cells of a window that need a number, and what predicts it.

    Args:
        q: ``(bands, groups)`` envelope indices.
        at: ``(bands, groups)``, from :func:`thresholds`.
        kept: ``(bands, groups)`` coefficients that are kept.
        size: ``(bands,)`` coefficients of a cell.
    """

    def __init__(self, q: np.ndarray, at: np.ndarray, kept: np.ndarray, size: np.ndarray) -> None:
        self.q = q
        self.coded = (kept > 0) & (kept < size[:, None])
        self.whole = kept >= size[:, None]
        ratio = np.clip(at - q, -RATIOS // 2, RATIOS // 2 - 1) + RATIOS // 2
        share = np.searchsorted(_EDGES, kept / size[:, None], side="right")
        self.row = (ratio * SHARES + share).astype(np.int64)

    def passes(self, drop: np.ndarray, typical: np.ndarray) -> Iterator[tuple[tuple[np.ndarray, ...], np.ndarray]]:
        """Where the numbers of each of two passes are, and their rows; ``drop`` must hold the first pass's by then."""
        groups = self.q.shape[1]
        for first in (0, 1):
            where = np.zeros_like(self.coded)
            where[:, first::2] = self.coded[:, first::2]
            neighbours = np.zeros(self.q.shape, np.int64)
            if first:
                off = np.where(self.coded, np.sign(drop - typical[self.row]), 0)
                known = self.coded.astype(np.int64)
                grown, some = np.pad(off, ((0, 0), (1, 1))), np.pad(known, ((0, 0), (1, 1)))
                total = grown[:, :groups] + grown[:, 2:]
                any_ = some[:, :groups] + some[:, 2:]
                neighbours = np.where(any_ > 0, np.sign(total) + 2, 0)
            places = np.nonzero(where)
            yield places, (self.row * NEIGHBOURS + neighbours)[places]

    def indices(self, drop: np.ndarray) -> np.ndarray:
        """The envelope indices of what is left out, ``(bands, groups)`` int32."""
        left = np.maximum(self.q - np.where(self.coded, drop, 0), 0)
        return np.where(self.whole, 0, left).astype(np.int32)


def _typical(tables: EnvelopeTables) -> np.ndarray:
    """The median of each row without known neighbours."""
    table = tables.drop[::NEIGHBOURS]
    found: np.ndarray = (np.cumsum(table, axis=1) < TOTAL // 2).sum(1)
    return found


def encode(cells: Cells, rest: np.ndarray, tables: EnvelopeTables) -> tuple[bytes, np.ndarray]:
    """Bytes of the ``(bands, groups)`` indices of what is left out, and the indices as they will be decoded."""
    drop = np.clip(cells.q - rest, 0, DROPS - 1).astype(np.int64)
    coder = constriction.stream.queue.RangeEncoder()
    for places, row in cells.passes(drop, _typical(tables)):
        rows.encode(coder, drop[places], row, tables.drop)
    return coder.get_compressed().astype("<u4").tobytes(), cells.indices(drop)


def cost(cells: Cells, rest: np.ndarray, tables: EnvelopeTables) -> float:
    """Bits that :func:`encode` takes, near enough."""
    drop = np.clip(cells.q - rest, 0, DROPS - 1).astype(np.int64)
    parts = [tables.drop[row, drop[places]] for places, row in cells.passes(drop, _typical(tables))]
    return float(-np.log2(np.concatenate(parts) / TOTAL).sum()) + 16


def decode(data: bytes, cells: Cells, tables: EnvelopeTables) -> np.ndarray:
    """The ``(bands, groups)`` int32 indices that :func:`encode` coded.

    Raises:
        LatentError: the bytes are no such indices.
    """
    drop = np.zeros(cells.q.shape, np.int64)
    if len(data) % 4:
        raise LatentError("coded rest: cut short")
    try:
        coder = rows.opened(data)
        for places, row in cells.passes(drop, _typical(tables)):
            drop[places] = rows.decode(coder, row, tables.drop)
    except rows.DAMAGE:
        raise LatentError("coded rest: damaged, or coded with other tables") from None
    return cells.indices(drop)


class RestCounts:
    """Counts for the table, gathered song by song: first :meth:`add`, then :meth:`fit`."""

    def __init__(self) -> None:
        self.songs: list[tuple[Cells, np.ndarray]] = []

    def add(self, cells: Cells, rest: np.ndarray) -> None:
        """Take the indices of what is left out of a window's cells."""
        self.songs.append((cells, np.clip(cells.q - rest, 0, DROPS - 1).astype(np.int64)))

    def fit(self) -> np.ndarray:
        """``drop`` of :class:`EnvelopeTables`."""
        alone = np.zeros((RATIOS * SHARES, DROPS))
        for cells, drop in self.songs:
            at = cells.row[cells.coded] * DROPS + drop[cells.coded]
            alone.reshape(-1)[:] += np.bincount(at, minlength=alone.size)
        first = as_shares(alone, np.broadcast_to(alone.sum(0), alone.shape))
        typical = (np.cumsum(first, axis=1) < TOTAL // 2).sum(1)
        counts = np.zeros((RATIOS * SHARES, NEIGHBOURS, DROPS))
        for cells, drop in self.songs:
            for places, row in cells.passes(drop, typical):
                counts.reshape(-1)[:] += np.bincount(row * DROPS + drop[places], minlength=counts.size)
        counts[:, 0] = alone
        prior = np.broadcast_to(alone[:, None], counts.shape)
        return as_shares(counts, prior).reshape(-1, DROPS)
