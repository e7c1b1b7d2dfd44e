"""The detail's whole numbers as bytes: which coefficients are not zero, how large they are, their signs.

A frame's even coefficients are coded first, each given the frame before; then the odd ones, given their coded
neighbours too. So a decoder works on half a frame at once. Three streams: zero or not, magnitudes, signs.
"""

from __future__ import annotations

from collections.abc import Iterator

import constriction
import numpy as np

from celesta.bits.tables import AROUND, LARGEST, NEAR, PHASES, TOTAL, WIDE, ZONES, BitTables, as_shares
from celesta.errors import LatentError

MOST = 1 << 20  # no magnitude is larger
_HEAD = 4 * 4
_NEAR_EDGES = np.array([1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30, 42])
_WIDE_EDGES = np.array([1, 2, 4, 7, 11, 16])
_AROUND_EDGES = np.array([1, 2, 3, 5, 8, 13, 20, 32])
_SIDE = 6
Family = constriction.stream.model.Categorical
Bernoulli = constriction.stream.model.Bernoulli


class _Frames:
    """Contexts of a frame's halves from magnitudes, the same for coder and decoder."""

    def __init__(self, bands: int) -> None:
        self.bands = bands
        place = np.arange(bands)
        self.zone = np.minimum(np.log2(1 + place / 4).astype(int), ZONES - 1)
        self.halves = (place[0::2], place[1::2])

    def contexts(self, before: np.ndarray, earlier: np.ndarray, now: np.ndarray, phase: int) -> tuple[np.ndarray, ...]:
        """Cells of the zero-or-not table and rows of the magnitudes' table of one half.

        Args:
            before: ``(bands,)`` magnitudes of the frame before.
            earlier: of the one before that.
            now: of this frame, the even half filled in where ``phase`` is 1.
            phase: 0 for the even half, 1 for the odd one.
        """
        capped, far = np.minimum(before, 15), np.minimum(earlier, 15)
        side = np.pad(capped, 2)
        near = 3 * capped + 2 * (side[1:-3] + side[3:-1]) + side[:-4] + side[4:] + far
        sums = np.cumsum(np.pad((before > 0).astype(np.int64), (_SIDE + 1, _SIDE)))
        wide = sums[2 * _SIDE + 1 :] - sums[: -2 * _SIDE - 1]
        around = np.maximum(capped, np.maximum(side[1:-3], side[3:-1]))
        if phase:
            now = np.where(np.arange(self.bands) % 2, 0, now)  # a coder knows the odd half already, a decoder does not
            own = np.pad(np.minimum(now, 15), 3)
            near = near + 4 * (own[2:-4] + own[4:-2]) + own[:-6] + own[6:]
            around = around + own[2:-4] + own[4:-2]
            counts = np.cumsum(np.pad((now > 0).astype(np.int64), (_SIDE + 1, _SIDE)))
            wide = wide + 2 * (counts[2 * _SIDE + 1 :] - counts[: -2 * _SIDE - 1])
        half = self.halves[phase]
        cell = np.searchsorted(_NEAR_EDGES, near[half], side="right")
        cell = cell + NEAR * np.searchsorted(_WIDE_EDGES, wide[half], side="right")
        cell = cell + NEAR * WIDE * (self.zone[half] + ZONES * phase)
        return cell, np.searchsorted(_AROUND_EDGES, around[half], side="right")


def _walk(q: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Half after half of ``(bands, frames)`` numbers: cells, rows, and the half's numbers."""
    frames = _Frames(len(q))
    size = np.abs(q).T.astype(np.int64)
    silent = np.zeros(len(q), np.int64)
    for t in range(q.shape[1]):
        before, earlier = (size[t - 1] if t else silent), (size[t - 2] if t > 1 else silent)
        for phase in range(PHASES):
            cell, row = frames.contexts(before, earlier, size[t], phase)
            yield cell, row, q[frames.halves[phase], t]


class DetailCounts:
    """Counts for the tables, gathered song by song."""

    def __init__(self) -> None:
        self.found = np.zeros((PHASES * ZONES * WIDE * NEAR, 2))
        self.size = np.zeros((AROUND, LARGEST))

    def add(self, q: np.ndarray) -> None:
        """Count ``(bands, frames)`` numbers."""
        for cell, row, half in _walk(q):
            some = half != 0
            np.add.at(self.found, (cell, some.astype(int)), 1)
            np.add.at(self.size, (row[some], np.minimum(np.abs(half[some]), LARGEST) - 1), 1)

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """``found`` and ``size`` of :class:`celesta.bits.tables.BitTables`."""
        found = self.found.reshape(PHASES, ZONES, WIDE, NEAR, 2)
        prior = found.sum((1, 2), keepdims=True)
        shares = as_shares(found, np.broadcast_to(prior, found.shape))[..., 1]
        return np.ascontiguousarray(shares), as_shares(self.size, self.size.sum(0, keepdims=True))


def encode(q: np.ndarray, tables: BitTables) -> bytes:
    """Bytes of ``(bands, frames)`` whole numbers; a window without any is no bytes at all."""
    rows = np.flatnonzero(q.any(axis=1))
    if not len(rows):
        return b""
    top = int(rows[-1]) + 1
    top += top % 2
    halves = list(_walk(np.pad(q, ((0, max(0, top - len(q))), (0, 0)))[:top]))
    cells, around, numbers = (np.concatenate([half[i] for half in halves]) for i in range(3))
    some = numbers != 0
    size = np.abs(numbers[some])
    found = constriction.stream.queue.RangeEncoder()
    found.encode(some.astype(np.int32), Bernoulli(perfect=False), tables.found.ravel()[cells] / TOTAL)
    sizes = constriction.stream.queue.RangeEncoder()
    symbols = (np.minimum(size, LARGEST) - 1).astype(np.int32)
    sizes.encode(symbols, Family(perfect=False), tables.size[around[some]] / TOTAL)
    parts = [found.get_compressed().astype("<u4").tobytes(), sizes.get_compressed().astype("<u4").tobytes()]
    signs = np.packbits(numbers[some] < 0).tobytes()
    large = _long(size[size >= LARGEST] - LARGEST)
    head = np.array([top, len(parts[0]) // 4, len(parts[1]) // 4, len(large)], "<u4").tobytes()
    made: bytes = head + parts[0] + parts[1] + large + signs
    return made


def decode(data: bytes, bands: int, frames: int, tables: BitTables) -> np.ndarray:
    """The ``(bands, frames)`` int32 numbers that :func:`encode` coded.

    Raises:
        LatentError: the bytes are no such window.
    """
    q = np.zeros((bands, frames), np.int32)
    if not data:
        return q
    if len(data) < _HEAD:
        raise LatentError("coded detail: cut short")
    top, words, more, extra = (int(v) for v in np.frombuffer(data[:_HEAD], "<u4"))
    first, second, third = _HEAD + 4 * words, _HEAD + 4 * (words + more), _HEAD + 4 * (words + more) + extra
    if not 2 <= top <= bands + 1 or top % 2 or third > len(data):
        raise LatentError("coded detail: its sizes do not make sense")
    found = constriction.stream.queue.RangeDecoder(np.frombuffer(data[_HEAD:first], "<u4").astype(np.uint32))
    sizes = constriction.stream.queue.RangeDecoder(np.frombuffer(data[first:second], "<u4").astype(np.uint32))
    size = np.zeros((frames + 2, top), np.int64)
    walk, shares, rows = _Frames(top), tables.found.ravel() / TOTAL, tables.size / TOTAL
    bernoulli, family = Bernoulli(perfect=False), Family(perfect=False)
    order: list[tuple[int, np.ndarray]] = []
    try:
        for t in range(frames):
            now = size[t + 2]
            for phase in range(PHASES):
                cell, row = walk.contexts(size[t + 1], size[t], now, phase)
                some = np.flatnonzero(found.decode(bernoulli, shares[cell]))
                if len(some):
                    places = walk.halves[phase][some]
                    now[places] = sizes.decode(family, rows[row[some]]) + 1
                    order.append((t, places))
        _finish(q, size[2:], order, data[second:third], data[third:])
    except (AssertionError, ValueError, IndexError, StopIteration):
        raise LatentError("coded detail: damaged, or coded with other tables") from None
    return q


def _finish(q: np.ndarray, size: np.ndarray, order: list[tuple[int, np.ndarray]], large: bytes, signs: bytes) -> None:
    """Large magnitudes and signs into ``q``. Contexts cap magnitudes, so what is large could wait until here."""
    if not order:
        raise ValueError("nothing in it")
    times = np.concatenate([np.full(len(places), t) for t, places in order])
    places = np.concatenate([places for _, places in order])
    values = size[times, places]
    rest = _short(large, int(np.sum(values == LARGEST)))
    values[values == LARGEST] += rest
    if len(signs) != -(-len(values) // 8):
        raise ValueError("signs")
    negative = np.unpackbits(np.frombuffer(signs, np.uint8), count=len(values)).astype(bool)
    keep = places < len(q)
    q[places[keep], times[keep]] = np.where(negative, -values, values)[keep]


def _long(values: np.ndarray) -> bytes:
    """Numbers from 0 as bytes of seven bits, the least first."""
    made = bytearray()
    for value in np.minimum(values, MOST).tolist():
        while value >= 128:
            made.append(value & 127 | 128)
            value >>= 7
        made.append(value)
    return bytes(made)


def _short(data: bytes, count: int) -> np.ndarray:
    made, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            made.append(value)
            value, shift = 0, 0
        elif shift > 21:
            raise ValueError("a number is too long")
    if len(made) != count or shift or (made and max(made) > MOST):
        raise ValueError("numbers are missing")
    return np.array(made, np.int64)
