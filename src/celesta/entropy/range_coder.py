"""Range-code symbols, each by a row of a table, and large integers as bytes. Shared by base and detail."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import constriction
import numpy as np

from celesta.entropy.tables import TOTAL
from celesta.errors import LatentError

MOST = 1 << 20  # no number is larger
DAMAGE = (AssertionError, ValueError, IndexError)
"""What the decoder and NumPy raise on damaged bytes."""


@lru_cache(maxsize=4_096)
def _model(shares: bytes) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical(np.frombuffer(shares, np.int32) / TOTAL, perfect=False)


def encode(
    coder: constriction.stream.queue.RangeEncoder, symbols: np.ndarray, rows: np.ndarray, table: np.ndarray
) -> None:
    """Append symbols ``(n,)``, each coded by the row of ``table`` ``(rows, symbols)`` named for it, row after row."""
    symbols = symbols.astype(np.int32)
    order = np.argsort(rows, kind="stable")
    for row, first, last in _runs(rows[order]):
        coder.encode(symbols[order[first:last]], _model(table[row].tobytes()))


def decode(coder: constriction.stream.queue.RangeDecoder, rows: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Decode the symbols ``(n,)`` int64 that :func:`encode` appended."""
    found = np.zeros(len(rows), np.int64)
    order = np.argsort(rows, kind="stable")
    for row, first, last in _runs(rows[order]):
        found[order[first:last]] = coder.decode(_model(table[row].tobytes()), last - first)
    return found


def _runs(ordered: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Row, first and last + 1 of each run of equal rows."""
    if not len(ordered):
        return iter(())
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered)) + 1])
    stops = np.append(starts[1:], len(ordered))
    return zip(ordered[starts].tolist(), starts.tolist(), stops.tolist(), strict=True)


def opened(data: bytes) -> constriction.stream.queue.RangeDecoder:
    """A decoder of what a coder's words hold as little-endian bytes."""
    return constriction.stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))


def long(values: np.ndarray) -> bytes:
    """Code integers from 0 as variable-length bytes of seven bits, the least significant first."""
    made = bytearray()
    for value in np.minimum(values, MOST).tolist():
        while value >= 128:
            made.append(value & 127 | 128)
            value >>= 7
        made.append(value)
    return bytes(made)


def short(data: bytes, count: int) -> np.ndarray:
    """The ``count`` numbers that :func:`long` wrote.

    Raises:
        LatentError: the bytes hold other numbers than so many.
    """
    made, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            made.append(value)
            value, shift = 0, 0
        elif shift > 21:
            raise LatentError("coded numbers: one is too long")
    if len(made) != count or shift or (made and max(made) > MOST):
        raise LatentError("coded numbers: some are missing")
    return np.array(made, np.int64)
