"""What the template of a player needs: each version's audio, waveform, spectrogram and a close view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from celesta.audio import Audio
from celesta.dsp import metrics
from celesta.errors import UsageError
from celesta.report.media import height_of, line_path, opus_uri, spectrogram_uri, waveform_path

_POINTS = 300
_ZOOM_POINTS = 480  # a 10 ms view holds 441 samples at 44.1 kHz
_SILENT = -70.0  # LUFS: the absolute gate of BS.1770
_ZOOM = 0.01  # seconds of the close view
_TICKS = (1_000, 3_000, 10_000)  # Hz


@dataclass(frozen=True)
class Track:
    """One version of a clip in a player.

    Attributes:
        name: shown at its pictures.
        audio: ``(channels, n)`` at any rate; the versions must belong together sample by sample.
        note: a few words under the name, such as a score.
    """

    name: str
    audio: Audio
    note: str = ""


def player(tracks: Sequence[Track], compact: bool = False) -> dict[str, Any]:
    """Return the values of the template ``player.html``.

    All versions are drawn on one time axis, one amplitude scale and one frequency axis. The close view shows each
    version over the first one at the first one's loudest moment.

    Raises:
        UsageError: there is no track, or one without a sample.
    """
    if not tracks or any(track.audio.samples.shape[1] == 0 for track in tracks):
        raise UsageError("a player needs at least one version, each with at least one sample")
    duration = min(track.audio.samples.shape[1] / track.audio.sample_rate for track in tracks)
    peak = max(float(np.abs(track.audio.samples).max()) for track in tracks) or 1.0
    top = max(track.audio.sample_rate for track in tracks) / 2
    first = tracks[0].audio
    at = _loudest(first.samples[0], round(_ZOOM * first.sample_rate)) / first.sample_rate
    reference = _close(first, at)
    near = float(max(np.abs(_close(track.audio, at)).max(initial=0) for track in tracks)) or 1.0
    compared = len(tracks) > 1
    formats = {_format(track.audio) for track in tracks}
    return {
        "format": formats.pop() if len(formats) == 1 else "",
        "duration": f"{duration:.3f}",
        "clock": clock(duration),
        "points": _POINTS,
        "ticks": [
            {"percent": round(100 * height_of(f, top), 1), "name": f"{f // 1000} kHz"} for f in _TICKS if f < 0.95 * top
        ],
        "zoom_about": f"{_ZOOM * 1000:.0f} ms at {at:.2f} s" if compared else "",
        "zoom_reference": line_path(reference, near, _POINTS) if compared else "",
        "lanes": [
            _lane(track, peak, top, compact, bool(formats))
            | {"zoom": line_path(_close(track.audio, at), near, _POINTS) * compared}
            for track in tracks
        ],
    }


def clock(seconds: float) -> str:
    """Return a time as minutes, seconds and tenths.

    Example:
        >>> clock(83.46)
        '1:23.5'
    """
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _format(x: Audio) -> str:
    channels = len(x.samples)
    width = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels, two of them played")
    return f"{x.sample_rate / 1000:g} kHz {width}"


def _lane(track: Track, peak: float, top: float, compact: bool, formats_differ: bool) -> dict[str, str]:
    samples, rate = track.audio
    mono = samples.mean(axis=0)
    loudness = metrics.loudness(samples, rate)
    level = f"{loudness:.1f} LUFS" if loudness > _SILENT else "silent"
    about = [*[track.note] * bool(track.note), *[_format(track.audio)] * formats_differ, level]
    return {
        "name": track.name,
        "about": " · ".join(about),
        "audio": opus_uri(track.audio, compact),
        "loudness": f"{loudness:.2f}" if loudness > _SILENT else "",
        "wave": waveform_path(mono, peak, _POINTS),
        "spectrogram": spectrogram_uri(mono, rate, top),
    }


def _loudest(x: np.ndarray, width: int) -> int:
    """Return where the ``width`` samples of most power begin."""
    power = np.convolve(x.astype(np.float64) ** 2, np.ones(min(max(width, 1), len(x))), "valid")
    return int(np.argmax(power))


def _close(x: Audio, start: float) -> np.ndarray:
    """Return the samples of the first channel in the close view, thinned at high sample rates."""
    first, count = round(start * x.sample_rate), max(2, round(_ZOOM * x.sample_rate))
    part: np.ndarray = x.samples[0, first : first + count]
    return part[:: max(1, -(-len(part) // _ZOOM_POINTS))]
