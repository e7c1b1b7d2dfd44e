"""Code latents for rate-distortion curves: uniform quantisation, static integer tables, range coding.

A latent's rows (dense channels, then the sparse detail as a dense array of all coefficients, zeros between) become
integers ``q = round(x / step)``. Row after row they are range-coded. The table of each integer is selected by its row
and by the magnitudes of its already coded neighbours: the same frame and the adjacent ones in the row before, the same
frame in the three rows before that. Tables are counts fitted on other music, converted to integers once, so that the
same bytes decode to the same integers on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import constriction
import numpy as np

from celesta.errors import LatentError, UsageError
from celesta.latents.latent import Latent

LARGEST = 24  # |q| up to this has its own symbol; the rest escapes
CONTEXTS = 7
MOST_CELLS = 1 << 30
_ESCAPE = 2 * LARGEST + 1
_SYMBOLS = _ESCAPE + 1
_TOTAL = 1 << 16
_EDGES = np.array([1, 2, 4, 8, 16, 32])
_HEAD = 24


@dataclass(frozen=True)
class Tables:
    """Static tables of one model at one step size.

    Attributes:
        steps: ``(rows,)`` float32, the quantiser step size of each row.
        counts: ``(rows, CONTEXTS, symbols)`` int32; each table has the sum 65 536 and no symbol below 1.
        bands: coefficients that the detail is chosen from (0: no detail).
    """

    steps: np.ndarray
    counts: np.ndarray
    bands: int


def fit_tables(latents: Iterable[Latent], step: float, *, relative: bool, bands: int = 0) -> Tables:
    """Fit tables for a step size on training latents.

    Args:
        latents: of one model, from music that is not scored.
        step: quantiser step size.
        relative: whether ``step`` is in units of each row's standard deviation (for learned latents, whose rows have
            different scales) or the same in all rows (for orthonormal transforms, where that is optimal at high
            bitrates).
        bands: coefficients that a sparse detail is chosen from.

    Raises:
        UsageError: the step is not positive, or there are no latents.
    """
    if not step > 0:
        raise UsageError(f"the step must be positive, got {step}")
    rows = [x for z in latents for x in dense_rows(z, bands)]
    if not rows:
        raise UsageError("tables need at least one latent to be fitted on")
    steps = np.full(len(rows[0]), step, np.float32)
    if relative:
        deviation = np.sqrt(np.mean([x.astype(np.float64).var(axis=1) for x in rows], axis=0))
        steps *= np.maximum(deviation, 1e-6).astype(np.float32)
    counts = np.zeros((len(steps), CONTEXTS, _SYMBOLS), np.int64)
    for x in rows:
        q = quantise(x, steps)
        for r, context in _contexts(q):
            symbols = _symbol(q[r])
            counts[r] += np.bincount(context * _SYMBOLS + symbols, minlength=CONTEXTS * _SYMBOLS).reshape(
                CONTEXTS, _SYMBOLS
            )
    return Tables(steps, _as_integers(counts), bands)


def dense_rows(z: Latent, bands: int) -> Iterator[np.ndarray]:
    """Return each audio channel's latent as ``(rows, frames)`` float32, the detail as ``bands`` rows with zeros."""
    base, places, values = z.timeline()
    for c in range(z.channels):
        detail = np.zeros((bands, base.shape[-1]), np.float32)
        if z.detail_size:
            np.put_along_axis(detail, places[c].astype(np.int64), values[c], axis=0)
        yield np.concatenate([base[c], detail]) if bands else base[c]


def gather(rows: np.ndarray, z: Latent, channel: int, bands: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Invert :func:`dense_rows` for one channel: base, places and values, at the places of ``z``.

    Coefficients that were quantised to zero are zeros at their places, which decode to the same signal.
    """
    base = rows[: len(rows) - bands]
    places = z.timeline()[1][channel]
    values = np.take_along_axis(rows[len(base) :], places.astype(np.int64), axis=0) if bands else rows[:0]
    return base, places, values


def quantise(x: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Quantise ``(rows, frames)`` floats to int32 by ``round(x / step)``."""
    return np.asarray(np.rint(x / steps[:, None]), np.int32)


def encode(q: np.ndarray, tables: Tables) -> bytes:
    """Range-code ``(rows, frames)`` integers. The bytes begin with a checksum of the remaining bytes.

    Raises:
        UsageError: the number of rows is not the tables'.
    """
    if len(q) != len(tables.steps):
        raise UsageError(f"{len(q)} rows do not fit tables for {len(tables.steps)}")
    coder = constriction.stream.queue.RangeEncoder()
    escaped: list[np.ndarray] = []
    for r, context in _contexts(q):
        symbols = _symbol(q[r])
        for c in range(CONTEXTS):
            chosen = symbols[context == c]
            if len(chosen):
                coder.encode(chosen.astype(np.int32), _model(tables.counts[r, c]))
        escaped.append(q[r][symbols == _ESCAPE])
    words: bytes = coder.get_compressed().astype("<u4").tobytes()
    body = np.array([q.shape[1], len(words)], "<u8").tobytes() + words + _pack_escaped(np.concatenate(escaped))
    return hashlib.sha256(body).digest()[:8] + body


def decode(data: bytes, tables: Tables) -> np.ndarray:
    """Decode the integers that :func:`encode` coded.

    Raises:
        LatentError: the bytes are damaged, or were coded with other tables.
    """
    if len(data) < _HEAD or hashlib.sha256(data[8:]).digest()[:8] != data[:8]:
        raise LatentError("coded latent: damaged (its checksum does not match); encode the audio again")
    frames, size = (int(v) for v in np.frombuffer(data[8:_HEAD], "<u8"))
    rows = len(tables.steps)
    if frames * rows > MOST_CELLS or size % 4 or _HEAD + size > len(data):
        raise LatentError("coded latent: its sizes do not make sense")
    coder = constriction.stream.queue.RangeDecoder(np.frombuffer(data[_HEAD : _HEAD + size], "<u4").astype(np.uint32))
    rest = iter(_unpack_escaped(data[_HEAD + size :]))
    q = np.zeros((rows, frames), np.int32)
    try:
        for r, context in _contexts(q):
            symbols = np.zeros(frames, np.int32)
            for c in range(CONTEXTS):
                where = np.flatnonzero(context == c)
                if len(where):
                    symbols[where] = coder.decode(_model(tables.counts[r, c]), len(where))
            q[r] = symbols - LARGEST
            for at in np.flatnonzero(symbols == _ESCAPE):
                q[r, at] = next(rest)
    except (StopIteration, ValueError, AssertionError):
        raise LatentError("coded latent: not coded with these tables") from None
    return q


def _contexts(q: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each row's index and its ``(frames,)`` contexts from the rows before, as they are at that time."""
    frames = q.shape[1]
    for r in range(len(q)):
        near = np.zeros(frames, np.int64)
        if r:
            above = np.abs(q[r - 1]).astype(np.int64)
            near += 2 * above
            near[1:] += above[:-1]
            near[:-1] += above[1:]
            for back in range(2, min(r, 4) + 1):
                near += np.abs(q[r - back])
        yield r, np.searchsorted(_EDGES, near, side="right")


def _symbol(q: np.ndarray) -> np.ndarray:
    return np.where(np.abs(q) <= LARGEST, q + LARGEST, _ESCAPE)


def _as_integers(counts: np.ndarray) -> np.ndarray:
    """Smooth counts by the row's table and then a flat one, and scale them to the sum 65 536 without a zero."""
    row = counts.sum(axis=1, keepdims=True) + 0.05
    smooth = counts + 8 * row / row.sum(axis=2, keepdims=True)
    scaled = np.floor(smooth / smooth.sum(axis=2, keepdims=True) * (_TOTAL - _SYMBOLS)).astype(np.int64) + 1
    largest = scaled.argmax(axis=2)[..., None]
    left = _TOTAL - scaled.sum(axis=2, keepdims=True)
    np.put_along_axis(scaled, largest, np.take_along_axis(scaled, largest, 2) + left, 2)
    return np.asarray(scaled, np.int32)


def _model(counts: np.ndarray) -> object:
    # Multiples of 2^-16 are exact in float64, so the coder's own integers come out the same everywhere.
    return constriction.stream.model.Categorical(counts / _TOTAL, perfect=False)


def _pack_escaped(q: np.ndarray) -> bytes:
    """Pack escaped integers as zigzag variable-length bytes."""
    out = bytearray()
    for value in np.where(q >= 0, 2 * q.astype(np.int64), -2 * q.astype(np.int64) - 1).tolist():
        while value >= 128:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)
    return bytes(out)


def _unpack_escaped(data: bytes) -> Iterator[int]:
    value, shift = 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value // 2 if value % 2 == 0 else -(value // 2) - 1
            value, shift = 0, 0
        elif shift > 28:
            raise ValueError("a number is too long")


def code(z: Latent, tables: Tables) -> tuple[bytes, Latent]:
    """Code a latent as bytes; return them with the latent that they decode to.

    Gains are not coded: at 8 bits per window they would not change the size.
    """
    data, base, values = [], [], []
    for channel, rows in enumerate(dense_rows(z, tables.bands)):
        data.append(encode(quantise(rows, tables.steps), tables))
        back = decode(data[-1], tables) * tables.steps[:, None]
        b, _, v = gather(back, z, channel, tables.bands)
        base.append(b)
        values.append(v)

    def windows(rows: list[np.ndarray]) -> np.ndarray:
        joined = np.stack(rows).astype(np.float32)
        c, n, _ = joined.shape
        return np.ascontiguousarray(joined.reshape(c, n, z.windows, z.frames).transpose(2, 0, 1, 3))

    return b"".join(data), z.replace(base=windows(base), values=windows(values))
