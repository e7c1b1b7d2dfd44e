"""The samples of a transition: both songs on common beats, the tempo and the level going from one to the other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from celesta.dsp.stretching import stretch
from celesta.variations.alignment import level_of
from celesta.variations.analysis import SongAnalysis
from celesta.variations.material import Material

_MOST_STRETCH = 1.25
_SAME_TEMPO = 0.003  # share by which tempos may differ without stretching
_BEATS = 4  # that are stretched together
_FADE = 0.02  # seconds, where stretched samples meet the song's own
_MARGIN = 0.1  # seconds around a stretched part that are stretched with it


@dataclass(frozen=True)
class Grid:
    """Beats of both songs that go together.

    Attributes:
        a, b: samples of beats.
        count: beats of the transition.
        stretched: whether the songs are stretched beat by beat.
    """

    a: np.ndarray
    b: np.ndarray
    count: int
    stretched: bool

    @classmethod
    def of(cls, first: SongAnalysis, second: SongAnalysis, n: int, notes: list[str]) -> Grid:
        """Pair the beats of two songs for a transition of ``n`` samples; ``notes`` takes what cannot be done."""
        a, b = first.beats, second.beats
        periods = (
            float(np.median(np.diff(a))) if len(a) > 1 else 1.0,
            float(np.median(np.diff(b))) if len(b) > 1 else 1.0,
        )
        clear = first.clear and second.clear
        ratio = periods[1] / periods[0]
        if clear and ratio > 1.4:  # the second song's beats are two of the first one's
            a, ratio = a[first.downbeat % 2 :: 2], ratio / 2
        elif clear and ratio < 0.7:
            b, ratio = b[second.downbeat % 2 :: 2], ratio * 2
        if not clear:
            notes.append("A song has no clear beat: the songs are cross-faded without matching tempos.")
        elif not 1 / _MOST_STRETCH <= ratio <= _MOST_STRETCH:
            notes.append("The tempos are too far apart to be matched: the songs are cross-faded as they are.")
            clear = False
        mean = 0.5 * (float(np.median(np.diff(a))) + float(np.median(np.diff(b)))) if clear else periods[0]
        return cls(a, b, max(1, round(n / mean)), clear and abs(ratio - 1) > _SAME_TEMPO)


def mixed(a: Material, b: Material, grid: Grid, i: int, j: int, n: int) -> tuple[np.ndarray, float]:
    """Return the transition ``(channels, n)``, and by how much the second song is louder."""
    leave, enter = int(grid.a[i]), int(grid.b[j])
    if grid.stretched:
        from_a = grid.a[i : i + grid.count + 1]
        from_b = grid.b[j - grid.count : j + 1]
        edges = _common_edges(from_a, from_b, n)
        x, y = _on_grid(a, from_a, edges), _on_grid(b, from_b, edges)
        fade = round(_FADE * a.sample_rate)
        into = np.linspace(0, 1, fade, dtype=np.float32)
        x[:, :fade] = a.read(leave, leave + fade) * (1 - into) + x[:, :fade] * into
        y[:, n - fade :] = y[:, n - fade :] * (1 - into) + b.read(enter - fade, enter) * into
    else:
        x, y = a.read(leave, leave + n), b.read(enter - n, enter)
    side = 2 * a.sample_rate
    level = level_of(b.read(enter, enter + side)) - level_of(a.read(leave - side, leave))
    level = float(np.clip(level, -12, 12))
    at = (np.arange(n) + 0.5) / n
    # Both follow the level from that of the first song to that of the second one; powers add up to one.
    out = np.cos(0.5 * np.pi * at) * 10 ** (level * at / 20)
    behind = np.sin(0.5 * np.pi * at) * 10 ** (-level * (1 - at) / 20)
    mixed: np.ndarray = x * out.astype(np.float32) + y * behind.astype(np.float32)
    return mixed, level


def _common_edges(from_a: np.ndarray, from_b: np.ndarray, n: int) -> np.ndarray:
    """Return the samples of the transition's beats: periods go from the first song's to the second one's."""
    count = min(len(from_a), len(from_b)) - 1
    share = (np.arange(count) + 0.5) / count
    periods = np.diff(from_a[: count + 1]) * (1 - share) + np.diff(from_b[: count + 1]) * share
    edges = np.concatenate([[0.0], np.cumsum(periods)])
    found: np.ndarray = np.round(edges * n / edges[-1]).astype(np.int64)
    return found


def _on_grid(song: Material, beats: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Stretch a song, bar by bar, so that its beats lie on given samples."""
    margin = round(_MARGIN * song.sample_rate)
    out = np.zeros((song.channels, int(edges[-1])), np.float32)
    marks = [*range(0, len(edges) - 1, _BEATS), len(edges) - 1]
    for first, last in itertools.pairwise(marks):
        source, wanted = int(beats[last] - beats[first]), int(edges[last] - edges[first])
        ratio = wanted / max(source, 1)
        lead = round(margin * ratio)
        x = song.read(int(beats[first]) - margin, int(beats[last]) + margin)
        y = stretch(x, song.sample_rate, wanted + 2 * lead)
        begin, half = int(edges[first]), min(lead, wanted // 4)
        part = y[:, lead - half : lead + wanted + half]
        ramp = np.ones(part.shape[1], np.float32)
        if first:
            ramp[: 2 * half] = np.linspace(0, 1, 2 * half)
        else:
            part, ramp = part[:, half:], ramp[half:]
        at = begin - (half if first else 0)
        if last < len(edges) - 1:
            ramp[-2 * half :] *= np.linspace(1, 0, 2 * half)
        end = min(at + part.shape[1], out.shape[1])
        out[:, at:end] += (part * ramp)[:, : end - at]
    return out
