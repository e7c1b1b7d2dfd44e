"""Fill a damaged or missing stretch of a song from the song itself; outside the gap no sample changes.

The stretch that fits is searched by what is before and behind the gap: mel spectra at all shifts, then the waveform at
the best ones. At both borders, linear prediction continues the signal for some milliseconds into the gap, because there
is nothing to cross-fade with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.errors import UsageError
from celesta.features.cache import FeatureCache
from celesta.variations.alignment import level_of
from celesta.variations.analysis import Progress, SongAnalysis, analyse
from celesta.variations.gaps import Fill, Gap, GapSearch
from celesta.variations.material import BLOCK, Material, opened


def repair(
    source: Any,
    start: float | None = None,
    stop: float | None = None,
    *,
    analysis: SongAnalysis | None = None,
    progress: Progress | None = None,
) -> Audio:
    """Fill a gap of a song from the song itself.

    Args:
        source: path of an audio or .cel file, or :class:`~celesta.audio.Audio`.
        start: seconds at which the gap begins; None to find drop-outs (see :func:`find_dropouts`) and fill them all.
        stop: seconds at which it ends.
        analysis: of the song, where there is one already.
        progress: called with the seconds analysed and in all.

    Returns:
        The song; outside the gap every sample is as it was.

    Raises:
        UsageError: the gap is empty, outside the song, or so long that no other stretch can fill it.

    Example:
        fixed = celesta.variations.repair("song.wav", 72.3, 74.0)
    """
    song = opened(source)
    try:
        gaps = find_dropouts(song) if start is None and stop is None else [gap_of(song, start, stop)]
        fills = fill_gaps(song, gaps, analysis=analysis, progress=progress)
        return Audio(np.concatenate(list(repaired(song, fills)), axis=1), song.sample_rate)
    finally:
        if song is not source:
            song.close()


def repair_file(
    source: str | Path,
    target: str | Path,
    start: float | None = None,
    stop: float | None = None,
    *,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> list[Fill]:
    """Do what :func:`repair` does from file to file, in flat memory; return what was filled.

    Example:
        repair_file("song.wav", "fixed.wav", 72.3, 74.0)
    """
    with Material(source) as song:
        gaps = find_dropouts(song) if start is None and stop is None else [gap_of(song, start, stop)]
        analysis = analyse(song, cache=cache, progress=progress)
        fills = fill_gaps(song, gaps, analysis=analysis)
        write_repaired(song, fills, target)
    return fills


def write_repaired(song: Material, fills: Sequence[Fill], target: str | Path) -> None:
    """Write a song with its gaps filled to an audio file.

    Raises:
        AudioError: the file cannot be written.
    """
    with audio.Writer(target, song.sample_rate, song.channels) as writer:
        for block in repaired(song, fills):
            writer.write(block)


def gap_of(song: Material, start: float | None, stop: float | None) -> Gap:
    """Return a gap given in seconds.

    Raises:
        UsageError: it is empty or outside the song, or nothing is left of the song.
    """
    name = song.name or "the song"
    begin, end = start or 0.0, song.duration if stop is None else stop
    if not (0 <= begin < end and np.isfinite(end)):
        raise UsageError(f"a gap ends after it begins, got {begin:g} to {end:g} s")
    gap = Gap(round(begin * song.sample_rate), min(round(end * song.sample_rate), song.n_samples))
    if gap.start >= song.n_samples:
        raise UsageError(f"{name}: the gap begins at {begin:g} s, and the song ends at {song.duration:.3f} s")
    if gap.stop - gap.start >= song.n_samples // 2:
        raise UsageError(f"{name}: the gap is longer than what is left of the song; there is nothing to fill it from")
    if gap.stop <= gap.start:
        raise UsageError(f"the gap from {begin:g} to {end:g} s is shorter than a sample")
    return gap


def find_dropouts(source: Any, *, shortest: float = 0.005, floor_db: float = -85.0) -> list[Gap]:
    """Find stretches of digital silence inside a song that begin or end abruptly.

    Args:
        source: path, :class:`~celesta.audio.Audio`, or an opened :class:`Material`.
        shortest: seconds.
        floor_db: dB below full scale; a stretch has no sample above it.

    Returns:
        Gaps in order; silence that the music fades to or begins from is none.

    Example:
        gaps = find_dropouts("song.wav")
    """
    song = opened(source)
    try:
        floor = 10 ** (floor_db / 20)
        gaps: list[Gap] = []
        begun: int | None = None
        at = 0
        for block in song.blocks():
            quiet = np.abs(block).max(axis=0) <= floor
            edges = np.flatnonzero(np.diff(np.concatenate([[begun is not None], quiet]).astype(np.int8)))
            for edge in edges:
                if begun is None:
                    begun = at + int(edge)
                else:
                    gaps.append(Gap(begun, at + int(edge)))
                    begun = None
            at += block.shape[1]
        least = round(shortest * song.sample_rate)
        return [gap for gap in gaps if gap.stop - gap.start >= least and gap.start > 0 and _abrupt(song, gap)]
    finally:
        if song is not source:
            song.close()


def _abrupt(song: Material, gap: Gap) -> bool:
    """Whether the music is cut at one of the gap's ends: it is loud up to 3 ms from it."""
    side = max(2, round(0.003 * song.sample_rate))
    around = [song.mono(gap.start - side, gap.start), song.mono(gap.stop, gap.stop + side)]
    return max(level_of(x) for x in around) > -50


def fill_gaps(
    song: Material,
    gaps: Sequence[Gap],
    *,
    analysis: SongAnalysis | None = None,
    progress: Progress | None = None,
) -> list[Fill]:
    """Choose what fills each gap of a song.

    Raises:
        UsageError: no other stretch of the song is as long as a gap.
    """
    if not gaps:
        return []
    analysis = analysis or analyse(song, progress=progress)
    search = GapSearch(song, analysis, gaps)
    return [search.fill(gap) for gap in gaps]


def repaired(song: Material, fills: Sequence[Fill]) -> Iterator[np.ndarray]:
    """Yield the song with its gaps filled, in blocks ``(channels, n)``."""
    at = 0
    for fill in sorted(fills, key=lambda one: one.gap.start):
        yield from song.blocks(at, fill.gap.start)
        yield fill.samples
        at = fill.gap.stop
    for first in range(at, song.n_samples, BLOCK):
        yield song.read(first, min(first + BLOCK, song.n_samples))
