"""One song of a studio: its format, and the waveform and spectrogram, which grow while it is read."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta._files import printable
from celesta.audio import AudioSource
from celesta.dsp.peaks import PeakPyramid
from celesta.dsp.spectrogram import N_FFT, ROWS, SpectrogramColumns
from celesta.errors import CelestaError, UsageError
from celesta.latents import CelReader, is_cel
from celesta.studio import overview_cache as cache
from celesta.studio import warned

MOST_COLUMNS = 32_768
"""Columns of a song's spectrogram, unless they would be closer than :data:`CLOSEST`."""
CLOSEST = 512
"""Samples between two columns at least."""
TILE = 512
"""Columns of a tile."""
_SKETCHED = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "FLAC"})  # formats that can be read anywhere
_SKETCH_BINS, _SKETCH_SAMPLES, _SKETCH_SECONDS = 600, 1_024, 1.0
_SKETCH_FROM = 120.0  # seconds: shorter songs are read at once
_BLOCK = 1 << 16


@dataclass(frozen=True)
class SongFacts:
    """Format and size of a song.

    Attributes:
        path: of the file.
        format: such as ``MP3``; ``CEL`` for latents.
        subtype: encoding of the samples, or the model of a latent.
        sample_rate: Hz.
        channels: number of audio channels.
        seconds: by the header.
        n_bytes: size of the file.
        tags: of the file.
        kbps: bitrate of the file.
    """

    path: Path
    format: str
    subtype: str
    sample_rate: int
    channels: int
    seconds: float
    n_bytes: int
    tags: dict[str, str]
    kbps: float


def song_facts(path: Path) -> SongFacts:
    """Read the format of an audio file or a .cel file.

    Raises:
        AudioError, LatentError: it cannot be read.
    """
    size = path.stat().st_size
    if is_cel(path):
        with CelReader(path) as reader:
            m = reader.meta
            return SongFacts(
                path, "CEL", m.model, m.source_rate, m.channels, reader.seconds, size, dict(m.tags), reader.kbps
            )
    info = audio.info(path)
    kbps = size * 8 / info.duration / 1000 if info.duration else 0.0
    return SongFacts(
        path, info.format, info.subtype, info.sample_rate, info.channels, info.duration, size, info.tags, kbps
    )


class SongOverview:
    """The waveform and the spectrogram of a song; :meth:`run` reads the song once, and all can be asked meanwhile.

    Args:
        facts: of the song.
        blocks: gives its samples ``(channels, n)``, block by block.
        folder: where finished overviews are cached; None: nowhere.
    """

    def __init__(self, facts: SongFacts, blocks: Iterator[np.ndarray], folder: Path | None = None) -> None:
        self.facts = facts
        self.sample_rate = facts.sample_rate
        expected = max(1, round(facts.seconds * facts.sample_rate))
        self.hop_length = max(CLOSEST, -(-expected // MOST_COLUMNS))
        self.peaks = PeakPyramid()
        self.spectra = SpectrogramColumns(facts.sample_rate, self.hop_length)
        self.sketch: np.ndarray | None = None
        self.samples = expected
        self.complete = False
        self.problem = ""
        self.warnings: list[str] = []
        self._blocks, self._folder = blocks, folder
        self._columns: np.ndarray | None = None
        self._stop = threading.Event()

    @property
    def seconds(self) -> float:
        """Duration: exact once the song has been read, before that by its header."""
        return self.samples / self.sample_rate

    @property
    def read_seconds(self) -> float:
        """Seconds that have been read."""
        return self.seconds if self.complete else self.peaks.samples / self.sample_rate

    @property
    def columns(self) -> np.ndarray:
        """Columns of the spectrogram so far."""
        return self.spectra.columns if self._columns is None else self._columns

    def stop(self) -> None:
        """End :meth:`run` early."""
        self._stop.set()

    def run(self) -> None:
        """Read the song; what goes wrong is in :attr:`problem` and :attr:`warnings`."""
        try:
            if self._restore():
                return
            with warned.collected() as self.warnings:
                self._sketch()
                self._read()
        except CelestaError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = f"{printable(self.facts.path)}: cannot be read ({error.strerror}); was it moved?"
        finally:
            close = getattr(self._blocks, "close", None)
            if close is not None:
                close()

    def _read(self) -> None:
        for block in self._blocks:
            if self._stop.is_set():
                return
            self.peaks.push(block)
            self.spectra.push(block.mean(axis=0))
        self.peaks.finish()
        self.spectra.finish()
        self.samples = max(1, self.peaks.samples)
        self.complete = True
        if self._folder is not None:
            cache.store(self._folder, self.facts.path, self.peaks, self.spectra.columns, self.hop_length)

    def _restore(self) -> bool:
        found = None if self._folder is None else cache.load(self._folder, self.facts.path)
        if found is None:
            return False
        self.peaks, self._columns, self.hop_length = found
        self.samples, self.complete = self.peaks.samples, True
        return True

    def _sketch(self) -> None:
        """Read a little at many places of a long song, so that its whole shape is there at once."""
        if self.facts.format not in _SKETCHED or self.facts.seconds < _SKETCH_FROM:
            return
        bins = np.zeros((_SKETCH_BINS, 3), np.int16)
        end = time.monotonic() + _SKETCH_SECONDS
        with AudioSource(self.facts.path) as source:
            for number in range(_SKETCH_BINS):
                source.seek(number * self.samples // _SKETCH_BINS)
                part = source.read(_SKETCH_SAMPLES)
                if part.shape[1] == 0 or time.monotonic() > end:
                    return
                level = np.sqrt(np.mean(part**2))
                bins[number] = np.clip([part.min() * 32_000, part.max() * 32_000, level * 32_000], -32_768, 32_767)
        self.sketch = bins

    def waveform(self, start: float, stop: float, bins: int) -> np.ndarray:
        """Return ``(bins, 3)`` int16 of a stretch: minimum, maximum and RMS; what is not read yet is sketched."""
        first, last = self._range(start, stop)
        made = self.peaks.read(first, last, bins)
        if self.sketch is not None and not self.complete:
            at = (first + (np.arange(bins) + 0.5) * (last - first) / bins).astype(np.int64)
            missing = at >= self.peaks.samples
            places = np.clip(at[missing] * _SKETCH_BINS // self.samples, 0, _SKETCH_BINS - 1)
            made[missing] = self.sketch[places]
        return made

    def tile(self, start: float, stop: float) -> np.ndarray:
        """Return the spectrogram of a stretch, ``(512, 192)`` uint8; computed from the file where it is fine enough.

        Raises:
            CelestaError: the file cannot be read there.
        """
        first, last = self._range(start, stop)
        step = (last - first) / TILE
        if step * 2 < self.hop_length and last - first <= 60 * self.sample_rate and self.facts.format != "CEL":
            return self._close_tile(first, last)
        columns = self.columns
        places = ((first + np.arange(TILE) * step + step / 2) / self.hop_length).astype(np.int64)
        if len(columns) == 0:
            return np.zeros((TILE, ROWS), np.uint8)
        made: np.ndarray = np.where((places < len(columns))[:, None], columns[np.minimum(places, len(columns) - 1)], 0)
        if step >= 2 * self.hop_length:  # the strongest of the columns that share one of the tile
            for shift in range(1, min(8, int(step / self.hop_length))):
                near = np.minimum(places + shift, len(columns) - 1)
                made = np.where((places < len(columns))[:, None], np.maximum(made, columns[near]), made)
        return made.astype(np.uint8)

    def _close_tile(self, first: int, last: int) -> np.ndarray:
        margin = N_FFT // 2
        begin = max(0, first - margin)
        part = read_stretch(self.facts.path, begin, min(self.samples, last + margin) - begin).mean(axis=0)
        hop = max(1, round((last - first) / TILE))
        made = SpectrogramColumns(self.sample_rate, hop)
        made.push(part[: len(part)])
        made.finish()
        places = np.minimum((first - begin + np.arange(TILE) * (last - first) / TILE) / hop, len(made.columns) - 1)
        tile: np.ndarray = made.columns[places.astype(np.int64)]
        return tile

    def _range(self, start: float, stop: float) -> tuple[int, int]:
        first = max(0, round(start * self.sample_rate))
        last = round(stop * self.sample_rate)
        if last <= first:
            raise UsageError(f"from {start:g} to {stop:g} s is nothing; the end must lie behind the beginning")
        return first, last


def read_stretch(path: Path, first: int, n: int) -> np.ndarray:
    """Read samples ``(channels, n)`` of a file; fewer where it ends.

    Raises:
        AudioError: the file cannot be read.
    """
    with AudioSource(path) as source:
        source.seek(first)
        parts: list[Any] = []
        while n > 0 and (part := source.read(min(n, _BLOCK))).shape[1]:
            parts.append(part)
            n -= part.shape[1]
        return np.concatenate(parts, axis=1) if parts else np.zeros((source.channels, 0), np.float32)
