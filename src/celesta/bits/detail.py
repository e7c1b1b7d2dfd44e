"""The detail's whole numbers as bytes: which coefficients are not zero, how large they are, their signs.

A frame's even coefficients are coded first, each given the frame before; then the odd ones, given their coded
neighbours too. So a decoder works on half a frame at once. Three streams: zero or not, magnitudes, signs.
"""

from __future__ import annotations

from collections.abc import Sequence

import constriction
import numpy as np

from celesta.bits.tables import (
    AROUND,
    BESIDE,
    CLASSES,
    LARGEST,
    NEAR,
    PHASES,
    TOTAL,
    WIDE,
    ZONES,
    BitTables,
    as_shares,
)
from celesta.errors import LatentError

MOST = 1 << 20  # no magnitude is larger
_HEAD = 4 * 4
_CAP = 15
_SIDE = 16
MARGIN = _SIDE + 2
_NEAR_EDGES = [1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 26, 34, 44, 60, 84]
_WIDE_EDGES = [1, 3, 5, 8, 12, 17, 24, 34, 48]
_AROUND_EDGES = [1, 2, 4, 6, 8, 11, 14, 18, 23, 29, 36, 45, 56, 70, 86, 105, 130, 160]
_MOST_NEAR = 43 * _CAP  # the weights of all neighbours together
_NEAR = np.searchsorted(_NEAR_EDGES, np.arange(_MOST_NEAR + 1), side="right")
_WIDE = NEAR * np.searchsorted(_WIDE_EDGES, np.arange(128), side="right")
_AROUND = np.searchsorted(_AROUND_EDGES, np.arange(_MOST_NEAR + 1), side="right")
Family = constriction.stream.model.Categorical
Bernoulli = constriction.stream.model.Bernoulli
_FAMILY, _BERNOULLI = Family(perfect=False), Bernoulli(perfect=False)


class Contexts:
    """Rows of the tables for the two halves of frames, the same for coder and decoder; many frames at a time.

    Magnitudes come capped at 15, in arrays ``(n, top + 2 * MARGIN)`` with zeros on both sides, ``top`` even.
    """

    def __init__(self, top: int) -> None:
        self.top = top
        place = np.arange(top)
        zone = np.minimum(np.log2(1 + place / 4).astype(int), ZONES - 1)
        self.offset = [NEAR * WIDE * (zone[phase::2] + ZONES * phase) for phase in range(PHASES)]

    def known_before(self, before: np.ndarray, earlier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the frame before and the one before that tell: near and wide, ``(n, top)`` each."""

        def at(shift: int, of: np.ndarray = before) -> np.ndarray:
            return of[:, MARGIN + shift : MARGIN + shift + self.top]

        near = 6 * at(0) + 4 * (at(-1) + at(1)) + 2 * (at(-2) + at(2))
        near += 3 * at(0, earlier) + at(-1, earlier) + at(1, earlier)
        some = 2 * (before != 0).astype(np.int16) + (earlier != 0)
        sums = np.cumsum(some, axis=1, dtype=np.int16)
        return near, at(_SIDE, sums) - at(-_SIDE - 1, sums)

    def even(self, known: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Cells of the zero-or-not table and rows of the magnitudes' table for the even half, ``(n, top / 2)``."""
        near, wide = (one[:, 0::2] for one in known)
        return _NEAR[near] + _WIDE[wide] + self.offset[0], BESIDE * _AROUND[near]

    def odd(self, known: tuple[np.ndarray, np.ndarray], now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for the odd half, given the even half of ``now``."""
        near, wide = (one[:, 1::2] for one in known)
        even = now[:, MARGIN % 2 :: 2]  # zeros of the margin, then the even half, then zeros
        first = MARGIN // 2

        def at(shift: int, of: np.ndarray = even) -> np.ndarray:
            return of[:, first + shift : first + shift + self.top // 2]

        near = near + 8 * (at(0) + at(1)) + 2 * (at(-1) + at(2))
        some = (even != 0).astype(np.int16)
        count = at(-2, some) + at(-1, some) + at(0, some) + at(1, some) + at(2, some) + at(3, some)
        return _NEAR[near] + _WIDE[wide + 4 * count] + self.offset[1], BESIDE * (_AROUND[near] + CLASSES)


def _beside(some: np.ndarray) -> np.ndarray:
    """How many of a coefficient's two neighbours in its own half are not zero, ``(n, top / 2)``."""
    padded = np.pad(some.astype(np.int16), ((0, 0), (1, 1)))
    return padded[:, :-2] + padded[:, 2:]


def _padded(frames: int, streams: int, top: int) -> np.ndarray:
    """Room for capped magnitudes, two silent frames ahead."""
    return np.zeros((frames + 2, streams, top + 2 * MARGIN), np.int16)


def _walk(q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells, rows and numbers ``(frames, PHASES, bands / 2)`` of ``(bands, frames)`` numbers, in coding order."""
    top, frames = q.shape
    contexts, capped = Contexts(top), _padded(frames, 1, top)[:, 0]
    capped[2:, MARGIN : MARGIN + top] = np.minimum(np.abs(q), _CAP).T
    known = contexts.known_before(capped[1:-1], capped[:-2])
    made = (contexts.even(known), contexts.odd(known, capped[2:]))
    numbers = q.T.reshape(frames, top // 2, PHASES).transpose(0, 2, 1)
    cells = np.stack([cell for cell, _ in made], axis=1)
    rows = np.stack([row + _beside(numbers[:, phase] != 0) for phase, (_, row) in enumerate(made)], axis=1)
    return cells, rows, numbers


class DetailCounts:
    """Counts for the tables, gathered song by song."""

    def __init__(self) -> None:
        self.found = np.zeros((PHASES * ZONES * WIDE * NEAR, 2))
        self.size = np.zeros((AROUND, LARGEST))

    def add(self, q: np.ndarray) -> None:
        """Count ``(bands, frames)`` numbers."""
        cell, row, numbers = _walk(q)
        some = numbers != 0
        self.found += np.bincount((2 * cell + some).ravel(), minlength=self.found.size).reshape(self.found.shape)
        sizes = np.minimum(np.abs(numbers[some]), LARGEST) - 1
        self.size += np.bincount(row[some] * LARGEST + sizes, minlength=self.size.size).reshape(self.size.shape)

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
    walked = _walk(np.pad(q, ((0, max(0, top - len(q))), (0, 0)))[:top])
    cells, around, numbers = (one.ravel() for one in walked)
    some = numbers != 0
    size = np.abs(numbers[some])
    found = constriction.stream.queue.RangeEncoder()
    found.encode(some.astype(np.int32), _BERNOULLI, tables.found.ravel()[cells] / TOTAL)
    sizes = constriction.stream.queue.RangeEncoder()
    symbols = (np.minimum(size, LARGEST) - 1).astype(np.int32)
    sizes.encode(symbols, _FAMILY, tables.size[around[some]] / TOTAL)
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
    return decode_all([data], bands, frames, tables)[0]


def decode_all(coded: Sequence[bytes], bands: int, frames: int, tables: BitTables) -> list[np.ndarray]:
    """Several windows of one length at once, frame by frame: much faster than one behind the other.

    Raises:
        LatentError: the bytes of one of them are no such window.
    """
    made = [np.zeros((bands, frames), np.int32) for _ in coded]
    streams = [_Stream(data, q) for data, q in zip(coded, made, strict=True) if data]
    if not streams:
        return made
    top = max(stream.top for stream in streams)
    contexts, capped = Contexts(top), _padded(frames, len(streams), top)
    shares, sizes = tables.found.ravel() / TOTAL, tables.size / TOTAL
    try:
        for t in range(frames):
            now = capped[t + 2]
            known = contexts.known_before(capped[t + 1], capped[t])
            for phase in range(PHASES):
                cell, row = contexts.odd(known, now) if phase else contexts.even(known)
                share = shares[cell]
                for i, stream in enumerate(streams):
                    places, values = stream.half(t, phase, share[i], row[i], sizes)
                    now[i, MARGIN + places] = values
        for stream in streams:
            stream.finish()
    except (AssertionError, ValueError, IndexError):
        raise LatentError("coded detail: damaged, or coded with other tables") from None
    return made


class _Stream:
    """One window being decoded into ``q``."""

    def __init__(self, data: bytes, q: np.ndarray) -> None:
        if len(data) < _HEAD:
            raise LatentError("coded detail: cut short")
        self.top, words, more, extra = (int(v) for v in np.frombuffer(data[:_HEAD], "<u4"))
        first, second = _HEAD + 4 * words, _HEAD + 4 * (words + more)
        third = second + extra
        if not 2 <= self.top <= len(q) + 1 or self.top % 2 or third > len(data):
            raise LatentError("coded detail: its sizes do not make sense")
        self.found, self.sizes = (
            constriction.stream.queue.RangeDecoder(np.frombuffer(part, "<u4").astype(np.uint32))
            for part in (data[_HEAD:first], data[first:second])
        )
        self.large, self.signs, self.q = data[second:third], data[third:], q
        self.order: list[tuple[int, np.ndarray, np.ndarray]] = []

    def half(
        self, t: int, phase: int, share: np.ndarray, row: np.ndarray, sizes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places of a half frame that are not zero, and their capped magnitudes."""
        found = self.found.decode(_BERNOULLI, share[: self.top // 2])
        some = np.flatnonzero(found)
        if not len(some):
            return some, some
        row = row[some] + _beside(found[None])[0, some]
        places, values = 2 * some + phase, self.sizes.decode(_FAMILY, sizes[row]) + 1
        self.order.append((t, places, values))
        return places, np.minimum(values, _CAP)

    def finish(self) -> None:
        """Large magnitudes and signs. Contexts cap magnitudes, so what is large could wait until here."""
        if not self.order:
            raise ValueError("nothing in it")
        times = np.concatenate([np.full(len(places), t) for t, places, _ in self.order])
        places = np.concatenate([places for _, places, _ in self.order])
        values = np.concatenate([values for _, _, values in self.order]).astype(np.int64)
        values[values == LARGEST] += _short(self.large, int(np.sum(values == LARGEST)))
        if len(self.signs) != -(-len(values) // 8):
            raise ValueError("signs")
        negative = np.unpackbits(np.frombuffer(self.signs, np.uint8), count=len(values)).astype(bool)
        keep = places < len(self.q)
        self.q[places[keep], times[keep]] = np.where(negative, -values, values)[keep]


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
