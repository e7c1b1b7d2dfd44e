"""Save latents in memory: as floats, as packed integers, or coded as the codec codes songs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from celesta.entropy import window as bits
from celesta.entropy.tables import load_tables
from celesta.entropy.window import NO_DETAIL, Numbers
from celesta.errors import UsageError
from celesta.latents.coded import WrittenFile
from celesta.latents.coded_song import SongFile
from celesta.latents.programme_loudness import programme_loudness
from celesta.latents.rate_control import first_step, quality_step
from celesta.latents.tags import limited_tags
from celesta.latents.truncation import BASE_CHANNELS, META, SAMPLED_WINDOWS
from celesta.latents.writer import CelWriter

if TYPE_CHECKING:
    from celesta.latents.latent import Latent

DEFAULT_QUALITY = 5.0
"""Quality of coded files where nothing else is asked for."""


@dataclass(frozen=True, eq=False)
class Coding:
    """How a latent is quantised when it is saved, for latents of a codec that codes to a bitrate.

    Attributes:
        steps: ``(windows, channels)`` step indices of the coded file that the latent was read from; None for those of
            the default quality.
        base_channels: base channels that a coded file gets.
        origin: the audio that the latent was made from, where it was made just now.
    """

    steps: np.ndarray | None = None
    base_channels: int = BASE_CHANNELS
    origin: Origin | None = field(default=None, repr=False)

    def changed(self) -> Coding:
        """Return the coding of a latent whose arrays were changed."""
        return replace(self, origin=None)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the audio, so that latents can be sent between processes."""
        return {**vars(self), "origin": None}


@dataclass(frozen=True)
class Origin:
    """The audio that a latent was made from: what codes best, and holds more than the latent's own arrays.

    Attributes:
        encode: encodes it to a .cel file; takes the path, the bitrate and the tags.
        path: the audio file, None for audio in memory.
        fingerprint: of the arrays that came of it.
    """

    encode: Callable[[str | Path, float | None, Mapping[str, str]], WrittenFile]
    path: Path | None
    fingerprint: int

    def is_of(self, latent: Latent) -> bool:
        """Whether the latent's arrays are unchanged and its audio file is still the same."""
        there = latent.source is None or (self.path is not None and latent.source.matches(self.path))
        return there and self.fingerprint == fingerprint(latent)


def fingerprint(latent: Latent) -> int:
    """Compute a checksum of a latent's arrays."""
    found = 0
    for array in (latent.base, latent.places, latent.values, latent.gain):
        found = zlib.crc32(array.tobytes(), found)
    return found


def save(latent: Latent, path: str | Path, kbps: float | None, dtype: str | None, bits: int | None) -> WrittenFile:
    """Write a latent; see :meth:`celesta.latents.Latent.save`."""
    if kbps is not None and (dtype is not None or bits is not None):
        raise UsageError("kbps codes the latent; dtype and bits do not: give one of them")
    if dtype is not None and bits is not None:
        raise UsageError("give dtype or bits, not both")
    if dtype is not None or bits is not None or latent.coding is None:
        return _save_plain(latent, Path(path), kbps, dtype, bits)
    if latent.coding.origin is not None and latent.coding.origin.is_of(latent):
        return latent.coding.origin.encode(path, kbps, latent.tags)
    return _save_coded(latent, latent.coding, Path(path), kbps)


def _save_plain(latent: Latent, path: Path, kbps: float | None, dtype: str | None, bits: int | None) -> WrittenFile:
    if kbps is not None:
        raise UsageError(f"latents of {latent.model} cannot be coded to a bitrate; use bits, or another model")
    about = {name: getattr(latent, name) for name in META} | {"mid_side": int(latent.mid_side)}
    with CelWriter(path, about, dtype=dtype or "float16", bits=bits) as writer:
        for i in range(latent.windows):
            writer.append(latent.window_latent(i))
        return WrittenFile(path, writer.close(latent.n_samples), latent.duration)


def _save_coded(latent: Latent, coding: Coding, path: Path, kbps: float | None) -> WrittenFile:
    tables = load_tables()
    _check_codable(latent, len(tables.spread), len(tables.move))
    channels = min(latent.latent_dim, coding.base_channels)
    finest = _finest_steps(latent, coding, kbps)
    about = {name: getattr(latent, name) for name in META}
    about["tags"] = limited_tags(latent.tags, latent.duration, kbps, path)
    file = SongFile(path, about, latent.mid_side, latent.n_samples)

    def window(i: int, step: int) -> list[Numbers]:
        return [
            bits.quantise(base[:channels], coefficients(latent, i, c), max(step, int(finest[i, c])), tables)
            for c, base in enumerate(latent.base[i])
        ]

    step = 0
    if kbps is not None:
        some = range(0, latent.windows, max(1, latent.windows // SAMPLED_WINDOWS))
        dense = [coefficients(latent, i, c) for i in some for c in range(latent.channels)]
        step = first_step(dense, kbps, channels, latent.channels, tables)

        def details(step: int) -> Iterator[Numbers]:
            return (replace(n, base=n.base[:0]) for i in some for n in window(i, step))

        bases = (replace(n, detail=n.detail[:0]) for i in some for n in window(i, NO_DETAIL))
        step = file.estimate(bases, details, len(some), kbps, step, tables)
    return file.write(lambda step: (window(i, step) for i in range(latent.windows)), channels, kbps, step, tables)


def coefficients(latent: Latent, window: int, channel: int) -> np.ndarray:
    """Return the detail of a window as dense coefficients ``(bands, frames)`` float32."""
    dense = np.zeros((latent.hop_length, latent.frames), np.float32)
    frames = np.broadcast_to(np.arange(latent.frames), latent.places.shape[2:])
    np.add.at(dense, (latent.places[window, channel], frames), latent.values[window, channel])
    return dense


def _check_codable(latent: Latent, bands: int, channels: int) -> None:
    fits = latent.hop_length == bands and latent.frames * bands == latent.window and latent.latent_dim <= channels
    if not fits or latent.places.max(initial=0) >= bands or not np.array_equal(latent.gain, np.ones_like(latent.gain)):
        raise UsageError(f"{latent.model}: a latent of this shape cannot be coded; give dtype or bits")


def _finest_steps(latent: Latent, coding: Coding, kbps: float | None) -> np.ndarray:
    """Return the finest step of each window and channel: finer ones than it was coded with cost bits for nothing."""
    shape = (latent.windows, latent.channels)
    if coding.steps is not None:
        return coding.steps if coding.steps.shape == shape else np.full(shape, int(np.median(coding.steps)))
    if kbps is not None:
        return np.zeros(shape, np.int64)
    windows = ([coefficients(latent, i, c) for c in range(latent.channels)] for i in range(latent.windows))
    return np.full(shape, quality_step(DEFAULT_QUALITY, programme_loudness(windows, latent.sample_rate)))
