"""Align two copies to the sample: fingerprints alone do so to some hundredths of a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.library.matching import Match
from celesta.variations.alignment import best_lag

SAMPLE_RATE = 22_050
"""Hz at which waveforms are compared."""
_SECONDS, _AROUND = 2.0, 0.5  # compared, and searched on either side
_SURE = 0.3  # correlation of two waveforms of one recording
_SAME_SPEED = 0.005  # seconds by which two places may differ at an equal speed


def aligned(first: str | Path, second: str | Path, match: Match) -> Match:
    """Return a match with the offset, and the speed, that the waveforms at two places give.

    Copies differ in codec, level, sample rate or speed; where their waveforms do not correlate (another mix, inverted
    polarity), the match stays as it is.

    Args:
        first: audio file.
        second: audio file with a copy.
        match: of their fingerprints.

    Raises:
        AudioError: a file cannot be read.

    Example:
        >>> import tempfile, celesta
        >>> x = np.random.default_rng(0).standard_normal((1, 220_500)).astype(np.float32) / 10
        >>> folder = Path(tempfile.mkdtemp())
        >>> celesta.write(folder / "a.wav", celesta.Audio(x, 22_050))
        >>> celesta.write(folder / "b.wav", celesta.Audio(np.pad(x, ((0, 0), (66_150, 0))), 22_050))
        >>> found = aligned(folder / "a.wav", folder / "b.wav", Match(10.0, 1.0, 0.0, 2.97, 1.0, 0.0, 10.0))
        >>> round(found.offset, 4), found.speed
        (3.0, 1.0)
    """
    start, stop = match.start, max(match.stop, match.start + _SECONDS)
    places = [start + 0.1 * (stop - start), stop - 0.1 * (stop - start) - _SECONDS]
    measured = [(t, _place(Path(first), Path(second), match, max(0.0, t))) for t in places]
    known = [(t, found) for t, found in measured if found is not None]
    if not known:
        return match
    speed = match.speed
    if len(known) == 2 and known[1][0] - known[0][0] > 10 * _SECONDS:
        (t, a), (u, b) = known
        speed = (b - a) / (u - t)
        if abs(speed - 1) * (u - t) < _SAME_SPEED:
            speed = 1.0
    t, found = known[0]
    return replace(match, speed=speed, offset=found - speed * t)


def _place(first: Path, second: Path, match: Match, seconds: float) -> float | None:
    """Return the time in the second file for a time in the first; None where the waveforms do not correlate."""
    begin = max(0.0, match.place(seconds) - _AROUND)
    template = _mono(first, seconds, _SECONDS)
    x = _mono(second, begin, (_SECONDS + 2 * _AROUND) * match.speed, match.speed)
    if len(x) < len(template) or len(template) < SAMPLE_RATE / 2:
        return None
    lag, correlation = best_lag(template, x)
    return begin + lag / SAMPLE_RATE * match.speed if correlation >= _SURE else None


def _mono(path: Path, start: float, seconds: float, speed: float = 1.0) -> np.ndarray:
    """Read a stretch, mixed to mono, at :data:`SAMPLE_RATE`, and slower by ``speed``."""
    if start >= audio.info(path).duration:
        return np.zeros(0, np.float32)
    x = audio.read(path, start=start, duration=seconds)
    mono = x.samples.mean(axis=0, keepdims=True, dtype=np.float32)
    rate = x.sample_rate
    if speed != 1:  # as if it had been sampled at another rate
        n = round(mono.shape[1] / speed)
        mono = np.interp(np.arange(n) * speed, np.arange(mono.shape[1]), mono[0])[None].astype(np.float32)
    resampled: np.ndarray = audio.resample(mono, rate, SAMPLE_RATE)[0]
    return resampled
