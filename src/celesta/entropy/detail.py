"""Range-code the quantised coefficients: which are nonzero, their magnitudes, their signs.

Frames come level by level (:mod:`celesta.entropy.frame_order`), and within a level every second coefficient first,
then those between, given their coded neighbours too. All that a pass needs is known before it, so it is coded and
decoded at once. Streams: zero or not, magnitudes, signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import constriction
import numpy as np

from celesta.entropy import range_coder
from celesta.entropy.frame_order import GROUP, LEVELS, Level, padded
from celesta.entropy.tables import ADJACENT, CLASSES, LARGEST, NEAR, PASSES, TOTAL, WIDE, ZONES, BitTables, as_shares
from celesta.errors import LatentError

_HEAD = 4 * 4
_CAP = 15
_SIDE = 16
MARGIN = 32
_BEFORE = 8
_NEAR_EDGES = [1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 26, 34, 44, 60, 84, 120]
_WIDE_EDGES = [1, 2, 3, 5, 8, 12, 17, 24, 34, 48]
_CLASS_EDGES = [1, 2, 4, 6, 8, 11, 14, 18, 23, 29, 36, 45, 56, 70, 86, 105, 130, 160, 200]
_MOST_NEAR, _MOST_WIDE = 64 * _CAP, 16 * _SIDE
_NEAR = np.searchsorted(_NEAR_EDGES, np.arange(_MOST_NEAR), side="right").astype(np.int32)
_WIDE = (NEAR * np.searchsorted(_WIDE_EDGES, np.arange(_MOST_WIDE), side="right")).astype(np.int32)
_CLASS = (ADJACENT * np.searchsorted(_CLASS_EDGES, np.arange(_MOST_NEAR), side="right")).astype(np.int32)
_BERNOULLI = constriction.stream.model.Bernoulli(perfect=False)


class Split(NamedTuple):
    """Coefficients ``first``, ``first + stride``, ...; known are those ``reach`` below and above (0: none)."""

    first: int
    stride: int
    reach: int


_HALVES = (Split(0, 2, 0), Split(1, 2, 1))
_QUARTERS = (Split(0, 4, 0), Split(2, 4, 2), Split(1, 2, 1))
ORDER = tuple((level, _HALVES if level.reach else _QUARTERS) for level in LEVELS)


class Pass(NamedTuple):
    """Places of the integers of a pass in ``(frames, bands)`` arrays, their cells of ``found`` and rows of ``size``."""

    where: tuple[slice, slice]
    cells: np.ndarray
    classes: np.ndarray


class Canvas:
    """Capped magnitudes of a window known so far, with zeros around, and the contexts that they give.

    Args:
        frames: of the window.
        top: bands that hold anything.
        levels: ``(bands, frames)`` classes from 0 to ``WIDE - 1`` that an envelope gives; without them it counts how
            many of the wider neighbourhood are not zero.
    """

    def __init__(self, frames: int, top: int, levels: np.ndarray | None = None) -> None:
        self.frames, self.top = padded(frames), top
        self.levels: np.ndarray | None = None
        if levels is not None:
            grown = ((0, self.frames - frames), (0, max(0, top - len(levels))))
            self.levels = NEAR * np.pad(levels[:top].T, grown, mode="edge").astype(np.int32)
        self.sizes = np.zeros((_BEFORE + self.frames + 2 * GROUP, top + 2 * MARGIN), np.int16)
        zone = np.minimum(np.log2(1 + np.arange(top) / 4).astype(int), ZONES - 1)
        self.offset = (NEAR * WIDE * zone).astype(np.int32)

    def put(self, where: tuple[slice, slice], magnitudes: np.ndarray) -> None:
        """Write the magnitudes of a pass."""
        self.sizes[_BEFORE : _BEFORE + self.frames, MARGIN : MARGIN + self.top][where] = np.minimum(magnitudes, _CAP)

    def passes(self) -> Iterator[Pass]:
        """All passes in order; before the next one is asked for, its numbers must have been put."""
        number = 0
        for level, splits in ORDER:
            near, wide = self._around_in_time(level)
            for split in splits:
                more, some = self._around_in_frequency(level, split)
                bands = slice(split.first, None, split.stride)
                here = near[:, bands] + more
                where = (slice(level.first, None, level.stride), bands)
                context = _WIDE[wide[:, bands] + some] if self.levels is None else self.levels[where]
                cells = _NEAR[here] + context + self.offset[bands]
                cells += number * NEAR * WIDE * ZONES
                yield Pass(where, cells, _CLASS[here] + number * CLASSES * ADJACENT)
                number += 1
            if not level.reach:  # behind the last frame, the last that is known
                end = _BEFORE + self.frames
                self.sizes[end] = self.sizes[end - GROUP]

    def _frames(self, level: Level, shift: int) -> np.ndarray:
        """Those ``shift`` from the frames of a level, ``(n, top + 2 * MARGIN)``."""
        first = _BEFORE + level.first + shift
        return self.sizes[first : first + self.frames - level.first : level.stride]

    def _around_in_time(self, level: Level) -> tuple[np.ndarray, np.ndarray]:
        """Return weighted magnitudes and the count of nonzero neighbours in the frames around, ``(n, top)`` each."""
        count = len(range(level.first, self.frames, level.stride))
        near = np.zeros((count, self.top), np.int16)
        wide = np.zeros((count, self.top), np.int16)
        if not level.reach:
            return near, wide

        def at(of: np.ndarray, shift: int) -> np.ndarray:
            return of[:, MARGIN + shift : MARGIN + shift + self.top]

        both = self._frames(level, -level.reach) + self._frames(level, level.reach)
        near += 5 * at(both, 0) + 3 * (at(both, -1) + at(both, 1)) + at(both, -2) + at(both, 2)
        if level.reach <= 2:
            near += at(self._frames(level, -3 * level.reach), 0) + at(self._frames(level, 3 * level.reach), 0)
        for shift in (-level.reach, level.reach) if self.levels is None else ():
            sums = np.cumsum(self._frames(level, shift) != 0, axis=1, dtype=np.int16)
            wide += at(sums, _SIDE) - at(sums, -_SIDE - 1)
        return near, wide

    def _around_in_frequency(self, level: Level, split: Split) -> tuple[np.ndarray | int, np.ndarray | int]:
        """Do the same for the coded neighbours in the frame itself."""
        if not split.reach:
            return 0, 0
        known = self._frames(level, 0)[:, MARGIN % split.stride :: split.stride]  # a coefficient each side of the first
        first, count = MARGIN // split.stride, len(range(split.first, self.top, split.stride))

        def at(of: np.ndarray, shift: int) -> np.ndarray:
            return of[:, first + shift : first + shift + count]

        weight, side = (8, 3) if level.reach else (14, 8 // split.reach)
        near = weight * (at(known, 0) + at(known, 1)) + weight // 4 * (at(known, -1) + at(known, 2))
        if self.levels is not None:
            return near, 0
        sums = np.cumsum(known != 0, axis=1, dtype=np.int16)
        return near, (2 * split.reach) * (at(sums, side) - at(sums, -side))


def _neighbours(some: np.ndarray) -> np.ndarray:
    """How many of a coefficient's two neighbours in its own pass are not zero, ``(n, bands)``."""
    made = np.zeros(some.shape, np.int32)
    made[:, 1:] += some[:, :-1]
    made[:, :-1] += some[:, 1:]
    return made


def _top(q: np.ndarray) -> int:
    """Return the number of bands up to the last nonzero one, rounded up to a multiple of four; 0 if all are zero."""
    held = np.flatnonzero(q.any(axis=1))
    return -(-(int(held[-1]) + 1) // 4) * 4 if len(held) else 0


def _walk(
    q: np.ndarray, top: int, levels: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Cells of all numbers, rows of those that are not zero, and these numbers, pass by pass."""
    canvas = Canvas(q.shape[1], top, levels)
    numbers = np.zeros((canvas.frames, top), np.int32)
    numbers[: q.shape[1], : len(q)] = q[:top].T
    whole = slice(None)
    canvas.put((whole, whole), np.abs(numbers))  # passes look at nothing that comes later
    for one in canvas.passes():
        here = numbers[one.where]
        some = here != 0
        yield one.cells, (one.classes + _neighbours(some))[some], here


class DetailCounts:
    """Counts for the tables, gathered song by song."""

    def __init__(self) -> None:
        self.found = np.zeros((PASSES, ZONES, WIDE, NEAR, 2))
        self.size = np.zeros((PASSES * CLASSES * ADJACENT, LARGEST))

    def add(self, q: np.ndarray, levels: np.ndarray | None = None) -> None:
        """Count ``(bands, frames)`` numbers. ``levels`` as in :class:`Canvas`, here and below."""
        found, size = self.found.reshape(-1), self.size.reshape(-1)
        for cells, rows_, here in _walk(q, -(-len(q) // 4) * 4, levels):
            some = here != 0
            found += np.bincount((2 * cells + some).ravel(), minlength=len(found))
            size += np.bincount(rows_ * LARGEST + np.minimum(np.abs(here[some]), LARGEST) - 1, minlength=len(size))

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """``found`` and ``size`` of :class:`celesta.entropy.tables.BitTables`."""
        prior = self.found.sum((1, 2), keepdims=True)
        shares = as_shares(self.found, np.broadcast_to(prior, self.found.shape))[..., 1]
        return np.ascontiguousarray(shares), as_shares(self.size, self.size.sum(0, keepdims=True))


def cost(q: np.ndarray, tables: BitTables, levels: np.ndarray | None = None) -> float:
    """Estimate the bits that :func:`encode` takes for integers ``(bands, frames)``, without coding them."""
    top, bits = _top(q), 0.0
    if not top:
        return 0.0
    found, size = tables.bits_found.reshape(-1), tables.bits_size
    for cells, rows_, here in _walk(q, top, levels):
        some = here != 0
        bits += float(found[2 * cells + some].sum(dtype=np.float64)) + len(rows_)
        magnitudes = np.minimum(np.abs(here[some]), LARGEST)
        bits += float(size[rows_, magnitudes - 1].sum(dtype=np.float64)) + 8 * np.count_nonzero(magnitudes == LARGEST)
    return bits + 8 * (_HEAD + 6)


def encode(q: np.ndarray, tables: BitTables, levels: np.ndarray | None = None) -> bytes:
    """Code integers ``(bands, frames)``; a window of zeros is no bytes at all."""
    top = _top(q)
    if not top:
        return b""
    found, sizes, kept = constriction.stream.queue.RangeEncoder(), constriction.stream.queue.RangeEncoder(), []
    shares = tables.found.ravel() / TOTAL
    for cells, rows_, here in _walk(q, top, levels):
        some = here != 0
        found.encode(some.ravel().astype(np.int32), _BERNOULLI, shares[cells.ravel()])
        kept.append(here[some])
        range_coder.encode(sizes, np.minimum(np.abs(kept[-1]), LARGEST) - 1, rows_, tables.size)
    numbers = np.concatenate(kept)
    magnitudes = np.abs(numbers)
    parts = [coder.get_compressed().astype("<u4").tobytes() for coder in (found, sizes)]
    large = range_coder.long(magnitudes[magnitudes >= LARGEST] - LARGEST)
    head = np.array([top, len(parts[0]) // 4, len(parts[1]) // 4, len(large)], "<u4").tobytes()
    made: bytes = head + parts[0] + parts[1] + large + np.packbits(numbers < 0).tobytes()
    return made


def decode(data: bytes, bands: int, frames: int, tables: BitTables, levels: np.ndarray | None = None) -> np.ndarray:
    """Decode the integers ``(bands, frames)`` int32 that :func:`encode` coded.

    Raises:
        LatentError: the bytes are no such window.
    """
    if not data:
        return np.zeros((bands, frames), np.int32)
    if len(data) < _HEAD:
        raise LatentError("coded detail: cut short")
    top, words, more, extra = (int(v) for v in np.frombuffer(data[:_HEAD], "<u4"))
    first, second = _HEAD + 4 * words, _HEAD + 4 * (words + more)
    third = second + extra
    if not 4 <= top <= bands + 3 or top % 4 or third > len(data):
        raise LatentError("coded detail: its sizes do not make sense")
    try:
        coders = range_coder.opened(data[_HEAD:first]), range_coder.opened(data[first:second])
        return _decoded(coders, data[second:third], data[third:], top, frames, bands, tables, levels)
    except (*range_coder.DAMAGE, LatentError):
        raise LatentError("coded detail: damaged, or coded with other tables") from None


def _decoded(
    coders: tuple[constriction.stream.queue.RangeDecoder, constriction.stream.queue.RangeDecoder],
    large: bytes,
    signs: bytes,
    top: int,
    frames: int,
    bands: int,
    tables: BitTables,
    levels: np.ndarray | None,
) -> np.ndarray:
    canvas, shares = Canvas(frames, top, levels), tables.found.ravel() / TOTAL
    numbers = np.zeros((canvas.frames, top), np.int32)
    found, sizes = coders
    places, values = [], []
    where_all = np.arange(numbers.size, dtype=np.int32).reshape(numbers.shape)
    for one in canvas.passes():
        some = found.decode(_BERNOULLI, shares[one.cells.ravel()]).reshape(one.cells.shape).astype(bool)
        here = range_coder.decode(sizes, (one.classes + _neighbours(some))[some], tables.size) + 1
        magnitudes = np.zeros(some.shape, np.int32)
        magnitudes[some] = here
        canvas.put(one.where, magnitudes)
        places.append(where_all[one.where][some])
        values.append(here)
    place, value = np.concatenate(places), np.concatenate(values)
    beyond = value == LARGEST  # contexts cap magnitudes, so what is large could wait until here
    value[beyond] += range_coder.short(large, int(beyond.sum()))
    if len(signs) != -(-len(value) // 8) or not len(value):
        raise ValueError("signs")
    negative = np.unpackbits(np.frombuffer(signs, np.uint8), count=len(value)).astype(bool)
    numbers.reshape(-1)[place] = np.where(negative, -value, value)
    out = np.zeros((bands, frames), np.int32)
    kept = numbers[:frames, : min(top, bands)].T
    out[: len(kept)] = kept
    return out
