"""The base's whole numbers as bytes: each channel's step from the frame before, given how lively it was."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import constriction
import numpy as np

from celesta.bits.detail import Family, _long, _short
from celesta.bits.tables import LIVELY, MOVES, TOTAL, BitTables, as_shares
from celesta.errors import LatentError

REACH = (MOVES - 3) // 2
_EDGES = np.array([1, 3, 6])
_HEAD = 2 * 4


def _lively(before: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """How far a channel went in the step before, in four classes."""
    found: np.ndarray = np.searchsorted(_EDGES, np.abs(before - earlier), side="right")
    return found


def _moves(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps and classes ``(channels, frames)``."""
    padded = np.pad(q.astype(np.int64), ((0, 0), (2, 0)))
    return padded[:, 2:] - padded[:, 1:-1], _lively(padded[:, 1:-1], padded[:, :-2])


def _symbols(moves: np.ndarray) -> np.ndarray:
    symbols = np.where(moves < -REACH, MOVES - 2, np.where(moves > REACH, MOVES - 1, moves + REACH))
    return symbols.astype(np.int32)


class BaseCounts:
    """Counts for the table, gathered song by song."""

    def __init__(self, channels: int) -> None:
        self.move = np.zeros((channels, LIVELY, MOVES))

    def add(self, q: np.ndarray) -> None:
        """Count ``(channels, frames)`` numbers."""
        moves, lively = _moves(q)
        rows = np.broadcast_to(np.arange(len(q))[:, None], q.shape)
        np.add.at(self.move, (rows, lively, _symbols(moves)), 1)

    def table(self) -> np.ndarray:
        """``move`` of :class:`celesta.bits.tables.BitTables`."""
        return as_shares(self.move, self.move.sum(1, keepdims=True))


def encode(q: np.ndarray, tables: BitTables, first: int = 0) -> bytes:
    """Bytes of ``(channels, frames)`` numbers, the first of them being channel ``first`` of the table."""
    if not len(q):
        return b""
    moves, lively = _moves(q)
    symbols = _symbols(moves)
    rows = np.broadcast_to(first + np.arange(len(q))[:, None], q.shape)
    coder = constriction.stream.queue.RangeEncoder()
    coder.encode(
        symbols.T.ravel(),
        Family(perfect=False),
        (tables.move[rows, lively] / TOTAL).transpose(1, 0, 2).reshape(-1, MOVES),
    )
    words = coder.get_compressed().astype("<u4").tobytes()
    beyond = np.abs(moves.T[symbols.T >= MOVES - 2]) - REACH - 1
    large = _long(beyond)
    made: bytes = np.array([len(words) // 4, len(large)], "<u4").tobytes() + words + large
    return made


def decode(data: bytes, channels: int, frames: int, tables: BitTables, first: int = 0) -> np.ndarray:
    """The ``(channels, frames)`` int32 numbers that :func:`encode` coded.

    Raises:
        LatentError: the bytes are no such channels.
    """
    return decode_all([(data, first, channels)], frames, tables)[0]


def decode_all(coded: Sequence[tuple[bytes, int, int]], frames: int, tables: BitTables) -> list[np.ndarray]:
    """Several of one length at once, frame by frame, each with its first channel and its number of channels.

    Raises:
        LatentError: the bytes of one of them are no such channels.
    """
    edges = np.cumsum([0, *(channels for _, _, channels in coded)])
    q = np.zeros((frames + 2, edges[-1]), np.int64)
    rows = np.concatenate([np.arange(0), *(first + np.arange(channels) for _, first, channels in coded)])
    jobs = [
        (slice(begin, end), *_opened(data))
        for (data, _, channels), begin, end in zip(coded, edges[:-1], edges[1:], strict=True)
        if channels
    ]
    table, family = tables.move / TOTAL, Family(perfect=False)
    try:
        for t in range(frames):
            lively = _lively(q[t + 1], q[t])
            for which, coder, large in jobs:
                symbols = coder.decode(family, table[rows[which], lively[which]])
                moves = symbols.astype(np.int64) - REACH
                for i in np.flatnonzero(symbols >= MOVES - 2):
                    moves[i] = (next(large) + REACH + 1) * (-1 if symbols[i] == MOVES - 2 else 1)
                q[t + 2, which] = q[t + 1, which] + moves
    except (AssertionError, ValueError, IndexError, StopIteration):
        raise LatentError("coded base: damaged, or coded with other tables") from None
    if any(next(large, None) is not None for _, _, large in jobs) or np.abs(q).max(initial=0) > 1 << 30:
        raise LatentError("coded base: damaged, or coded with other tables")
    return [q[2:, begin:end].T.astype(np.int32) for begin, end in itertools.pairwise(edges)]


def _opened(data: bytes) -> tuple[constriction.stream.queue.RangeDecoder, Iterator[int]]:
    if len(data) < _HEAD:
        raise LatentError("coded base: cut short")
    words, extra = (int(v) for v in np.frombuffer(data[:_HEAD], "<u4"))
    end = _HEAD + 4 * words
    if end + extra != len(data):
        raise LatentError("coded base: its sizes do not make sense")
    coder = constriction.stream.queue.RangeDecoder(np.frombuffer(data[_HEAD:end], "<u4").astype(np.uint32))
    try:
        return coder, iter(_all(data[end:]))
    except ValueError:
        raise LatentError("coded base: damaged, or coded with other tables") from None


def _all(data: bytes) -> list[int]:
    return [int(value) for value in _short(data, sum(byte < 128 for byte in data))]
