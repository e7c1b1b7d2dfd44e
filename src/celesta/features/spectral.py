"""Hand-made descriptors of timbre and pitch, the control that every learned feature has to beat.

Definitions are those of librosa 0.10 at its defaults (22 050 Hz, frames of 2048 samples, hop 512, Slaney's mel scale
with area-normalised triangles), but for the chroma, which takes A4 = 440 Hz as given and does not guess the tuning.
"""

from __future__ import annotations

import itertools

import numpy as np
import scipy.fft
import scipy.signal

from celesta.dsp.spectra import SAMPLE_RATE, at_rate, chroma_filters, decibels, magnitudes, mel_area_filters

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
_TINY = np.finfo(np.float32).tiny


def handcrafted(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """A song's descriptor: mean, then standard deviation, over the frames of :func:`frames`.

    Args:
        samples: ``(n,)`` mono, full scale 1.
        sample_rate: Hz; resampled to 22 050.

    Returns:
        ``(130,)`` float32, finite for any finite sound; see :data:`NAMES`.

    Raises:
        UsageError: not mono, empty or not finite.
    """
    rows = np.concatenate(list(frames(samples, sample_rate).values())).astype(np.float64)
    return np.concatenate([rows.mean(axis=1), rows.std(axis=1)]).astype(np.float32)


def frames(samples: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
    """The descriptors frame by frame, ``(d, F)`` float32 each, 43 frames a second, ``F = 1 + n // 512``.

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
    x = at_rate(samples, sample_rate)
    parts = [_spectral(block) for block in magnitudes(x, N_FFT, HOP_LENGTH)]
    joined = {name: np.concatenate([part[name] for part in parts]).T for name in parts[0]}
    mfcc = scipy.fft.dct(decibels(joined["mel"]), axis=0, norm="ortho")[: _SIZES["mfcc"]]
    made = {
        "mfcc": mfcc,
        "mfcc_delta": _slope(mfcc),
        "chroma": joined["chroma"],
        "contrast": decibels(joined["peak"]) - decibels(joined["valley"]),
        "centroid": joined["centroid"],
        "bandwidth": joined["bandwidth"],
        "rolloff": joined["rolloff"],
        "flatness": joined["flatness"],
        "zero_crossings": _zero_crossings(x)[None],
        "rms": _rms(x)[None],
    }
    return {name: rows.astype(np.float32, copy=False) for name, rows in made.items()}


def _spectral(magnitude: np.ndarray) -> dict[str, np.ndarray]:
    """All that comes from magnitudes ``(F, 1025)``, ``(F, d)`` each."""
    power = magnitude**2
    chroma = power @ chroma_filters(N_FFT)
    strongest = chroma.max(axis=1, keepdims=True)
    total = magnitude.sum(axis=1, keepdims=True)
    weight = magnitude / np.where(total > 0, total, 1)
    centroid = weight @ _FREQUENCIES[:, None]
    spread = np.sum(weight * (_FREQUENCIES - centroid) ** 2, axis=1, keepdims=True)
    running = np.cumsum(magnitude, axis=1)
    reached = np.argmax(running >= ROLL_OFF * running[:, -1:], axis=1)
    floored = np.maximum(power, np.float32(1e-10))
    peak, valley = _contrast(magnitude)
    return {
        "mel": power @ mel_area_filters(N_FFT, _MELS),
        "chroma": chroma / np.where(strongest > _TINY, strongest, 1),
        "peak": peak,
        "valley": valley,
        "centroid": centroid,
        "bandwidth": np.sqrt(spread),
        "rolloff": _FREQUENCIES[reached][:, None],
        "flatness": (np.exp(np.log(floored).mean(axis=1)) / floored.mean(axis=1))[:, None],
    }


def _contrast(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the strongest and of the weakest magnitudes of each octave band, ``(F, 7)`` each."""
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
    """Slope a frame of the line through 9 frames; a sound shorter than that repeats its first and last frame."""
    mode = "interp" if rows.shape[1] >= _DELTA_WIDTH else "nearest"
    slope: np.ndarray = scipy.signal.savgol_filter(rows, _DELTA_WIDTH, polyorder=1, deriv=1, axis=1, mode=mode)
    return slope


def _zero_crossings(x: np.ndarray) -> np.ndarray:
    """Sign changes a sample within each frame ``(F,)``; 0 counts as positive, the ends are held at both sides."""
    negative = np.pad(x, N_FFT // 2, mode="edge") < -1e-10
    changes = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
    first = np.arange(1 + x.size // HOP_LENGTH) * HOP_LENGTH
    counted: np.ndarray = (changes[first + N_FFT - 1] - changes[first]) / N_FFT
    return counted


def _rms(x: np.ndarray) -> np.ndarray:
    """Root mean square of each frame ``(F,)``."""
    energy = np.concatenate([[0.0], np.cumsum(np.pad(x, N_FFT // 2).astype(np.float64) ** 2)])
    first = np.arange(1 + x.size // HOP_LENGTH) * HOP_LENGTH
    level: np.ndarray = np.sqrt(np.maximum(energy[first + N_FFT] - energy[first], 0) / N_FFT)
    return level
