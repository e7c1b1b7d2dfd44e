"""The sparse detail of a latent as dense coefficients or as a signal, and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from celesta.dsp import band_envelope as bands
from celesta.entropy.table_file import load_tables
from celesta.models.mdct_numpy import inverse_mdct, mdct
from celesta.variations.timeline import Timeline

COEFFICIENTS = bands.EDGES[-1]
_CHUNK = 512  # frames that are dense at once


def dense(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return coefficients ``(channels, 1024, F)`` of a detail ``(channels, k, F)``."""
    c, _, frames = values.shape
    out = np.zeros((c, COEFFICIENTS, frames), np.float32)
    channel, frame = np.arange(c)[:, None, None], np.arange(frames)[None, None]
    np.add.at(out, (channel, places, frame), values)
    return out


def chunks(t: Timeline) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield slices of frames, whole columns each, and their dense coefficients."""
    for first in range(0, t.frames, _CHUNK):
        where = slice(first, min(first + _CHUNK, t.frames))
        yield where, dense(t.places[..., where], t.values[..., where])


def sparse(coefficients: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Keep of coefficients ``(channels, 1024, F)`` the ``k`` of largest weighted magnitude in each frame.

    Returns:
        Places uint16 and values float32, ``(channels, k, F)``; where fewer are not zero, zeros.
    """
    k = min(k, coefficients.shape[1])
    weights = load_tables().spread.reshape(1, -1, 1)
    weighted = np.abs(coefficients) / weights
    places = np.argpartition(-weighted, k - 1, axis=1)[:, :k] if k < coefficients.shape[1] else None
    if places is None:
        places = np.broadcast_to(np.arange(k)[None, :, None], (len(coefficients), k, coefficients.shape[2]))
    places = np.sort(places, axis=1)
    values = np.take_along_axis(coefficients, places, 1)
    return places.astype(np.uint16), values.astype(np.float32)


def signal_of(t: Timeline) -> np.ndarray:
    """Return the signal ``(channels, F * 1024)`` of the detail alone."""
    whole = np.zeros((len(t.base), t.frames, COEFFICIENTS), np.float32)
    for where, c in chunks(t):
        whole[:, where] = c.transpose(0, 2, 1)
    return inverse_mdct(whole, t.frames * COEFFICIENTS)


def detail_of(x: np.ndarray, frames: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the detail ``(channels, k, frames)`` of a signal ``(channels, n)`` at the model's rate."""
    size = frames * COEFFICIENTS
    fitted = np.pad(x, ((0, 0), (0, max(0, size - x.shape[1]))))[:, :size]
    c = mdct(fitted.astype(np.float32), COEFFICIENTS)
    parts = [sparse(c[:, i : i + _CHUNK].transpose(0, 2, 1), k) for i in range(0, frames, _CHUNK)]
    return np.concatenate([p for p, _ in parts], axis=-1), np.concatenate([v for _, v in parts], axis=-1)


def band_levels(t: Timeline) -> np.ndarray:
    """Return the level of each band of the detail, ``(channels, 25, columns)`` dB; columns of four frames."""
    parts = []
    for _, c in chunks(t):
        short = -c.shape[-1] % bands.FRAMES
        squares = np.pad(np.square(c), ((0, 0), (0, 0), (0, short)))
        sums = np.stack([bands.cell_sums(one) for one in squares])
        parts.append(10 * np.log10(np.maximum(sums / bands.SIZES[:, None], 10 ** (bands.FLOOR_DB / 10))))
    return np.concatenate(parts, axis=-1)


def with_gain(t: Timeline, gain_db: np.ndarray) -> Timeline:
    """Change the level of bands of detail and envelope.

    Args:
        t: the frames.
        gain_db: ``(channels, 25, columns)`` dB; columns of four frames. Or with 1 column, for all frames.
    """
    band_of = np.repeat(np.arange(bands.BANDS), bands.WIDTHS)
    column = np.minimum(np.arange(t.frames) // bands.FRAMES, gain_db.shape[-1] - 1)
    channel = np.arange(len(t.values))[:, None, None]
    factor = 10 ** (gain_db[channel, band_of[t.places], column[None, None]] / 20)
    envelope = t.envelope
    if envelope is not None:
        wide = np.broadcast_to(gain_db, (*gain_db.shape[:2], envelope.shape[-1])) if gain_db.shape[-1] == 1 else gain_db
        moved = envelope + np.concatenate([wide, wide], axis=1)[..., : envelope.shape[-1]].astype(np.float32)
        envelope = np.where(envelope <= bands.FLOOR_DB, envelope, np.maximum(moved, bands.FLOOR_DB))
    return Timeline(t.base, t.places, (t.values * factor).astype(np.float32), t.gain, envelope)
