"""Tempo and beats from the onset strength.

Sources: Grosche, Mueller and Kurth 2010 (tempograms); Ellis 2007, "Beat tracking by dynamic programming".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.ndimage

TEMPO_EDGES = np.geomspace(40.0, 240.0, 17)
"""Beats a minute between which the 16 bins of the tempo histogram lie."""
_WINDOW = 768  # frames of a local autocorrelation: 8.9 s at 86 frames a second
_WINDOWS = 64  # that are transformed at once
_GRID = 16  # tempos that are looked at in each bin
_TEMPOS = np.geomspace(TEMPO_EDGES[0], TEMPO_EDGES[-1], (len(TEMPO_EDGES) - 1) * _GRID + 1)
_PREFERENCE = np.exp(-0.5 * np.log2(_TEMPOS / 120) ** 2)  # log-normal, one octave about 120 beats a minute (Ellis)
_TIGHTNESS = 100.0  # of the beat tracker, Ellis's value


class Beats(NamedTuple):
    """Beats of a piece of music.

    Attributes:
        frames: ``(n,)`` float64, the place of each beat in frames of the onset strength.
        tempo: beats a minute, 0 where nothing repeats.
        clarity: 0..1, the highest autocorrelation of the onset strength within the tempo range.
    """

    frames: np.ndarray
    tempo: float
    clarity: float


def autocorrelation(flux: np.ndarray) -> np.ndarray:
    """Compute the autocorrelation ``(768,)`` of the onset strength, averaged over Hann windows; silence: 0."""
    power = np.zeros(_WINDOW + 1)
    count = 0
    for block in _spectra(flux):
        power += np.sum(block, axis=0)
        count += len(block)
    repeats: np.ndarray = np.fft.irfft(power / count)[:_WINDOW]
    return repeats / repeats[0] if repeats[0] > 1e-12 else np.zeros(_WINDOW)


def tempo(repeats: np.ndarray, frame_rate: float) -> tuple[np.ndarray, float, float]:
    """Return the tempo histogram, tempo and pulse clarity of an autocorrelation.

    The tempo is where the autocorrelation, weighted by a log-normal of one octave about 120 beats a minute (Ellis
    2007), is highest; the clarity is Lartillot et al. 2008's.

    Args:
        repeats: see :func:`autocorrelation`.
        frame_rate: frames a second.

    Returns:
        ``(16,)`` share of each tempo bin, summing to 1 (0 where nothing repeats); beats a minute (0: none); 0..1.
    """
    bins = len(TEMPO_EDGES) - 1
    strength = _by_tempo(repeats, frame_rate)
    highest = strength[:-1].reshape(bins, _GRID).max(axis=1)
    total = highest.sum()
    if total <= 0:
        return np.zeros(bins), 0.0, 0.0
    best = int(np.argmax(strength * _PREFERENCE))
    return highest / total, float(_TEMPOS[best]), float(strength.max())


def track_beats(flux: np.ndarray, frame_rate: float) -> Beats:
    """Find the beats: the path through the onset strength whose steps are near the local beat period.

    The local tempo is the smoothest path through the tempogram, so that a slow change of tempo is followed.

    Args:
        flux: ``(F,)`` onset strength.
        frame_rate: frames a second.

    Returns:
        The beats; none where nothing repeats.
    """
    # A signal shorter than the window is padded: without its mean, the step into the padding is no rhythm.
    flux = flux - flux.mean() if 0 < flux.size < _WINDOW else flux
    _, overall, clarity = tempo(autocorrelation(flux), frame_rate)
    if overall <= 0 or flux.size < 8:
        return Beats(np.zeros(0), 0.0, 0.0)
    period = 60 * frame_rate / _tempo_curve(flux, frame_rate, overall)
    deviation = float(flux.std())
    if deviation <= 0:
        return Beats(np.zeros(0), 0.0, 0.0)
    local = scipy.ndimage.gaussian_filter1d(flux / deviation, max(1.0, float(np.median(period)) / 32))
    frames = _best_path(local, period)
    return Beats(_between_frames(local, frames), overall, clarity)


def _spectra(flux: np.ndarray) -> Iterator[np.ndarray]:
    """Yield power spectra ``(windows, 769)`` of the onset strength in Hann windows."""
    flux = np.pad(flux, (0, max(0, _WINDOW - flux.size)))
    windows = np.lib.stride_tricks.sliding_window_view(flux, _WINDOW)[:: _WINDOW // 4]
    for first in range(0, len(windows), _WINDOWS):
        some = windows[first : first + _WINDOWS]
        local = (some - some.mean(axis=1, keepdims=True)) * np.hanning(_WINDOW)
        yield np.abs(np.fft.rfft(local, 2 * _WINDOW)) ** 2


def _by_tempo(repeats: np.ndarray, frame_rate: float) -> np.ndarray:
    """Read an autocorrelation at the lag of each tempo of the grid."""
    found: np.ndarray = np.maximum(np.interp(60 * frame_rate / _TEMPOS, np.arange(repeats.size), repeats), 0)
    return found


def _tempo_curve(flux: np.ndarray, frame_rate: float, overall: float) -> np.ndarray:
    """Return the local tempo ``(F,)``: the smoothest strong path through the tempogram, near the overall tempo."""
    rows = []
    for block in _spectra(flux):
        repeats = np.fft.irfft(block, axis=-1)[:, :_WINDOW]
        scaled = repeats / np.maximum(repeats[:, :1], 1e-12)
        rows += [_by_tempo(row, frame_rate) for row in scaled]
    tempogram = np.stack(rows) * np.exp(-0.5 * (np.log2(_TEMPOS / overall) / 0.5) ** 2)
    # Viterbi over windows of 2.2 s: a step of the grid (0.7 %) is free, a larger one costs its square.
    step = np.log2(_TEMPOS[1] / _TEMPOS[0])
    jump = np.log2(_TEMPOS[:, None] / _TEMPOS[None]) / step
    cost = 0.002 * np.maximum(np.abs(jump) - 1, 0) ** 2
    score, back = tempogram[0], np.zeros((len(rows), _TEMPOS.size), np.int32)
    for i in range(1, len(rows)):
        through = score[None] - cost
        back[i] = through.argmax(axis=1)
        score = tempogram[i] + through[np.arange(_TEMPOS.size), back[i]]
    path = np.zeros(len(rows), np.int64)
    path[-1] = int(score.argmax())
    for i in range(len(rows) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    centres = np.arange(len(rows)) * (_WINDOW // 4) + _WINDOW / 2
    curve: np.ndarray = np.interp(np.arange(flux.size), centres, _TEMPOS[path])
    return curve


def _best_path(local: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Find the frames that add up to most onset strength less a cost for steps that are not the period."""
    score, back = local.copy(), np.full(local.size, -1, np.int64)
    for t in range(local.size):
        shortest, longest = int(period[t] / 2), int(2 * period[t])
        first, last = max(0, t - longest), t - max(shortest, 1)
        if last < first:
            continue
        steps = np.log(np.arange(t - first, t - last - 1, -1) / period[t])
        through = score[first : last + 1] - _TIGHTNESS * steps**2
        best = int(through.argmax())
        if through[best] > 0:
            score[t] += through[best]
            back[t] = first + best
    start = max(0, local.size - int(2 * period[-1]))
    at = start + int(score[start:].argmax())
    frames = []
    while at >= 0:
        frames.append(at)
        at = int(back[at])
    return np.array(frames[::-1], np.int64)


def _between_frames(local: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Move beats to the top of a parabola through the strength at and next to them."""
    inner = np.clip(frames, 1, max(local.size - 2, 1))
    a, b, c = local[inner - 1], local[inner], local[inner + 1]
    bend = a - 2 * b + c
    shift = np.where((bend < 0) & (b >= a) & (b >= c), 0.5 * (a - c) / np.where(bend < 0, bend, 1), 0)
    found: np.ndarray = frames + np.where(inner == frames, shift, 0)
    return found
