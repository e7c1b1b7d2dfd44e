"""Save latents in memory: as floats, as packed integers, or coded as the codec codes songs; and load them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from celesta.entropy.table_file import load_tables
from celesta.entropy.window import Numbers, Settings
from celesta.errors import LatentError, UsageError
from celesta.latents.coded import WrittenFile
from celesta.latents.coded_song import SongFile
from celesta.latents.coded_window import as_numbers
from celesta.latents.meta import CODED, META
from celesta.latents.programme_loudness import programme_loudness
from celesta.latents.rate_control import base_channels, first_step, quality_step
from celesta.latents.rate_control import settings as chosen_settings
from celesta.latents.reader import CelReader
from celesta.latents.tags import limited_tags
from celesta.latents.truncation import SAMPLED_WINDOWS
from celesta.latents.window import pad_detail
from celesta.latents.writer import CelWriter

if TYPE_CHECKING:
    from celesta.latents.latent import Latent

DEFAULT_QUALITY = 5.0
"""Quality of coded files where nothing else is asked for."""


@dataclass(frozen=True, eq=False)
class Coding:
    """How a latent is quantised when it is saved, for latents of a codec that codes to a bitrate.

    Attributes:
        settings: quantiser settings of each window and channel of the coded file that the latent was read from; None
            for those of the default quality.
        base_channels: base channels that a coded file gets; None for as many as usual.
        origin: the audio that the latent was made from, where it was made just now.
    """

    settings: list[list[Settings]] | None = None
    base_channels: int | None = None
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
    for array in (latent.base, latent.places, latent.values, latent.gain, latent.envelope):
        if array is not None:
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


def load(path: str | Path) -> dict[str, Any]:
    """Read the attributes of a latent from a whole .cel file; see :meth:`celesta.latents.Latent.load`."""
    with CelReader(path) as reader:
        reader.check_payload()
        parts = [reader.window(i) for i in range(len(reader))]
        m = reader.meta
        coding = Coding(reader.settings(), m.latent_dim) if reader.encoding == CODED else None
    most = max(part.places.shape[1] for part in parts)  # windows of coded files have details of their own sizes
    return {
        **{name: getattr(m, name) for name in META},
        "base": np.stack([part.base for part in parts]),
        "places": np.stack([pad_detail(part.places, most) for part in parts]),
        "values": np.stack([pad_detail(part.values, most) for part in parts]),
        "gain": np.stack([part.gain for part in parts]),
        "envelope": None if parts[0].envelope is None else np.stack([np.asarray(part.envelope) for part in parts]),
        "n_samples": m.n_samples,
        "mid_side": bool(m.mid_side),
        "coding": coding,
    }


def _save_plain(latent: Latent, path: Path, kbps: float | None, dtype: str | None, bits: int | None) -> WrittenFile:
    if kbps is not None:
        raise UsageError(f"latents of {latent.model} cannot be coded to a bitrate; use bits, or another model")
    about = {name: getattr(latent, name) for name in META} | {"mid_side": int(latent.mid_side)}
    with CelWriter(path, about, dtype=dtype or "float16", bits=bits) as writer:
        for i in range(latent.windows):
            writer.append(latent.window_latent(i))
        return WrittenFile(path, writer.close(latent.n_samples), latent.duration)


def _save_coded(latent: Latent, coding: Coding, path: Path, kbps: float | None) -> WrittenFile:
    tables = load_tables(latent.envelope_rows)
    _check_codable(latent, tables.bands, tables.base_channels)
    channels = coding.base_channels
    if channels is None:
        channels = base_channels(tables, kbps, latent.channels)
    channels = min(latent.latent_dim, channels)
    finest = _finest(latent, coding, kbps)
    about = {name: getattr(latent, name) for name in META}
    about["tags"] = limited_tags(latent.tags, latent.duration, kbps, path)
    file = SongFile(path, about, latent.mid_side, latent.n_samples)

    def quantised(i: int, c: int, step: int) -> Numbers:
        own, dense = finest[i][c], coefficients(latent, i, c)
        envelope = None if latent.envelope is None else latent.envelope[i, c]
        return as_numbers(latent.base[i, c, :channels], dense, envelope, own.at(max(step, own.step)), tables)

    def window(i: int, step: int) -> list[Numbers]:
        return [quantised(i, c, step) for c in range(latent.channels)]

    step = 0
    if kbps is not None:
        some = range(0, latent.windows, max(1, latent.windows // SAMPLED_WINDOWS))
        places = [(i, c) for i in some for c in range(latent.channels)]
        known = [(coefficients(latent, i, c), quantised(i, c, 0).envelope) for i, c in places]
        step = first_step(known, kbps, channels, latent.channels, finest[0][0].power, tables)
        step = file.estimate([partial(quantised, i, c) for i, c in places], len(some), kbps, step, tables)
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
    if not all(x is None or np.isfinite(x).all() for x in (latent.base, latent.values, latent.envelope)):
        raise LatentError(f"{latent.model}: the latent holds values that are not finite, so it cannot be saved")


def _finest(latent: Latent, coding: Coding, kbps: float | None) -> list[list[Settings]]:
    """Return the finest settings of each window and channel: finer than it was coded costs bits for nothing."""
    there = coding.settings
    if there is not None and len(there) == latent.windows and len(there[0]) == latent.channels:
        return there
    if there is not None:
        one = sorted((settings for row in there for settings in row), key=lambda settings: settings.step)
        chosen = one[len(one) // 2]
    else:
        chosen = chosen_settings(load_tables(latent.envelope_rows), kbps, latent.channels).at(0)
        if kbps is None:
            windows = ([coefficients(latent, i, c) for c in range(latent.channels)] for i in range(latent.windows))
            loudness = programme_loudness(windows, latent.sample_rate)
            chosen = chosen.at(quality_step(DEFAULT_QUALITY, loudness, chosen.power))
    return [[chosen] * latent.channels] * latent.windows
