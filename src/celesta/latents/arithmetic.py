"""Arithmetic on latents: multiples, sums, differences, the order of their details."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from celesta.entropy.table_file import load_tables
from celesta.entropy.window import POWERS
from celesta.errors import LatentError
from celesta.latents import envelopes

if TYPE_CHECKING:
    from celesta.latents.latent import Latent


def scaled(z: Latent, number: float, operation: Callable[[np.ndarray, np.float32], np.ndarray]) -> Latent:
    """Return a latent multiplied or divided by a number."""
    envelope = envelopes.scaled(z.envelope, float(operation(np.ones(1), np.float32(number))[0]))
    return _changed(z, operation(z.base, np.float32(number)), operation(z.values, np.float32(number)), envelope)


def combined(z: Latent, other: Latent, operation: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Latent:
    """Return the sum or difference of two latents, frame by frame.

    Raises:
        LatentError: they are of different models or shapes, or their details lie at different places.
    """
    one, two = ((x.model, x.weights, x.base.shape, x.mid_side) for x in (z, other))
    if one != two:
        raise LatentError(
            f"latents of {z.model} {z.base.shape} and {other.model} {other.base.shape} do not combine;"
            " they need the same model, weights, channels, stereo (left/right or mid/side) and number of windows"
        )
    if not np.array_equal(z.places, other.places):
        raise LatentError(
            f"{z.model}: sparse details at different places have no sum; combine latents with the same places,"
            " or truncate(detail=0) both"
        )
    envelope = envelopes.mixed(z.envelope, other.envelope)
    return _changed(z, operation(z.base, other.base), operation(z.values, other.values), envelope)


def by_importance(z: Latent, power: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places and values of each frame sorted by their magnitude in units of the quantiser, largest first.

    Args:
        z: the latent.
        power: of the envelope in a coefficient's unit, in sixteenths.
    """
    spread = load_tables(z.envelope_rows).spread
    found = envelopes.importance(z.envelope, z.places, z.values, spread, power / POWERS)
    order = np.argsort(-found, axis=2, kind="stable")
    return np.take_along_axis(z.places, order, 2), np.take_along_axis(z.values, order, 2)


def _changed(z: Latent, base: np.ndarray, values: np.ndarray, envelope: np.ndarray | None) -> Latent:
    arrays = {} if envelope is None else {"envelope": envelope}
    return z.replace(base=base, values=values, **arrays)
