"""Check by their samples whether two files that align are the same recording, and cut out what to compare by ear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta.audio import Audio, read, resample
from celesta.library.matching import Match

_HERTZ = 8_000
_WINDOW = 2.0
"""Seconds that are correlated at once: short enough for a speed that is known to .0005."""
_SLACK = 0.25
"""Seconds by which an alignment of fingerprints may be off."""
_SPEEDS = np.linspace(-0.006, 0.006, 25)
"""By which the speed of an alignment may be off, where it is not 1."""
_CHANGED = 0.002


@dataclass(frozen=True)
class Excerpts:
    """The same stretch of two files.

    Attributes:
        first: its audio in the first file.
        second: in the other one, from the same sample on as far as that can be known.
        start: of the stretch in the first file, seconds.
        correlation: of the samples, median over windows of 2 s: .9 and more for copies, also lossy ones; less for
            another mix or master, and for a transfer at a wavering speed. None where nothing could be compared.
        speed: as in the alignment; more precise where it is not 1.
    """

    first: Audio
    second: Audio
    start: float
    correlation: float | None
    speed: float


def excerpts(first: str | Path, second: str | Path, match: Match, seconds: float = 12.0) -> Excerpts:
    """Read the middle of the stretch that two files have in common.

    Args:
        first: audio file.
        second: the other one.
        match: how they align.
        seconds: at most so much.

    Raises:
        AudioError: a file cannot be read.
    """
    seconds = min(seconds, match.stop - match.start)
    start = max(0.0, (match.start + match.stop - seconds) / 2)
    one = read(first, start=start, duration=seconds)
    lead = min(_SLACK, max(0.0, match.place(start)))
    other = read(second, start=max(0.0, match.place(start) - lead), duration=seconds * match.speed + lead + _SLACK)
    a, b, speed = _mono(one), _mono(other), match.speed
    if abs(speed - 1) > _CHANGED:
        tried = [(_middle(_scores(a, b, speed + by, lead)), speed + by) for by in _SPEEDS]
        speed = max(tried)[1]
    scores = _scores(a, b, speed, lead)
    shift = lead + (float(np.median([lag for lag, _ in scores])) if scores else 0.0)
    begin = max(0, round(shift * other.sample_rate))
    length = round(one.samples.shape[1] / one.sample_rate * speed * other.sample_rate)
    cut = Audio(other.samples[:, begin : begin + length], other.sample_rate)
    return Excerpts(one, cut, start, _middle(scores) if scores else None, speed)


def _middle(scores: list[tuple[float, float]]) -> float:
    return float(np.median([score for _, score in scores])) if scores else 0.0


def _mono(audio: Audio) -> np.ndarray:
    mixed = audio.samples.mean(axis=0, keepdims=True)
    return np.asarray(resample(mixed, audio.sample_rate, _HERTZ)[0], np.float64)


def _scores(a: np.ndarray, b: np.ndarray, speed: float, lead: float) -> list[tuple[float, float]]:
    """For each window of ``a`` how many seconds later than expected it is in ``b``, and the correlation there."""
    from scipy.signal import correlate

    size, slack = round(_WINDOW * _HERTZ), round(_SLACK * _HERTZ)
    found = []
    for at in range(0, max(1, len(a) - size + 1), size):
        x = a[at : at + size]
        expected = round(at * speed + lead * _HERTZ)
        begin = max(0, expected - slack)
        y = b[begin : expected + round(len(x) * speed) + slack]
        if abs(speed - 1) > _CHANGED:
            y = np.interp(np.arange(0, max(0, len(y) - 1), speed), np.arange(len(y)), y)
        if len(x) < size // 2 or len(y) < len(x) or x.std() < 1e-4 or y.std() < 1e-4:
            continue
        power = np.convolve(y**2, np.ones(len(x)), "valid") * (x**2).sum()
        score = np.abs(correlate(y, x, "valid", "fft")) / np.sqrt(np.maximum(power, 1e-12))
        best = int(score.argmax())
        found.append(((begin + best * speed - expected) / _HERTZ, float(score[best])))
    return found
