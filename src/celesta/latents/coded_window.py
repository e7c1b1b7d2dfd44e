"""Quantised windows as latents in floats, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from celesta.dsp import band_envelope as bands
from celesta.entropy import envelope as envelope_coder
from celesta.entropy import window as bits
from celesta.entropy.table_file import Tables
from celesta.entropy.window import BASE_STEP, Numbers, Settings
from celesta.latents.window import LatentWindow

_HALF_DB = 0.5
_FULLY = 12.0
"""dB that the coefficients left out of a cell lie below the cell, from which they are softened as much as is asked for.

Where nothing of a cell is kept nothing is softened: the fill is all that is audible there. Where much is kept, the fill
costs the waveform more than it gives to the spectrum.
"""


def as_floats(channels: Sequence[Numbers], tables: Tables) -> LatentWindow:
    """Return the latent that quantised audio channels of a window stand for; details only as large as needed."""
    sparse = [_sparse(bits.coefficients(n, tables)) for n in channels]
    k = max(len(values) for _, values in sparse)
    places, values = (np.stack([np.pad(one[j], ((0, k - len(one[j])), (0, 0))) for one in sparse]) for j in (0, 1))
    base = np.stack([n.base for n in channels]).astype(np.float32) * np.float32(BASE_STEP)
    return LatentWindow(base, places, values, np.ones(len(channels), np.float32), envelope_rows(channels, tables))


def _sparse(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places ``(k, frames)`` uint16 and values float32 of coefficients ``(bands, frames)``, k as many as needed."""
    frame, place = np.nonzero(c.T)
    counts = np.bincount(frame, minlength=c.shape[1])
    k = int(counts.max(initial=0))
    row = np.arange(len(frame)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.zeros((k, c.shape[1]), np.uint16)
    values = np.zeros((k, c.shape[1]), np.float32)
    places[row, frame] = place
    values[row, frame] = c[place, frame]
    return places, values


def envelope_rows(channels: Sequence[Numbers], tables: Tables) -> np.ndarray | None:
    """Return the envelope ``(channels, 50, frames / 4)`` dB of a window; None for codecs without one."""
    if tables.envelope is None:
        return None
    made = []
    for n in channels:
        below = (n.envelope - n.rest) * bands.STEP_DB
        softer = _HALF_DB * n.settings.softer * np.minimum(below / _FULLY, 1)
        rest = np.where(n.rest > 0, np.maximum(bands.decibels(n.rest) - softer, bands.FLOOR_DB), bands.FLOOR_DB)
        made.append(np.concatenate([bands.decibels(n.envelope), rest]))
    return np.stack(made).astype(np.float32)


def as_numbers(
    base: np.ndarray, c: np.ndarray, envelope: np.ndarray | None, settings: Settings, tables: Tables
) -> Numbers:
    """Quantise one audio channel of a window of a latent.

    Args:
        base: ``(channels, frames)``.
        c: ``(bands, frames)`` coefficients of the detail, zeros elsewhere.
        envelope: ``(50, frames / 4)`` dB; None for codecs without one.
        settings: step, power and softening.
        tables: the codec's.
    """
    if envelope is None or tables.envelope is None:
        return bits.quantise(base, c, settings, tables)
    power, rest = envelope[: bands.BANDS], envelope[bands.BANDS :]
    level = np.clip((power - bands.FLOOR_DB) / bands.STEP_DB, 0, bands.LARGEST)
    index = envelope_coder.quantise(level, tables.envelope)
    softer = _HALF_DB * settings.softer
    below = np.maximum(power - rest, 0)
    true = power - np.where(below > _FULLY + softer, below - softer, below / (1 + softer / _FULLY))
    level = np.where(rest > bands.FLOOR_DB, (true - bands.FLOOR_DB) / bands.STEP_DB, 0)
    unknown = np.clip(np.rint(level), 0, bands.LARGEST).astype(np.int32)
    return bits.quantise(base, c, settings, tables, index, unknown)
