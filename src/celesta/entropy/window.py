"""Quantise and code one window of one audio channel: floats to integers to bytes and back.

A coefficient is divided by the weight of its band and quantised uniformly with a dead zone. With one step for the whole
song, every coefficient that is left out is smaller, weighted, than every one that is coded; for a mean squared error of
weighted coefficients this is the best use of the bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from celesta.entropy import base as base_coder
from celesta.entropy import detail as detail_coder
from celesta.entropy.range_coder import MOST
from celesta.entropy.tables import BitTables
from celesta.errors import LatentError

BASE_GROUPS = 4
"""Groups of base channels that can be left out of a coded file, last group first."""
BASE_STEP = 0.4
"""Quantiser step of the base, whose values lie within about +-4. Training draws steps up to 0.5."""
DEAD_ZONE = 0.62
"""Share of a step from which a coefficient is coded; below it the bits cost more than the error they save."""
SHRINK = 0.08
"""Rounding is towards 0 by this share of a step: large magnitudes are rarer than small ones."""
STEPS = 1_024
PER_OCTAVE = 48  # a step more or less changes the size by about 1.5 %
NO_DETAIL = STEPS - 1


def step_of(number: int) -> float:
    """Return the quantiser step size of a step index: 0 is the finest (2^-16), 48 indices double it."""
    return float(2.0 ** (number / PER_OCTAVE - 16))


def step_keeping(magnitude: float) -> int:
    """Return the index of the step at which a coefficient of this weighted magnitude is just coded."""
    number = round(PER_OCTAVE * (np.log2(max(magnitude, 1e-6) / DEAD_ZONE) + 16))
    return int(np.clip(number, 0, NO_DETAIL - 1))


@dataclass(frozen=True, eq=False)
class Numbers:
    """The integers of one window of one audio channel.

    Attributes:
        base: ``(channels, frames)`` int32.
        detail: ``(bands, frames)`` int32.
        step: index of the detail's quantiser step, :data:`NO_DETAIL` without a detail.
    """

    base: np.ndarray
    detail: np.ndarray
    step: int


def quantise(base: np.ndarray, coefficients: np.ndarray, step: int, tables: BitTables) -> Numbers:
    """Quantise a base ``(channels, frames)`` and coefficients ``(bands, frames)``."""
    whole = np.rint(base / BASE_STEP).astype(np.int32)
    if step == NO_DETAIL:
        return Numbers(whole, np.zeros(coefficients.shape, np.int32), step)
    size = np.abs(coefficients, dtype=np.float32)
    size *= 1 / (tables.spread[:, None] * np.float32(step_of(step)))
    np.minimum(size, MOST, out=size)
    count = (size + np.float32(0.5 - SHRINK)).astype(np.int32)
    count[size < DEAD_ZONE] = 0
    np.negative(count, out=count, where=coefficients < 0)
    return Numbers(whole, count, step)


def floats(numbers: Numbers, tables: BitTables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Base ``(channels, frames)`` float32, places ``(k, frames)`` uint16 and values float32, k as many as needed."""
    detail = numbers.detail
    frame, place = np.nonzero(detail.T)
    counts = np.bincount(frame, minlength=detail.shape[1])
    k = int(counts.max(initial=0))
    row = np.arange(len(frame)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.zeros((k, detail.shape[1]), np.uint16)
    values = np.zeros((k, detail.shape[1]), np.float32)
    places[row, frame] = place
    values[row, frame] = detail[place, frame] * np.float32(step_of(numbers.step)) * tables.spread[place]
    return numbers.base.astype(np.float32) * np.float32(BASE_STEP), places, values


def groups(channels: int) -> list[slice]:
    """The base's channels in groups that can be left out from behind."""
    size = max(1, -(-channels // BASE_GROUPS))
    return [slice(min(channels, g * size), min(channels, (g + 1) * size)) for g in range(BASE_GROUPS)]


def encode(numbers: Numbers, tables: BitTables) -> list[bytes]:
    """The base's groups and the detail as bytes."""
    return [*_base_parts(numbers, tables), detail_coder.encode(numbers.detail, tables)]


def _base_parts(numbers: Numbers, tables: BitTables) -> list[bytes]:
    """The base's groups as bytes."""
    return [base_coder.encode(numbers.base[g], tables, g.start) for g in groups(len(tables.move))]


def cost(numbers: Numbers, tables: BitTables) -> float:
    """Bits that :func:`encode` takes, near enough and without coding the detail."""
    return 8 * sum(map(len, _base_parts(numbers, tables))) + detail_coder.cost(numbers.detail, tables)


def decode(parts: Sequence[bytes], step: int, channels: int, frames: int, tables: BitTables) -> Numbers:
    """The numbers that :func:`encode` coded, ``channels`` of the base.

    Raises:
        LatentError: the bytes are damaged.
    """
    if not 0 <= step < STEPS:
        raise LatentError("coded window: its step does not make sense")
    if step == NO_DETAIL and parts[-1]:
        raise LatentError("coded window: it holds a detail without a step")
    made = []
    for part, group in zip(parts[:-1], groups(len(tables.move)), strict=True):
        stop = min(group.stop, channels)
        if part and group.start >= stop:
            raise LatentError("coded window: it holds a base that its header does not name")
        made.append(base_coder.decode(part, max(0, stop - group.start), frames, tables, group.start))
    detail = detail_coder.decode(parts[-1], len(tables.spread), frames, tables)
    return Numbers(np.concatenate(made), detail, step)
