"""Extractor ``handcrafted``: descriptors of timbre and pitch, the control for every learned feature.

Definitions are those of librosa 0.10 at its defaults (22 050 Hz, frames of 2048 samples, hop 512, Slaney's mel scale
with area-normalised triangles), but for the chroma, which takes A4 = 440 Hz as given and does not guess the tuning.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import scipy.fft

from celesta.dsp.spectra import SAMPLE_RATE, Framer, at_rate, chroma_filters, decibels, mel_filters, spectrum
from celesta.features.base import Arrays, Extractor, Rows, frame_range

VERSION = "1"
N_FFT = 2048
HOP_LENGTH = 512
ROLL_OFF = 0.85
_SIZES = {
    "mfcc": 20,
    "mfcc_delta": 20,
    "chroma": 12,
    "contrast": 7,
    "centroid": 1,
    "bandwidth": 1,
    "rolloff": 1,
    "flatness": 1,
    "zero_crossings": 1,
    "rms": 1,
}
_ROWS = tuple(f"{name}_{i}" if size > 1 else name for name, size in _SIZES.items() for i in range(size))
NAMES = tuple(f"{row}.{statistic}" for statistic in ("mean", "std") for row in _ROWS)
"""What each number of :func:`handcrafted` is."""
_MELS = 128
_FREQUENCIES = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE).astype(np.float32)
_DELTA_WIDTH = 9
_QUANTILE = 0.02
_RANGE_DB = 80.0  # librosa's: levels are at most so far below the loudest
_TINY = np.finfo(np.float32).tiny
# What is kept of each frame: levels that depend on the loudest frame of the song are computed at its end.
_COLUMNS = {
    "mel": _MELS, "peak": 7, "valley": 7, "chroma": 12, "centroid": 1, "bandwidth": 1, "rolloff": 1, "flatness": 1,
    "zero_crossings": 1, "rms": 1,
}  # fmt: skip
_ENDS = dict(zip(_COLUMNS, itertools.accumulate(_COLUMNS.values()), strict=True))
_PLACES = {name: slice(end - _COLUMNS[name], end) for name, end in _ENDS.items()}


def create(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor; see :data:`celesta.features.registry.TABLE`."""
    return Extractor(name, VERSION, SAMPLE_RATE, name, SpectralAnalysis, SpectralAnalysis.summary)


def handcrafted(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Compute the descriptor of a song: mean, then standard deviation, over the frames of :func:`frames`.

    Args:
        samples: ``(n,)`` mono, full scale 1.
        sample_rate: Hz; resampled to 22 050.

    Returns:
        ``(130,)`` float32, finite for any finite audio; see :data:`NAMES`.

    Raises:
        UsageError: not mono, empty or not finite.

    Example:
        >>> handcrafted(np.zeros(22_050), 22_050).shape
        (130,)
    """
    return np.concatenate(list(_analysed(samples, sample_rate).summary().values()))


def frames(samples: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
    """Compute the descriptors frame by frame, ``(d, F)`` float32 each, 43 frames a second, ``F = 1 + n // 512``.

    - ``mfcc`` (20): DCT-II, orthonormal, of 128 mel powers in dB over 80 dB (Davis and Mermelstein 1980);
      ``mfcc_delta``: slope of the straight line through 9 frames.
    - ``chroma`` (12, C first): pitch-class powers, the strongest of a frame 1 (Ellis 2007).
    - ``contrast`` (7): dB between the strongest and the weakest 2 % of the bins in an octave band, from 200 Hz (Jiang
      et al. 2002, "Music type classification by spectral contrast feature").
    - ``centroid``, ``bandwidth`` (Hz): mean and standard deviation of frequency weighted by magnitude; silence: 0.
    - ``rolloff`` (Hz): 85 % of the magnitude lies at or below it.
    - ``flatness``: geometric over arithmetic mean of the powers; silence: 1.
    - ``zero_crossings``: sign changes a sample; ``rms``: of the samples.

    Raises:
        UsageError: not mono, empty or not finite.
    """
    analysis = _analysed(samples, sample_rate)
    return _finished(analysis.rows.between(), analysis.loudest())


class SpectralAnalysis:
    """Descriptors of each frame of a stream, mono at 22 050 Hz.

    Attributes:
        rows: one a frame, see ``_COLUMNS``.
    """

    def __init__(self) -> None:
        self.rows = Rows(sum(_COLUMNS.values()))
        self._frames = Framer(N_FFT, HOP_LENGTH)
        self._held = Framer(N_FFT, HOP_LENGTH, "edge")  # a padding of zeros would add sign changes

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        for block, held in zip(self._frames.push(x), self._held.push(x), strict=True):
            self._add(block, held)

    def finish(self) -> None:
        """End the stream."""
        for block, held in zip(self._frames.finish(), self._held.finish(), strict=True):
            self._add(block, held)

    def _add(self, block: np.ndarray, held: np.ndarray) -> None:
        parts = _spectral(spectrum(block))
        parts["zero_crossings"] = _zero_crossings(held)[:, None]
        parts["rms"] = np.sqrt(np.einsum("ij,ij->i", block, block) / np.float32(N_FFT))[:, None]
        self.rows.append(np.concatenate([parts[name] for name in _COLUMNS], axis=1))

    def loudest(self, first: int = 0, last: int | None = None) -> dict[str, float]:
        """Return the largest mel power, peak and valley of frames, in dB."""
        tops = [
            [block[:, _PLACES[name]].max() for name in ("mel", "peak", "valley")]
            for block in self.rows.blocks(first, last)
        ]
        return dict(
            zip(("mel", "peak", "valley"), decibels(np.max(tops, axis=0), lowest=-np.inf).tolist(), strict=True)
        )

    def summary(self, start: float = 0.0, stop: float | None = None) -> Arrays:
        """Return mean and standard deviation of the descriptors ``(65,)`` from ``start`` to ``stop`` seconds."""
        first, last = frame_range(start, stop, SAMPLE_RATE / HOP_LENGTH, len(self.rows))
        loudest = self.loudest(first, last)
        mfcc: list[np.ndarray] = []
        moments = _Moments()
        for block in self.rows.blocks(first, last):
            made = _finished(block, loudest)
            mfcc.append(made["mfcc"])
            moments.add(np.concatenate([made[name] for name in _SIZES if not name.startswith("mfcc")]))
        both = _Moments()
        coefficients = np.concatenate(mfcc, axis=1)
        for block, slope in _slopes(coefficients):
            both.add(np.concatenate([block, slope]))
        mean = np.concatenate([both.mean(), moments.mean()])
        std = np.concatenate([both.std(), moments.std()])
        return {"mean": mean.astype(np.float32), "std": std.astype(np.float32)}


class _Moments:
    """Mean and standard deviation of columns ``(d, F)`` that come in blocks."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, np.zeros(0), np.zeros(0)
        self._origin = np.zeros(0)  # sums of distances from the first value lose nothing where values are alike

    def add(self, rows: np.ndarray) -> None:
        rows = rows.astype(np.float64)
        if not self._count:
            self._origin = rows[:, :1]
            self._sum, self._squares = np.zeros(len(rows)), np.zeros(len(rows))
        rows = rows - self._origin
        self._count += rows.shape[1]
        self._sum += rows.sum(axis=1)
        self._squares += (rows**2).sum(axis=1)

    def mean(self) -> np.ndarray:
        mean: np.ndarray = self._origin[:, 0] + self._sum / self._count
        return mean

    def std(self) -> np.ndarray:
        variance = self._squares / self._count - (self._sum / self._count) ** 2
        return np.sqrt(np.maximum(variance, 0))


def _analysed(samples: np.ndarray, sample_rate: int) -> SpectralAnalysis:
    analysis = SpectralAnalysis()
    analysis.push(at_rate(samples, sample_rate))
    analysis.finish()
    return analysis


def _finished(rows: np.ndarray, loudest: dict[str, float]) -> dict[str, np.ndarray]:
    """Turn rows of frames ``(F, 160)`` into descriptors ``(d, F)`` float32, given the loudest of the stretch in dB."""
    parts = {name: rows[:, place].T for name, place in _PLACES.items()}
    level = {name: decibels(parts[name], lowest=top - _RANGE_DB) for name, top in loudest.items()}
    mfcc = scipy.fft.dct(level["mel"], axis=0, norm="ortho")[: _SIZES["mfcc"]].copy()  # a view would keep all 128 rows
    made = {"mfcc": mfcc, "mfcc_delta": _slope(mfcc), "contrast": level["peak"] - level["valley"]}
    made |= {name: parts[name] for name in _SIZES if name not in made}
    return {name: made[name].astype(np.float32, copy=False) for name in _SIZES}


def _spectral(magnitude: np.ndarray) -> dict[str, np.ndarray]:
    """Compute all that comes from magnitudes ``(F, 1025)``, ``(F, d)`` each."""
    power = magnitude**2
    chroma = power @ chroma_filters(N_FFT)
    strongest = chroma.max(axis=1, keepdims=True)
    total = magnitude.sum(axis=1, keepdims=True)
    weight = magnitude / np.where(total > 0, total, 1)
    centroid = weight @ _FREQUENCIES[:, None]
    variance = np.sum(weight * (_FREQUENCIES - centroid) ** 2, axis=1, keepdims=True)
    running = np.cumsum(magnitude, axis=1)
    reached = np.argmax(running >= ROLL_OFF * running[:, -1:], axis=1)
    floored = np.maximum(power, np.float32(1e-10))
    peak, valley = _contrast(magnitude)
    return {
        "mel": power @ mel_filters(SAMPLE_RATE, N_FFT, _MELS, equal_area=True),
        "chroma": chroma / np.where(strongest > _TINY, strongest, 1),
        "peak": peak,
        "valley": valley,
        "centroid": centroid,
        "bandwidth": np.sqrt(variance),
        "rolloff": _FREQUENCIES[reached][:, None],
        "flatness": (np.exp(np.log(floored).mean(axis=1)) / floored.mean(axis=1))[:, None],
    }


def _contrast(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the strongest and of the weakest magnitudes of each octave band, ``(F, 7)`` each."""
    peaks, valleys = [], []
    bands = _SIZES["contrast"]
    edges = np.concatenate([[0.0], 200.0 * 2.0 ** np.arange(bands)])
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = np.flatnonzero((low <= _FREQUENCIES) & (high >= _FREQUENCIES))
        # As librosa has it: from the bin below the band, and without its last; the last band goes up to the end.
        first = inside[0] - (number > 0)
        last = magnitude.shape[1] if number == bands - 1 else inside[-1]
        counted = magnitude.shape[1] - first if number == bands - 1 else inside[-1] + 1 - first
        ordered = np.sort(magnitude[:, first:last], axis=1)
        few = max(1, int(np.rint(_QUANTILE * counted)))
        valleys.append(ordered[:, :few].mean(axis=1))
        peaks.append(ordered[:, -few:].mean(axis=1))
    return np.stack(peaks, axis=1), np.stack(valleys, axis=1)


def _slope(rows: np.ndarray) -> np.ndarray:
    """Compute the slope of the line through 9 frames; shorter signals repeat their first and last frame."""
    from scipy.signal import savgol_filter

    mode = "interp" if rows.shape[1] >= _DELTA_WIDTH else "nearest"
    slope: np.ndarray = savgol_filter(rows, _DELTA_WIDTH, polyorder=1, deriv=1, axis=1, mode=mode)
    return slope


def _slopes(rows: np.ndarray, size: int = 4096) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows ``(d, F)`` and their slopes in blocks, so that memory is flat."""
    reach = _DELTA_WIDTH // 2
    # The last block is long enough for the line at the end of the signal.
    edges = [*range(0, max(rows.shape[1] - _DELTA_WIDTH, 1), size), rows.shape[1]]
    for first, last in itertools.pairwise(edges):
        before, after = min(reach, first), min(reach, rows.shape[1] - last)
        slope = _slope(rows[:, first - before : last + after])[:, before : before + last - first]
        yield rows[:, first:last], slope.astype(np.float32)


def _zero_crossings(frames: np.ndarray) -> np.ndarray:
    """Count the sign changes in frames ``(F, n)``, divided by n; 0 counts as positive."""
    negative = frames < -1e-10
    counted: np.ndarray = np.count_nonzero(negative[:, 1:] != negative[:, :-1], axis=1) / frames.shape[1]
    return counted
