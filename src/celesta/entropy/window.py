"""Quantise and code one window of one audio channel: floats to integers to bytes and back.

A coefficient is divided by its unit and quantised uniformly with a dead zone. The unit is the weight of its band and,
for codecs with a band envelope, the envelope to a power of the window: power 0 serves the squared error of weighted
coefficients, higher powers leave more error where the music is loud and masks it. One step serves the whole song.
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
from celesta.entropy.envelope_tables import DROPS
from celesta.entropy.range_coder import MOST
from celesta.entropy.table_file import Tables
from celesta.entropy.tables import WIDE
from celesta.errors import LatentError

BASE_STEP = 0.4
"""Quantiser step of the base, whose values lie within about +-4. Training draws steps up to 0.5."""
DEAD_ZONE = 0.62
"""Share of a step from which a coefficient is coded; below it the bits cost more than the error they save."""
SHRINK = 0.08
"""Rounding is towards 0 by this share of a step: large magnitudes are rarer than small ones."""
STEPS = 1_024
PER_OCTAVE = 48  # a step more or less changes the size by about 1.5 %
NO_DETAIL = STEPS - 1
POWERS = 16
"""Powers of the envelope in the unit are in sixteenths."""
SOFTER = 15
"""Largest softening of the fill, in half decibels."""
PARTS = ("envelope", "base", "detail", "rest")
"""What a window of an audio channel consists of, in the order of the file."""
_BELOW = 6  # the lowest class of a coefficient's context: so many steps of 3 dB below what is just kept


def step_of(number: int) -> float:
    """Return the quantiser step size of a step index: 0 is the finest (2^-16), 48 indices double it."""
    return float(2.0 ** (number / PER_OCTAVE - 16))


def step_keeping(magnitude: float) -> int:
    """Return the index of the step at which a coefficient of this magnitude, in units, is just coded."""
    number = round(PER_OCTAVE * (np.log2(max(magnitude, 1e-6) / DEAD_ZONE) + 16))
    return int(np.clip(number, 0, NO_DETAIL - 1))


@dataclass(frozen=True)
class Settings:
    """How a window is quantised.

    Attributes:
        step: index of the detail's quantiser step, :data:`NO_DETAIL` without a detail.
        power: of the envelope in a coefficient's unit, in sixteenths; 0 for codecs without an envelope.
        softer: half decibels by which the decoder adds less than the detail left out, where it keeps a part.
    """

    step: int
    power: int = 0
    softer: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.step < STEPS and 0 <= self.power <= POWERS and 0 <= self.softer <= SOFTER):
            raise LatentError("coded window: its quantiser settings are out of range")

    def at(self, step: int) -> Settings:
        """Return the same settings with another step."""
        return Settings(step, self.power, self.softer)

    def packed(self) -> int:
        """Return the settings as one integer below 2^32."""
        return self.step | self.power << 16 | self.softer << 24

    @classmethod
    def unpacked(cls, number: int) -> Settings:
        """Return the settings of :meth:`packed`.

        Raises:
            LatentError: the number stands for none.
        """
        return cls(number & 0xFFFF, number >> 16 & 0xFF, number >> 24)


@dataclass(frozen=True, eq=False)
class Numbers:
    """The integers of one window of one audio channel.

    Attributes:
        base: ``(channels, frames)`` int32.
        detail: ``(bands, frames)`` int32.
        settings: how it is quantised.
        envelope: ``(25, frames / 4)`` int32 envelope indices; ``(0, 0)`` for codecs without an envelope.
        rest: of the same shape, envelope indices of what the detail leaves out.
    """

    base: np.ndarray
    detail: np.ndarray
    settings: Settings
    envelope: np.ndarray
    rest: np.ndarray

    @property
    def step(self) -> int:
        """Index of the detail's quantiser step."""
        return self.settings.step


def envelope_of(c: np.ndarray, tables: Tables) -> np.ndarray:
    """Return envelope indices ``(25, frames / 4)`` of coefficients; ``(0, 0)`` for codecs without an envelope."""
    if tables.envelope is None:
        return np.zeros((0, 0), np.int32)
    power = bands.cell_sums(np.square(c, dtype=np.float32)) / bands.SIZES[:, None]
    return envelope_coder.quantise(bands.levels(power), tables.envelope)


def unit(envelope: np.ndarray, power: int, tables: Tables) -> np.ndarray:
    """Return the units of coefficients, before the step size: ``(bands, frames)`` or ``(bands, 1)`` float32."""
    weights: np.ndarray = tables.spread[:, None]
    if tables.envelope is None or not power:
        return weights
    cells = np.exp(bands.decibels(envelope) * np.float32(np.log(10) / 20 * power / POWERS))
    by_band = np.repeat(cells.astype(np.float32), bands.WIDTHS, axis=0) * weights
    return np.repeat(by_band, bands.FRAMES, axis=1)


def quantise(
    base: np.ndarray,
    c: np.ndarray,
    settings: Settings,
    tables: Tables,
    envelope: np.ndarray | None = None,
    unknown: np.ndarray | None = None,
) -> Numbers:
    """Quantise a base ``(channels, frames)`` and coefficients ``(bands, frames)``.

    Args:
        base: values of the base.
        c: coefficients.
        settings: step, power and softening.
        tables: the codec's.
        envelope: envelope indices, from :func:`envelope_of`; None to compute them.
        unknown: ``(25, frames / 4)`` envelope indices of the coefficients that are 0 in ``c`` because they are not
            known, of a latent that was quantised before.
    """
    if envelope is None:
        envelope = envelope_of(c, tables)
    whole = np.rint(base / BASE_STEP).astype(np.int32)
    if settings.step == NO_DETAIL:
        return Numbers(whole, np.zeros(c.shape, np.int32), settings, envelope, envelope)
    size = np.abs(c, dtype=np.float32)
    size *= 1 / (unit(envelope, settings.power, tables) * np.float32(step_of(settings.step)))
    np.minimum(size, MOST, out=size)
    kept = size >= np.float32(DEAD_ZONE)
    size += np.float32(0.5 - SHRINK)
    count = np.copysign(size, c, out=size).astype(np.int32)
    count *= kept
    rest = envelope
    if tables.envelope is not None and len(c):
        rest = left_out(c, count, envelope, unknown)
    return Numbers(whole, count, settings, envelope, rest)


def left_out(c: np.ndarray, detail: np.ndarray, envelope: np.ndarray, unknown: np.ndarray | None = None) -> np.ndarray:
    """Return envelope indices of what the detail leaves out: the envelope's where it keeps none.

    Args:
        c: ``(bands, frames)`` coefficients.
        detail: ``(bands, frames)`` what is kept of them, 0 for nothing.
        envelope: ``(25, frames / 4)`` envelope indices.
        unknown: as for :func:`quantise`.
    """
    out = detail == 0
    power = np.square(c, dtype=np.float32)
    if unknown is not None:
        mean = np.where(unknown > 0, 10 ** (bands.decibels(unknown) / 10), 0).astype(np.float32)
        power += bands.over_coefficients(mean) * (c == 0)
    power *= out
    count = bands.cell_sums(out.astype(np.float32))
    index = np.rint(bands.levels(bands.cell_sums(power) / np.maximum(count, 1))).astype(np.int32)
    partly = np.clip(index, np.maximum(envelope - (DROPS - 1), 0), envelope)
    made: np.ndarray = np.where(count == bands.SIZES[:, None], envelope, np.where(count == 0, 0, partly))
    return made.astype(np.int32)


def contexts(envelope: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return context classes ``(1024, frames)``: how far the envelope is above what is just kept."""
    return bands.over_coefficients(np.clip(envelope - at + _BELOW, 0, WIDE - 1))


def cells(envelope: np.ndarray, at: np.ndarray, detail: np.ndarray) -> rest_coder.Cells:
    """Return the cells whose left-out power is coded; ``at`` is from :func:`celesta.entropy.rest.thresholds`."""
    kept = bands.cell_sums((detail != 0).astype(np.float32)).astype(np.int64)
    return rest_coder.Cells(envelope, at, kept, bands.SIZES)


def encode(numbers: Numbers, tables: Tables) -> list[bytes]:
    """Code the :data:`PARTS` of a window of an audio channel."""
    return [*_fixed_parts(numbers, tables), *_detail_parts(numbers, tables)]


def _fixed_parts(n: Numbers, tables: Tables) -> list[bytes]:
    envelope = b"" if tables.envelope is None else envelope_coder.encode(n.envelope, tables.envelope)
    return [envelope, base_coder.encode(n.base, tables.bits)]


def _detail_parts(n: Numbers, tables: Tables) -> list[bytes]:
    if n.step == NO_DETAIL:
        return [b"", b""]
    if tables.envelope is None:
        return [detail_coder.encode(n.detail, tables.bits), b""]
    at = rest_coder.thresholds(n.envelope, n.step, n.settings.power, tables.envelope)
    detail = detail_coder.encode(n.detail, tables.bits, contexts(n.envelope, at))
    return [detail, rest_coder.encode(cells(n.envelope, at, n.detail), n.rest, tables.envelope)[0]]


def fixed_cost(n: Numbers, tables: Tables) -> float:
    """Count the bits of envelope and base, which do not depend on the step."""
    return 8 * sum(map(len, _fixed_parts(n, tables)))


def detail_cost(n: Numbers, tables: Tables) -> float:
    """Estimate the bits of detail and rest without coding them."""
    if n.step == NO_DETAIL:
        return 0.0
    if tables.envelope is None:
        return detail_coder.cost(n.detail, tables.bits)
    at = rest_coder.thresholds(n.envelope, n.step, n.settings.power, tables.envelope)
    found = detail_coder.cost(n.detail, tables.bits, contexts(n.envelope, at))
    return found + rest_coder.cost(cells(n.envelope, at, n.detail), n.rest, tables.envelope)


def decode(parts: Sequence[bytes], settings: Settings, channels: int, frames: int, tables: Tables) -> Numbers:
    """Decode the numbers that :func:`encode` coded.

    Args:
        parts: bytes of the :data:`PARTS`.
        settings: how the window was quantised.
        channels: base channels.
        frames: of the window; a multiple of 4 with an envelope.
        tables: the codec's.

    Raises:
        LatentError: the bytes are damaged.
    """
    if settings.step == NO_DETAIL and (parts[2] or parts[3]):
        raise LatentError("coded window: it holds a detail without a step")
    base = base_coder.decode(parts[1], channels, frames, tables.bits)
    if tables.envelope is None:
        if parts[0] or parts[3] or settings.power:
            raise LatentError("coded window: it holds an envelope that its header does not name")
        none = np.zeros((0, 0), np.int32)
        return Numbers(base, detail_coder.decode(parts[2], tables.bands, frames, tables.bits), settings, none, none)
    if frames % bands.FRAMES:
        raise LatentError("coded window: its frames do not fill the cells of an envelope")
    envelope = envelope_coder.decode(parts[0], bands.BANDS, frames // bands.FRAMES, tables.envelope)
    if settings.step == NO_DETAIL:
        return Numbers(base, np.zeros((tables.bands, frames), np.int32), settings, envelope, envelope)
    at = rest_coder.thresholds(envelope, settings.step, settings.power, tables.envelope)
    detail = detail_coder.decode(parts[2], tables.bands, frames, tables.bits, contexts(envelope, at))
    rest = rest_coder.decode(parts[3], cells(envelope, at, detail), tables.envelope)
    return Numbers(base, detail, settings, envelope, rest)


def coefficients(n: Numbers, tables: Tables) -> np.ndarray:
    """Return the kept coefficients ``(bands, frames)`` float32, zeros elsewhere."""
    if n.step == NO_DETAIL:
        return np.zeros(n.detail.shape, np.float32)
    made: np.ndarray = n.detail * (unit(n.envelope, n.settings.power, tables) * np.float32(step_of(n.step)))
    return made
