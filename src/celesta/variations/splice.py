"""Join stretches of original samples: cross-fades, and how a join compares with the song's ordinary beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from celesta.dsp.spectra import hann, mel_filters
from celesta.variations.material import BLOCK, Material

_BANDS = 40
_SIDE = 0.25  # seconds on either side of a join that are measured
_NEAR = 0.1  # seconds that are compared on either side


@dataclass(frozen=True)
class Piece:
    """A stretch of a song.

    Attributes:
        start, stop: samples of the song.
        fade: samples of the cross-fade with the piece before, half of it on either side of the border; 0 for the first.
        correlation: of the two signals in the cross-fade, 0 to 1; it decides how the gains add up.
    """

    start: int
    stop: int
    fade: int = 0
    correlation: float = 1.0


@dataclass(frozen=True)
class Measures:
    """What happens at a place of a signal.

    Attributes:
        flux: largest onset strength within 50 ms.
        mel: distance between the mean mel spectra of the 100 ms before and behind, dB.
        click: peak of the signal above 8 kHz (or a third of the sample rate) within 10 ms, full scale 1.
    """

    flux: float
    mel: float
    click: float


def gains(fade: int, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the gains ``(fade,)`` of what ends and of what begins, such that the power stays.

    Linear ramps, divided by the level that the sum of two signals of this correlation has.

    >>> out, into = gains(4, 1.0)
    >>> [float(g) for g in out + into]
    [1.0, 1.0, 1.0, 1.0]
    """
    into = (np.arange(fade) + 0.5) / max(fade, 1)
    out = 1 - into
    level = np.sqrt(out**2 + into**2 + 2 * min(max(correlation, 0.0), 1.0) * out * into)
    return (out / level).astype(np.float32), (into / level).astype(np.float32)


def rendered(song: Material, pieces: Sequence[Piece]) -> Iterator[np.ndarray]:
    """Yield the pieces one after the other, cross-faded, in blocks ``(channels, n)``.

    Outside the cross-fades the samples are those of the song, bit for bit; the length is the sum of the pieces'.
    """
    for i, piece in enumerate(pieces):
        head = piece.fade // 2
        tail = pieces[i + 1].fade // 2 if i + 1 < len(pieces) else 0
        yield from song.blocks(piece.start + head, piece.stop - tail)
        if tail:
            yield crossfaded(song, piece.stop, pieces[i + 1])


def crossfaded(song: Material, end: int, piece: Piece) -> np.ndarray:
    """Return the cross-fade ``(channels, 2 * (fade // 2))`` from what ends at ``end`` into a piece."""
    half = piece.fade // 2
    out, into = gains(2 * half, piece.correlation)
    mixed: np.ndarray = song.read(end - half, end + half) * out
    mixed += song.read(piece.start - half, piece.start + half) * into
    return mixed


def around(song: Material, end: int, piece: Piece, side: int) -> np.ndarray:
    """Return one channel ``(2 side,)`` around a join, see :meth:`Material.mix`."""
    half = piece.fade // 2
    parts = [song.read(end - side, end - half), crossfaded(song, end, piece)]
    parts.append(song.read(piece.start + half, piece.start + side))
    return song.mix(np.concatenate(parts, axis=1))


def measure(x: np.ndarray, sample_rate: int) -> Measures:
    """Measure what happens in the middle of a mono signal ``(n,)`` of about half a second."""
    size = 2 ** max(6, round(np.log2(0.046 * sample_rate)))
    hop = size // 4
    padded = np.pad(x, (size // 2, size // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    filters = mel_filters(sample_rate, size, _BANDS)
    mel = np.abs(np.fft.rfft(frames * hann(size), axis=1)).astype(np.float32) @ filters / (size / 4)
    level = np.log10(1 + 1000 * mel / max(float(mel.max()), 1e-6))
    flux = np.maximum(np.diff(level, axis=0, prepend=level[:1]), 0).mean(axis=1)
    middle = len(x) / 2 / hop
    near = np.abs(np.arange(len(level)) - middle) * hop / sample_rate
    decibel = np.maximum(20 * np.log10(np.maximum(mel, 1e-9)), -80)
    at = np.arange(len(level)) * hop / sample_rate - len(x) / 2 / sample_rate
    half = size / 2 / sample_rate
    before = decibel[(at >= -half - _NEAR) & (at <= -half)].mean(axis=0)
    behind = decibel[(at >= half) & (at <= half + _NEAR)].mean(axis=0)
    return Measures(
        float(flux[near <= 0.05].max()), float(np.abs(behind - before).mean()), click_peak(x, sample_rate, 0.01)
    )


def click_peak(x: np.ndarray, sample_rate: int, within: float) -> float:
    """Return the peak of the high-passed signal within some seconds of its middle."""
    high = high_passed(x, sample_rate)
    reach = max(1, round(within * sample_rate))
    middle = len(x) // 2
    return float(np.abs(high[max(0, middle - reach) : middle + reach]).max(initial=0.0))


def high_passed(x: np.ndarray, sample_rate: int) -> np.ndarray:
    """Keep what is above 8 kHz, or above a third of the sample rate."""
    from scipy.signal import butter, lfilter  # their import takes longer than all others

    numerator, denominator = butter(4, min(8000.0, sample_rate / 3), "high", fs=sample_rate)
    found: np.ndarray = lfilter(numerator, denominator, x)
    return found


class Ordinary:
    """The song's ordinary beat boundaries, to which joins are compared.

    Args:
        song: its samples.
        beats: samples of beats.
        most: at most so many of them, evenly spaced, are measured.
    """

    def __init__(self, song: Material, beats: np.ndarray, most: int = 300) -> None:
        self.song, self.side = song, round(_SIDE * song.sample_rate)
        inner = beats[(beats > self.side) & (beats < song.n_samples - self.side)]
        chosen = inner[np.linspace(0, len(inner) - 1, min(most, len(inner))).astype(int)] if len(inner) else inner
        found = [measure(song.mono(b - self.side, b + self.side), song.sample_rate) for b in chosen]
        self.flux = np.sort([m.flux for m in found])
        self.mel = np.sort([m.mel for m in found])
        self.click = self._click_limit()

    def percentiles(self, end: int, piece: Piece) -> tuple[float, float, float]:
        """Return where flux and mel distance of a join lie among the beats (0..100), and its click over the limit."""
        m = measure(around(self.song, end, piece, self.side), self.song.sample_rate)
        return _rank(self.flux, m.flux), _rank(self.mel, m.mel), m.click / max(self.click, 1e-9)

    def ranks(self, x: np.ndarray) -> tuple[float, float]:
        """Return where flux and mel distance in the middle of a mono signal ``(2 side,)`` lie among the beats."""
        m = measure(x, self.song.sample_rate)
        return _rank(self.flux, m.flux), _rank(self.mel, m.mel)

    def _click_limit(self) -> float:
        """The 99.5th percentile of the high-passed peaks of 20 ms stretches."""
        size = max(1, round(0.02 * self.song.sample_rate))
        peaks = []
        step = max(BLOCK, self.song.n_samples // 40)
        for first in range(0, self.song.n_samples, step):
            x = np.abs(
                high_passed(self.song.mono(first, min(first + BLOCK, self.song.n_samples)), self.song.sample_rate)
            )
            peaks.append(x[: len(x) // size * size].reshape(-1, size).max(axis=1, initial=0.0))
        every = np.concatenate(peaks) if peaks else np.zeros(1)
        return float(np.percentile(every, 99.5)) if every.size else 0.0


def _rank(ordered: np.ndarray, value: float) -> float:
    """Return the percentile of a value among sorted ones; 50 where there are none."""
    return 100.0 * float(np.searchsorted(ordered, value, "left")) / len(ordered) if len(ordered) else 50.0
