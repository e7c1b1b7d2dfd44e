"""The grains of a mosaic: cut from their sources, brought to the target's attacks and level, and faded together."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np

from celesta.dsp.stretching import stretch
from celesta.variations.material import BLOCK, Material, at_rate, opened
from celesta.variations.splice import gains

FADE = 0.012
"""Seconds of the cross-fade between two grains."""
GAIN_DB = 12.0
"""Most by which a grain is made louder."""
_SOFTEST_DB = -60.0  # most by which a moment of a grain is made softer
_LEVEL_HOP = 0.006  # seconds
_LEVEL_SMOOTH = 0.024  # seconds over which levels are averaged
_SEARCH = 0.035  # seconds by which a grain may be moved so that its attack meets the target's
_BLOCK_FLOATS = 4


@dataclass(frozen=True)
class Grain:
    """A piece of a source in its place.

    Attributes:
        at: sample of the result.
        n_samples: length.
        source: index of the source.
        start: sample of the source, at the result's sample rate.
        gain_db: by which it is made louder.
        semitones: by which it is transposed.
        follows: whether it continues the grain before it.
        attack: whether it begins at an onset of the target.
        shaped: whether its level follows the target's from moment to moment; ``gain_db`` is then the mean.
    """

    at: int
    n_samples: int
    source: int
    start: int
    gain_db: float = 0.0
    semitones: int = 0
    follows: bool = False
    attack: bool = True
    shaped: bool = False


class Opened:
    """A material that is closed only if it was opened here.

    Args:
        source: path, audio, or a material, which stays open.
    """

    def __init__(self, source: Any) -> None:
        self.source, self.material = source, opened(source)

    def __enter__(self) -> Material:
        return self.material

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.material is not self.source:
            self.material.close()


class Canvas:
    """Samples in a temporary file, to which grains are added in any order.

    Args:
        channels: number of audio channels.
        n_samples: per channel; all are 0 at first.
    """

    def __init__(self, channels: int, n_samples: int) -> None:
        self.channels, self.n_samples = channels, n_samples
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close())
        self._file.truncate(_BLOCK_FLOATS * channels * n_samples)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return samples ``(channels, stop - start)``; the stretch lies inside."""
        self._file.seek(_BLOCK_FLOATS * self.channels * start)
        data = self._file.read(_BLOCK_FLOATS * self.channels * (stop - start))
        return np.frombuffer(data, np.float32).reshape(-1, self.channels).T

    def add(self, at: int, x: np.ndarray) -> None:
        """Add samples ``(channels, n)``; what lies outside is left out."""
        first, last = max(at, 0), min(at + x.shape[1], self.n_samples)
        if first >= last:
            return
        mixed = self.read(first, last) + x[:, first - at : last - at]
        self._file.seek(_BLOCK_FLOATS * self.channels * first)
        self._file.write(np.ascontiguousarray(mixed.T, np.float32).tobytes())

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples in blocks ``(channels, n)``."""
        for first in range(0, self.n_samples, BLOCK):
            yield self.read(first, min(first + BLOCK, self.n_samples))

    def close(self) -> None:
        """Give the temporary file back."""
        self._file.close()

    def __enter__(self) -> Canvas:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def render(song: Material, sources: Sequence[Any], grains: Sequence[Grain], canvas: Canvas) -> list[Grain]:
    """Write a mosaic to a canvas; each source is opened once.

    Args:
        song: the target.
        sources: of the grains.
        grains: in order.
        canvas: as long as the target.

    Returns:
        The grains, at the places from which they were taken: moved so that attacks meet the target's.
    """
    rate = song.sample_rate
    half = round(FADE * rate) // 2
    placed = list(grains)
    for number in sorted({grain.source for grain in grains}):
        with Opened(sources[number]) as raw:
            material = at_rate(raw, rate, song.channels)
            try:
                for k, grain in enumerate(grains):
                    if grain.source == number:
                        _place(placed, k, song, material)
                        canvas.add(*_sounding(song, material, placed, k, half))
            finally:
                if material is not raw:
                    material.close()
    return placed


def _place(grains: list[Grain], k: int, song: Material, source: Material) -> None:
    """Move a grain so that its attack meets the target's, or so that it goes on where the one before it ended."""
    grain = grains[k]
    if grain.follows and k:
        grains[k] = replace(grain, start=grains[k - 1].start + grain.at - grains[k - 1].at)
    elif k and grain.attack and grain.semitones == 0:
        grains[k] = replace(grain, start=grain.start + attack_shift(song, source, grain))


def _sounding(song: Material, source: Material, grains: Sequence[Grain], k: int, half: int) -> tuple[int, np.ndarray]:
    """Return where a grain begins and its samples, faded in from the one before and out into the next one."""
    grain = grains[k]
    lead, tail = (half if k else 0), (half if k + 1 < len(grains) else 0)
    x = source.read(grain.start - lead, grain.start + grain.n_samples + tail)
    if grain.semitones:
        x = stretch(x, source.sample_rate, x.shape[1], grain.semitones)
    if grain.shaped:
        x = x * level_curve(
            song.mono(grain.at - lead, grain.at + grain.n_samples + tail), source.mix(x), song.sample_rate
        )
        x = x / max(1.0, float(np.abs(x).max(initial=0.0)))  # no clipping
    elif grain.gain_db:
        x = x * np.float32(10 ** (grain.gain_db / 20))
    x = np.array(x, np.float32)
    if lead:
        x[:, : 2 * lead] *= gains(2 * lead, 1.0 if grain.follows else 0.0)[1][: x.shape[1]]
    if tail:
        x[:, -2 * tail :] *= gains(2 * tail, 1.0 if grains[k + 1].follows else 0.0)[0][-x.shape[1] :]
    return grain.at - lead, x


def level_curve(wanted: np.ndarray, x: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the gain of each sample ``(n,)`` that gives a signal the level of another one, moment by moment.

    Args:
        wanted: ``(n,)``.
        x: ``(n,)``; where it is equal, all gains are 1.
        sample_rate: Hz.
    """
    hop = max(1, round(_LEVEL_HOP * sample_rate))
    count = -(-len(x) // hop)

    def power(signal: np.ndarray) -> np.ndarray:
        squares = np.pad(np.square(signal, dtype=np.float64), (0, count * hop - len(signal)))
        rows = squares.reshape(count, hop).mean(axis=1)
        width = max(1, round(_LEVEL_SMOOTH / _LEVEL_HOP)) | 1
        padded = np.pad(rows, width // 2, mode="edge")
        smooth: np.ndarray = np.convolve(padded, np.ones(width) / width, "valid") + 1e-9
        return smooth

    decibel = np.clip(10 * np.log10(power(wanted) / power(x)), _SOFTEST_DB, GAIN_DB)
    places = (np.arange(count) + 0.5) * hop
    curve: np.ndarray = (10 ** (np.interp(np.arange(len(x)), places, decibel) / 20)).astype(np.float32)
    return curve


def attack_shift(song: Material, source: Material, grain: Grain) -> int:
    """Return by how many samples the source's attack comes after the target's, within 35 ms; 0 where none is clear."""
    rate = song.sample_rate
    step, reach, search = max(1, rate // 1000), round(0.025 * rate), round(_SEARCH * rate)

    def rises(x: np.ndarray) -> np.ndarray:
        power = np.square(np.diff(x, prepend=x[:1]))
        steps = power[: len(power) // step * step].reshape(-1, step).sum(axis=1)
        rising: np.ndarray = np.maximum(np.diff(np.sqrt(steps), prepend=np.sqrt(steps[:1])), 0)
        return rising

    here = rises(song.mono(grain.at - reach, grain.at + reach))
    there = rises(source.mono(grain.start - reach - search, grain.start + reach + search))
    if here.max(initial=0) <= 0 or there.max(initial=0) <= 0:
        return 0
    products = np.correlate(there, here, "valid")
    middle = search // step
    best = int(np.argmax(products))
    return (best - middle) * step if products[best] > 1.2 * products[min(middle, len(products) - 1)] else 0
