"""One window of one audio channel with a band envelope: floats to integers to bytes and back.

The step of a coefficient is the song's step, times the envelope to a power of the song, times a fixed weight of its
frequency. Power 0 serves the squared error, higher ones the perceived quality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from celesta.dsp import band_envelope as bands
from celesta.entropy import base as base_coder
from celesta.entropy import detail as detail_coder
from celesta.entropy import envelope as envelope_coder
from celesta.entropy import rest as rest_coder
from celesta.entropy.envelope_tables import DROPS, EnvelopeTables
from celesta.entropy.range_coder import MOST
from celesta.entropy.tables import WIDE, BitTables
from celesta.entropy.window import BASE_STEP, DEAD_ZONE, NO_DETAIL, SHRINK, STEPS, step_of
from celesta.errors import LatentError

POWERS = 16
_BELOW = 6  # the lowest class of a coefficient's context: so many steps of 3 dB below what is just kept


@dataclass(frozen=True, eq=False)
class Tables:
    """All tables of the codec: of base and detail, and of envelope and rest."""

    bits: BitTables
    envelope: EnvelopeTables


@dataclass(frozen=True, eq=False)
class Numbers:
    """A window of a channel as integers.

    Attributes:
        base: ``(channels, frames)`` int32.
        envelope: ``(25, frames / 4)`` int32 envelope indices.
        detail: ``(1024, frames)`` int32.
        rest: ``(25, frames / 4)`` int32 envelope indices of what the detail leaves out.
        step: index of the detail's step, :data:`NO_DETAIL` for none.
        power: sixteenths of the power of the envelope in the step.
    """

    base: np.ndarray
    envelope: np.ndarray
    detail: np.ndarray
    rest: np.ndarray
    step: int
    power: int


def envelope_of(c: np.ndarray, tables: Tables) -> np.ndarray:
    """Envelope indices ``(25, frames / 4)`` of coefficients ``(1024, frames)``."""
    level = bands.levels(bands.cell_sums(np.square(c, dtype=np.float32)) / bands.SIZES[:, None])
    return envelope_coder.quantise(level, tables.envelope)


def unit(envelope: np.ndarray, power: int, tables: Tables) -> np.ndarray:
    """What a coefficient is divided by, ``(1024, frames)`` float32, the song's step apart."""
    cells = np.exp(bands.decibels(envelope) * np.float32(np.log(10) / 20 * power / POWERS))
    made: np.ndarray = bands.over_coefficients(cells.astype(np.float32)) * tables.bits.spread[:, None]
    return made


def quantise(base: np.ndarray, c: np.ndarray, envelope: np.ndarray, step: int, power: int, tables: Tables) -> Numbers:
    """Integers of a base ``(channels, frames)`` and coefficients ``(1024, frames)`` with this envelope."""
    whole = np.rint(base / BASE_STEP).astype(np.int32)
    if step == NO_DETAIL:
        return Numbers(whole, envelope, np.zeros(c.shape, np.int32), envelope, step, power)
    size = np.abs(c, dtype=np.float32)
    size /= unit(envelope, power, tables) * np.float32(step_of(step))
    np.minimum(size, MOST, out=size)
    count = (size + np.float32(0.5 - SHRINK)).astype(np.int32)
    count[size < DEAD_ZONE] = 0
    np.negative(count, out=count, where=c < 0)
    return Numbers(whole, envelope, count, left_out(c, count, envelope), step, power)


def left_out(c: np.ndarray, detail: np.ndarray, envelope: np.ndarray) -> np.ndarray:
    """Envelope indices of the coefficients of which the detail keeps nothing: the envelope's where it keeps none."""
    out = detail == 0
    count = bands.cell_sums(out.astype(np.float32))
    power = bands.cell_sums(np.square(c) * out) / np.maximum(count, 1)
    index = np.rint(bands.levels(power)).astype(np.int32)
    sizes = bands.SIZES[:, None]
    partly = np.clip(index, np.maximum(envelope - (DROPS - 1), 0), envelope)
    made: np.ndarray = np.where(count == sizes, envelope, np.where(count == 0, 0, partly))
    return made.astype(np.int32)


def contexts(envelope: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return context classes ``(1024, frames)``: how far the envelope is above what is just kept."""
    return bands.over_coefficients(np.clip(envelope - at + _BELOW, 0, WIDE - 1))


def cells(envelope: np.ndarray, at: np.ndarray, detail: np.ndarray) -> rest_coder.Cells:
    """Return the cells whose left-out power is coded; ``at`` is from :func:`celesta.entropy.rest.thresholds`."""
    kept = bands.cell_sums((detail != 0).astype(np.int64))
    return rest_coder.Cells(envelope, at, kept, bands.SIZES)


def encode(numbers: Numbers, tables: Tables) -> list[bytes]:
    """The envelope, the base, the detail and the rest as bytes."""
    n = numbers
    made = [envelope_coder.encode(n.envelope, tables.envelope), base_coder.encode(n.base, tables.bits)]
    if n.step == NO_DETAIL:
        return [*made, b"", b""]
    at = rest_coder.thresholds(n.envelope, n.step, n.power, tables.envelope)
    made.append(detail_coder.encode(n.detail, tables.bits, contexts(n.envelope, at)))
    made.append(rest_coder.encode(cells(n.envelope, at, n.detail), n.rest, tables.envelope)[0])
    return made


def cost(numbers: Numbers, tables: Tables) -> float:
    """Bits of the detail and the rest, near enough and without coding them."""
    n = numbers
    if n.step == NO_DETAIL:
        return 0.0
    at = rest_coder.thresholds(n.envelope, n.step, n.power, tables.envelope)
    found = detail_coder.cost(n.detail, tables.bits, contexts(n.envelope, at))
    return found + rest_coder.cost(cells(n.envelope, at, n.detail), n.rest, tables.envelope)


def decode(parts: Sequence[bytes], step: int, power: int, channels: int, frames: int, tables: Tables) -> Numbers:
    """The numbers that :func:`encode` coded, ``channels`` of the base; ``frames`` is a multiple of 4.

    Raises:
        LatentError: the bytes are damaged.
    """
    if not 0 <= step < STEPS or not 0 <= power <= POWERS or frames % bands.FRAMES:
        raise LatentError("coded window: its step does not make sense")
    if step == NO_DETAIL and (parts[2] or parts[3]):
        raise LatentError("coded window: it holds a detail without a step")
    groups = frames // bands.FRAMES
    envelope = envelope_coder.decode(parts[0], bands.BANDS, groups, tables.envelope)
    base = base_coder.decode(parts[1], channels, frames, tables.bits)
    at = rest_coder.thresholds(envelope, step, power, tables.envelope)
    detail = detail_coder.decode(parts[2], bands.EDGES[-1], frames, tables.bits, contexts(envelope, at))
    rest = envelope if step == NO_DETAIL else rest_coder.decode(parts[3], cells(envelope, at, detail), tables.envelope)
    return Numbers(base, envelope, detail, rest, step, power)


def coefficients(numbers: Numbers, tables: Tables) -> np.ndarray:
    """The kept coefficients ``(1024, frames)`` float32, zeros elsewhere."""
    if numbers.step == NO_DETAIL:
        return np.zeros(numbers.detail.shape, np.float32)
    scale = unit(numbers.envelope, numbers.power, tables) * np.float32(step_of(numbers.step))
    made: np.ndarray = numbers.detail.astype(np.float32) * scale
    return made
