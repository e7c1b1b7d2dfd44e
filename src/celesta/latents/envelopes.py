"""Arithmetic on band envelopes in dB: what scaling, mixing and truncating a latent does to them."""

from __future__ import annotations

import numpy as np

from celesta.dsp import band_envelope as bands


def scaled(envelope: np.ndarray | None, factor: float) -> np.ndarray | None:
    """Return the envelope of a signal times a factor; silence stays silence.

    >>> import numpy as np
    >>> scaled(np.array([-96.0, -30.0]), 10.0)
    array([-96., -10.])
    """
    if envelope is None:
        return None
    moved = envelope + np.float32(20 * np.log10(max(abs(factor), 1e-12)))
    return np.where(envelope <= bands.FLOOR_DB, envelope, np.maximum(moved, bands.FLOOR_DB)).astype(envelope.dtype)


def mixed(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    """Return the envelope of the sum of two signals that have nothing to do with each other: their powers add up."""
    if a is None or b is None:
        return None
    power = sum(np.where(one <= bands.FLOOR_DB, 0, 10 ** (one / 10)) for one in (a, b))
    made: np.ndarray = np.maximum(10 * np.log10(np.maximum(power, 1e-20)), bands.FLOOR_DB).astype(a.dtype)
    return made


def without(envelope: np.ndarray, places: np.ndarray, values: np.ndarray, detail: int) -> np.ndarray:
    """Return the envelope of a latent of whose detail only the first ``detail`` values per frame are kept.

    The bands have the power they had; what the detail leaves out of them is more.

    Args:
        envelope: ``(windows, channels, 50, columns)`` dB.
        places: ``(windows, channels, k, frames)`` before.
        values: of the same shape.
        detail: kept values per frame.
    """
    out = envelope.copy()
    frames = places.shape[-1]
    columns = np.broadcast_to(np.arange(frames), places.shape[2:])
    for index in np.ndindex(*envelope.shape[:2]):
        kept = np.zeros((2, bands.EDGES[-1], envelope.shape[-1] * bands.FRAMES), np.float32)
        for array, first in ((kept[0], 0), (kept[1], detail)):
            np.add.at(array, (places[index][first:], columns[first:]), values[index][first:])
        # The first holds what was kept, the second what is dropped of it.
        there, dropped = kept[0] != 0, kept[1]
        now_out = bands.SIZES[:, None] - bands.cell_sums((there & (dropped == 0)).astype(np.float32))
        was_out = bands.SIZES[:, None] - bands.cell_sums(there.astype(np.float32))
        before = envelope[index][bands.BANDS :]
        power = np.where(before <= bands.FLOOR_DB, 0, 10 ** (before / 10)) * was_out + bands.cell_sums(dropped**2)
        left = 10 * np.log10(np.maximum(power / np.maximum(now_out, 1), 1e-20))
        changed = now_out != was_out
        out[index][bands.BANDS :] = np.where(changed, np.maximum(left, bands.FLOOR_DB), before)
    return out


def at_places(cells: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the value of the cell that each detail value lies in.

    Args:
        cells: ``(windows, channels, 25, columns)``.
        places: ``(windows, channels, k, frames)`` coefficients.
    """
    band = bands.BAND_OF[np.minimum(places, bands.EDGES[-1] - 1)]
    columns = np.arange(places.shape[-1]) // bands.FRAMES
    windows, channels = (np.arange(n) for n in places.shape[:2])
    found: np.ndarray = cells[windows[:, None, None, None], channels[:, None, None], band, columns]
    return found


def followed(old: np.ndarray, new: np.ndarray, places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the values of a detail whose bands get another power.

    Args:
        old: ``(windows, channels, 50, columns)`` dB, before.
        new: the same, after.
        places: ``(windows, channels, k, frames)`` coefficients.
        values: of the same shape.
    """
    before, after = old[:, :, : bands.BANDS], new[:, :, : bands.BANDS]
    factor = np.where(after <= bands.FLOOR_DB, 0, 10 ** (np.where(before <= bands.FLOOR_DB, 0, after - before) / 20))
    made: np.ndarray = (values * at_places(factor, places)).astype(values.dtype)
    return made


def raised(envelope: np.ndarray, gain_db: np.ndarray | float) -> np.ndarray:
    """Return an envelope ``(windows, channels, 50, columns)`` with a gain on each band; silence stays silence.

    Args:
        envelope: dB.
        gain_db: one gain, one per band ``(25,)``, or ``(windows, channels, 25, columns)``, any of these 1.
    """
    gain = np.asarray(gain_db, np.float32)
    gain = gain[:, None] if gain.ndim == 1 else gain
    shape = (*envelope.shape[:2], bands.BANDS, envelope.shape[3])
    moved = envelope + np.concatenate([np.broadcast_to(gain, shape)] * 2, axis=2)
    return np.where(envelope <= bands.FLOOR_DB, envelope, np.maximum(moved, bands.FLOOR_DB)).astype(envelope.dtype)


def importance(
    envelope: np.ndarray | None, places: np.ndarray, values: np.ndarray, spread: np.ndarray, power: float
) -> np.ndarray:
    """Return the magnitudes of a detail in units of the quantiser: over band weight and envelope to a power."""
    found: np.ndarray = np.abs(values) / spread[places]
    if envelope is not None and power:
        found = found / 10 ** (at_places(envelope[:, :, : bands.BANDS], places) * (power / 20))
    return found
