"""Range-code the quantised base: each integer is predicted by the mean of the two frames around it, level by level."""

from __future__ import annotations

import constriction
import numpy as np

from celesta.entropy import range_coder
from celesta.entropy.frame_order import GROUP, LEVELS, Level, padded
from celesta.entropy.tables import LIVELY, MOVES, BitTables, as_shares
from celesta.errors import LatentError

REACH = (MOVES - 3) // 2
_EDGES = np.array([1, 3, 6])
_HEAD = 2 * 4
_LARGEST = 1 << 30


class _Canvas:
    """Integers that are coded so far, ``(frames rounded up to full groups + 1, channels)``."""

    def __init__(self, frames: int, channels: int, first: int) -> None:
        self.numbers = np.zeros((padded(frames) + 1, channels), np.int64)
        self.channel = first + np.arange(channels)

    def level(self, number: int, level: Level) -> tuple[np.ndarray, np.ndarray]:
        """Predict the frames of a level; return predictions and rows of the flattened table, both ``(n, channels)``."""
        x, (first, stride, reach) = self.numbers, level
        if reach:
            before = x[first - reach : -1 : stride]
            behind = x[first + reach :: stride]
            lively = np.searchsorted(_EDGES, np.abs(behind - before), side="right")
            expected = (before + behind) >> 1
        else:  # given the one before, in its turn
            expected = np.zeros_like(x[first:-1:stride])
            lively = np.zeros(expected.shape, np.int64)
        return expected, (self.channel * len(LEVELS) + number) * LIVELY + lively

    def put(self, level: Level, numbers: np.ndarray) -> None:
        """Write the numbers of a level."""
        self.numbers[level.first : -1 : level.stride] = numbers
        if not level.reach:
            self.numbers[-1] = self.numbers[-1 - GROUP]  # behind the last frame, the last that is known


def _walk(q: np.ndarray, first: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Yield differences from the predictions, and rows of the table, level by level."""
    channels, frames = q.shape
    canvas = _Canvas(frames, channels, first)
    full = np.pad(q.T.astype(np.int64), ((0, padded(frames) - frames), (0, 0)), mode="edge")
    made = []
    for number, level in enumerate(LEVELS):
        expected, cells = canvas.level(number, level)
        here = full[level.first :: level.stride]
        off = here - expected if level.reach else np.diff(here, axis=0, prepend=0)
        made.append((off, cells))
        canvas.put(level, here)
    return made


def _symbols(off: np.ndarray) -> np.ndarray:
    symbols = np.where(off < -REACH, MOVES - 2, np.where(off > REACH, MOVES - 1, off + REACH))
    return symbols.astype(np.int32)


class BaseCounts:
    """Counts for the table, gathered song by song."""

    def __init__(self, channels: int) -> None:
        self.move = np.zeros((channels, len(LEVELS), LIVELY, MOVES))

    def add(self, q: np.ndarray) -> None:
        """Count ``(channels, frames)`` numbers."""
        flat = self.move.reshape(-1)
        for off, cells in _walk(q):
            flat += np.bincount((cells * MOVES + _symbols(off)).ravel(), minlength=len(flat))

    def table(self) -> np.ndarray:
        """``move`` of :class:`celesta.entropy.tables.BitTables`."""
        return as_shares(self.move, self.move.sum(2, keepdims=True))


def encode(q: np.ndarray, tables: BitTables, first: int = 0) -> bytes:
    """Code integers ``(channels, frames)``; the first channel is channel ``first`` of the table."""
    if not q.size:
        return b""
    coder, table, beyond = constriction.stream.queue.RangeEncoder(), tables.move.reshape(-1, MOVES), []
    for off, cells in _walk(q, first):
        symbols = _symbols(off)
        range_coder.encode(coder, symbols.ravel(), cells.ravel(), table)
        beyond.append(np.abs(off[symbols >= MOVES - 2]) - REACH - 1)
    words = coder.get_compressed().astype("<u4").tobytes()
    large = range_coder.long(np.concatenate(beyond))
    made: bytes = np.array([len(words) // 4, len(large)], "<u4").tobytes() + words + large
    return made


def decode(data: bytes, channels: int, frames: int, tables: BitTables, first: int = 0) -> np.ndarray:
    """Decode the integers ``(channels, frames)`` int32 that :func:`encode` coded.

    Raises:
        LatentError: the bytes are no such channels.
    """
    if not channels:
        return np.zeros((0, frames), np.int32)
    if len(data) < _HEAD:
        raise LatentError("coded base: cut short")
    words, extra = (int(v) for v in np.frombuffer(data[:_HEAD], "<u4"))
    end = _HEAD + 4 * words
    if end + extra != len(data):
        raise LatentError("coded base: its sizes do not make sense")
    canvas, table, used = _Canvas(frames, channels, first), tables.move.reshape(-1, MOVES), 0
    try:
        coder = range_coder.opened(data[_HEAD:end])
        large = range_coder.short(data[end:], sum(byte < 128 for byte in data[end:]))
        for number, level in enumerate(LEVELS):
            expected, cells = canvas.level(number, level)
            symbols = range_coder.decode(coder, cells.ravel(), table).reshape(cells.shape)
            off = symbols - REACH
            beyond = symbols >= MOVES - 2
            count = int(beyond.sum())
            sizes = large[used : used + count] + REACH + 1
            off[beyond] = np.where(symbols[beyond] == MOVES - 2, -sizes, sizes)
            used += count
            canvas.put(level, expected + off if level.reach else np.cumsum(off, axis=0))
    except range_coder.DAMAGE:
        raise LatentError("coded base: damaged, or coded with other tables") from None
    found = canvas.numbers[:frames]
    if used != len(large) or np.abs(found).max(initial=0) > _LARGEST:
        raise LatentError("coded base: damaged, or coded with other tables")
    return np.ascontiguousarray(found.T.astype(np.int32))
