"""Range-code the band envelope: each index is predicted from its coded neighbours in time and frequency.

Cell groups come level by level (:mod:`celesta.entropy.frame_order`), and within a level every fourth band first, then
those halfway between, so whole passes are decoded at once. Predictions are integer arithmetic: the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import constriction
import numpy as np

from celesta.entropy import range_coder as rows
from celesta.entropy.envelope_tables import ACTIVITIES, FRACTIONS, INPUTS, SYMBOLS, ZONES, EnvelopeTables
from celesta.entropy.frame_order import GROUP, LEVELS, Level, padded
from celesta.entropy.tables import as_shares
from celesta.errors import LatentError

REACH = (SYMBOLS - 3) // 2
LARGEST = 63
_SPLITS = ((0, 4, 0), (2, 4, 2), (1, 2, 1))
_EDGES = np.array([2, 4, 7, 12])
_ZONE = np.repeat(np.arange(ZONES), (8, 9, 8))  # of each band
_HEAD = 4
LEAN = 0.25
_UNIT = 64  # weights are 1/256 and predictions quarters of a step


class _Pass(NamedTuple):
    """Cells of a pass, its inputs ``(n, bands, INPUTS)`` int64 and activity classes ``(n, bands)``."""

    where: tuple[slice, slice]
    inputs: np.ndarray
    activity: np.ndarray


class _Canvas:
    """Indices known so far, ``(groups rounded up to a multiple of eight + 1, bands)``."""

    def __init__(self, groups: int, bands: int) -> None:
        self.known = np.zeros((padded(groups) + 1, bands), np.int64)
        self.bands = bands

    def passes(self) -> Iterator[_Pass]:
        """All passes in order; before the next one is asked for, its indices must be in ``known``."""
        for level in LEVELS:
            for first, stride, reach in _SPLITS:
                yield self._pass(level, slice(first, None, stride), reach)
            if not level.reach:
                self.known[-1] = self.known[-1 - GROUP]

    def _pass(self, level: Level, bands: slice, reach: int) -> _Pass:
        here = np.arange(self.bands)[bands]
        rows_ = slice(level.first, -1, level.stride)
        now = self.known[rows_]
        zero = np.zeros((len(now), len(here)), np.int64)
        before = behind = np.zeros_like(now)
        if level.reach:
            before = self.known[level.first - level.reach : -1 : level.stride]
            behind = self.known[level.first + level.reach :: level.stride]
        low, high = zero, zero
        around_low, around_high = zero, zero
        if reach:
            below = here - reach
            above = np.where(here + reach < self.bands, here + reach, below)
            low, high = now[:, below], now[:, above]
            around_low, around_high = (before + behind)[:, below], (before + behind)[:, above]
        inputs = [before[:, here], behind[:, here], low, high, around_low, around_high, zero + 16]
        activity = np.abs(before - behind)[:, here]
        if reach:
            activity = activity + (np.abs(2 * low - around_low) + np.abs(2 * high - around_high) if level.reach else 0)
            activity = activity + (0 if level.reach else np.abs(low - high))
        return _Pass((rows_, bands), np.stack(inputs, -1), np.searchsorted(_EDGES, activity, side="right"))


def _walk(q: np.ndarray) -> Iterator[tuple[_Pass, np.ndarray]]:
    """Passes and their indices, of ``(bands, groups)``."""
    bands, groups = q.shape
    canvas = _Canvas(groups, bands)
    # All at once: passes look at nothing that comes later.
    canvas.known[:-1] = np.pad(q.T, ((0, padded(groups) - groups), (0, 0)), mode="edge")
    for one in canvas.passes():
        yield one, canvas.known[one.where]


def _expected(one: _Pass, number: int, tables: EnvelopeTables) -> tuple[np.ndarray, np.ndarray]:
    """The predicted index and the row of ``offset`` of each cell."""
    quarters = (one.inputs @ tables.weights[number].astype(np.int64) + _UNIT // 2) // _UNIT
    expected = (quarters + 2) >> 2
    # Silence next to silence is nearly certain, whatever the band.
    activity = np.where(expected <= 0, ACTIVITIES - 1, one.activity)
    zone = _ZONE[one.where[1]]
    row = ((number * ZONES + zone) * ACTIVITIES + activity) * FRACTIONS + (quarters & 3)
    return expected, row


def _symbols(off: np.ndarray) -> np.ndarray:
    symbols = np.where(off < -REACH, SYMBOLS - 2, np.where(off > REACH, SYMBOLS - 1, off + REACH))
    return symbols.astype(np.int32)


class EnvelopeCounts:
    """Fits the predictions and counts their errors, song by song: first :meth:`add`, then :meth:`fit`."""

    def __init__(self) -> None:
        self.songs: list[np.ndarray] = []

    def add(self, q: np.ndarray) -> None:
        """Take ``(bands, groups)`` indices."""
        self.songs.append(q)

    def fit(self) -> tuple[np.ndarray, np.ndarray]:
        """``weights`` and ``offset`` of :class:`EnvelopeTables`."""
        passes = len(LEVELS) * len(_SPLITS)
        gathered: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(passes)]
        for q in self.songs:
            for number, (one, here) in enumerate(_walk(q)):
                gathered[number].append((one.inputs.reshape(-1, INPUTS), here.ravel()))
        weights = np.zeros((passes, INPUTS), np.int32)
        for number, parts in enumerate(gathered):
            x = np.concatenate([a for a, _ in parts]).astype(float)
            y = np.concatenate([b for _, b in parts]).astype(float)
            found = np.linalg.solve(x.T @ x + 1e-3 * len(x) * np.eye(INPUTS), x.T @ y)
            weights[number] = np.clip(np.rint(256 * found), -(1 << 14), 1 << 14)
        blank = EnvelopeTables.blank(weights)
        counts = np.zeros((len(blank.offset), SYMBOLS))
        for q in self.songs:
            for number, (one, here) in enumerate(_walk(q)):
                expected, row = _expected(one, number, blank)
                at = row.ravel() * SYMBOLS + _symbols(here - expected).ravel()
                counts.reshape(-1)[:] += np.bincount(at, minlength=counts.size)
        shaped = counts.reshape(passes, -1, SYMBOLS)
        prior = np.broadcast_to(shaped.sum(1, keepdims=True), shaped.shape).reshape(counts.shape)
        return weights, as_shares(counts, prior)


def quantise(level: np.ndarray, tables: EnvelopeTables, lean: float = LEAN) -> np.ndarray:
    """Indices ``(bands, groups)`` int32 of levels in steps, leaning towards what the neighbours predict.

    An index costs least where it is the predicted one, and half a step more or less is not audible.

    Args:
        level: ``(bands, groups)`` envelope in steps, not rounded, 0 for silence.
        tables: the codec's.
        lean: share of a step beyond the half that the predicted index covers; 0 rounds to the nearest.
    """
    bands, groups = level.shape
    canvas = _Canvas(groups, bands)
    wanted = np.pad(level.T, ((0, padded(groups) - groups), (0, 0)), mode="edge")
    for number, one in enumerate(canvas.passes()):
        expected, _ = _expected(one, number, tables)
        here = wanted[: len(wanted)][one.where[0].start :: one.where[0].step, one.where[1]]
        off = here - expected
        moved = np.sign(off) * np.floor(np.maximum(np.abs(off) + 0.5 - lean, 0))
        found = np.where(here < 0.5, 0, np.clip(expected + moved, 1, LARGEST))
        canvas.known[one.where] = found.astype(np.int64)
    return np.ascontiguousarray(canvas.known[:groups].T.astype(np.int32))


def encode(q: np.ndarray, tables: EnvelopeTables) -> bytes:
    """Bytes of ``(bands, groups)`` indices from 0 to 63."""
    coder, beyond = constriction.stream.queue.RangeEncoder(), []
    for number, (one, here) in enumerate(_walk(q)):
        expected, row = _expected(one, number, tables)
        off = here - expected
        symbols = _symbols(off)
        rows.encode(coder, symbols.ravel(), row.ravel(), tables.offset)
        beyond.append(np.abs(off[symbols >= SYMBOLS - 2]) - REACH - 1)
    words = coder.get_compressed().astype("<u4").tobytes()
    made: bytes = np.array([len(words) // 4], "<u4").tobytes() + words + rows.long(np.concatenate(beyond))
    return made


def decode(data: bytes, bands: int, groups: int, tables: EnvelopeTables) -> np.ndarray:
    """The ``(bands, groups)`` int32 indices that :func:`encode` coded.

    Raises:
        LatentError: the bytes are no such envelope.
    """
    if len(data) < _HEAD:
        raise LatentError("coded envelope: cut short")
    end = _HEAD + 4 * int(np.frombuffer(data[:_HEAD], "<u4")[0])
    if end > len(data):
        raise LatentError("coded envelope: its sizes do not make sense")
    canvas, used = _Canvas(groups, bands), 0
    try:
        coder = rows.opened(data[_HEAD:end])
        large = rows.short(data[end:], sum(byte < 128 for byte in data[end:]))
        for number, one in enumerate(canvas.passes()):
            expected, row = _expected(one, number, tables)
            symbols = rows.decode(coder, row.ravel(), tables.offset).reshape(row.shape)
            off = symbols - REACH
            beyond = symbols >= SYMBOLS - 2
            count = int(beyond.sum())
            sizes = large[used : used + count] + REACH + 1
            off[beyond] = np.where(symbols[beyond] == SYMBOLS - 2, -sizes, sizes)
            used += count
            found = expected + off
            if found.min(initial=0) < 0 or found.max(initial=0) > LARGEST:
                raise ValueError("out of range")
            canvas.known[one.where] = found
    except rows.DAMAGE:
        raise LatentError("coded envelope: damaged, or coded with other tables") from None
    if used != len(large):
        raise LatentError("coded envelope: damaged, or coded with other tables")
    return np.ascontiguousarray(canvas.known[:groups].T.astype(np.int32))
