"""A song of another length: exact to the sample, beginning and ending as the song does, made of its own samples."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.errors import UsageError
from celesta.features.cache import FeatureCache
from celesta.variations.analysis import Progress, SongAnalysis, analyse
from celesta.variations.extension import Extension, PlayedJoin
from celesta.variations.joins import Join, JoinFinder, Strictness
from celesta.variations.material import Material, opened
from celesta.variations.remainder import absorb
from celesta.variations.splice import Piece
from celesta.variations.walk import Walker

PREFIX, SUFFIX = 5.0, 3.0
"""Seconds at the beginning and at the end that are the song's, bit for bit."""
_SHORTEST = 1.0  # seconds of song and of result
_RELAXED = ((1.0, True), (1.0, False), (1.6, True), (1.6, False), (3.0, False), (100.0, False))
"""Factors of the thresholds, and whether jumps keep the position in the bar, tried in order."""
_FEW = "Few places of the song are alike: some jumps go between places that differ more than usual, and may be noticed."
_CUT = "No two places of the song are alike at this length: it is cut where the beat is not kept."
_OTHER_BEAT = "A jump goes to another beat of the bar; the count of the beats breaks there."
_REPEATED = 0.15  # cost of each time that a jump is made too often, in steps of the thresholds
_CLEAN = 0.02  # share of the free length that a remainder may have before jumps off the bar are tried


def extend(
    source: Any,
    seconds: float,
    *,
    seed: int = 0,
    analysis: SongAnalysis | None = None,
    progress: Progress | None = None,
) -> Audio:
    """Make a song longer or shorter, exactly to the sample.

    The result begins with the first 5 s of the song and ends with its last 3 s, bit for bit, and between them jumps
    from beat to beat where timbre, harmony, level and position in the bar agree.

    Args:
        source: path of an audio or .cel file, or :class:`~celesta.audio.Audio`.
        seconds: of the result; the number of samples is the nearest integer.
        seed: of the choice among jumps that are nearly as good; the same seed gives the same bytes.
        analysis: of the song, where there is one already.
        progress: called with the seconds analysed and in all.

    Raises:
        UsageError: the song or the result is shorter than a second, or seconds is not a finite number.
        AudioError, LatentError: the song cannot be read.

    Example:
        longer = celesta.variations.extend("song.mp3", 600.0)
        celesta.write("longer.flac", longer)
    """
    song = opened(source)
    try:
        analysis = analysis or analyse(song, progress=progress)
        plan = plan_extension(song, analysis, samples_of(seconds, song), seed=seed)
        return Audio(np.concatenate(list(plan.blocks(song)), axis=1), song.sample_rate)
    finally:
        if song is not source:
            song.close()


def extend_file(
    source: str | Path,
    target: str | Path,
    seconds: float,
    *,
    seed: int = 0,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> Extension:
    """Do what :func:`extend` does from file to file, in flat memory; return what was done.

    Example:
        extend_file("song.mp3", "ten-minutes.flac", 600.0)
    """
    with Material(source) as song:
        analysis = analyse(song, cache=cache, progress=progress)
        plan = plan_extension(song, analysis, samples_of(seconds, song), seed=seed)
        write_extension(song, plan, target, progress)
    return plan


def write_extension(song: Material, plan: Extension, target: str | Path, progress: Progress | None = None) -> None:
    """Write an extension to an audio file, block by block.

    Args:
        song: its samples.
        plan: see :func:`plan_extension`.
        target: audio file in the format of its suffix.
        progress: called with the seconds done and in all.

    Raises:
        AudioError: the file cannot be written.
    """
    with audio.Writer(target, song.sample_rate, song.channels) as writer:
        done = 0
        for block in plan.blocks(song):
            writer.write(block)
            done += block.shape[1]
            if progress is not None:
                progress(done / song.sample_rate, plan.n_samples / song.sample_rate)


def samples_of(seconds: float, song: Material) -> int:
    """Return a duration in samples of a song.

    Raises:
        UsageError: it is not a finite number of at least a second.
    """
    number = isinstance(seconds, int | float | np.floating | np.integer) and not isinstance(seconds, bool)
    if not number or not math.isfinite(seconds) or seconds < _SHORTEST:
        raise UsageError(f"the length must be a number of seconds from {_SHORTEST:g} on, got {seconds!r}")
    if seconds > 100 * 3600:
        raise UsageError(f"the length must be at most 100 hours, got {seconds:g} s")
    return round(seconds * song.sample_rate)


def plan_extension(song: Material, analysis: SongAnalysis, n_samples: int, *, seed: int = 0) -> Extension:
    """Choose the pieces of a result of ``n_samples``.

    Args:
        song: its samples.
        analysis: of the song.
        n_samples: of the result.
        seed: of the choice among jumps that are nearly as good.

    Raises:
        UsageError: the song is shorter than a second or silent.
    """
    if song.duration < _SHORTEST:
        raise UsageError(f"{song.name or 'the song'}: {song.duration:.3f} s are too short; a second at least is needed")
    if analysis.level.max(initial=-90.0) <= -80:
        raise UsageError(f"{song.name or 'the song'}: is silent; there is nothing to extend")
    rate = song.sample_rate
    if n_samples == song.n_samples:
        return Extension([Piece(0, n_samples)], [], n_samples, rate, notes=["The song has this length already."])
    shortest = min(n_samples, song.n_samples)
    prefix = min(round(PREFIX * rate), round(0.5 * shortest))
    suffix = min(round(SUFFIX * rate), round(0.3 * shortest))
    notes = []
    if not analysis.clear:
        notes.append(
            "The song has no clear beat: jumps go between half seconds that are alike, with longer cross-fades."
        )
    if prefix < round(PREFIX * rate):
        notes.append(
            f"The song or the result is short: only the first {prefix / rate:.1f} s and the last {suffix / rate:.1f} s"
            " of the song stay as they are."
        )
    before = len(notes)
    jumps, candidates = _jumps(song, analysis, n_samples, (prefix, suffix), seed, notes)
    pieces, more = _of_length(song, analysis, jumps, n_samples, (prefix, suffix))
    if not _fits(pieces, song.n_samples, (prefix, suffix)):  # more had to be left out than there is between the ends
        del notes[before:]
        notes.append(_CUT)
        jumps, candidates = _cuts(song, n_samples, (prefix, suffix)), []
        pieces, more = _of_length(song, analysis, jumps, n_samples, (prefix, suffix))
    if more and abs(more) > 0.04 * max(1, n_samples - prefix - suffix):
        notes.append(
            f"To give exactly this length, {1000 * abs(more) / rate:.0f} ms were {'added' if more > 0 else 'left out'}"
            " off the beat."
        )
    return Extension(pieces, _played(pieces, jumps), n_samples, rate, more, notes, candidates)


def _jumps(
    song: Material, analysis: SongAnalysis, n_samples: int, ends: tuple[int, int], seed: int, notes: list[str]
) -> tuple[list[Join], list[Join]]:
    """Find the jumps of a result: with strict thresholds where they suffice, else with relaxed ones, and say so."""
    finder = JoinFinder(song, analysis)
    more = n_samples - song.n_samples
    best: tuple[float, list[Join], list[Join], list[str]] | None = None
    for level, (relaxed, bars) in enumerate(_RELAXED):
        if (not bars and not analysis.clear) or (relaxed > 3 and best is not None):
            continue
        strictness = Strictness(relaxed, bars, 4 if relaxed <= 3 else 1)
        joins = finder.find(strictness, shift=more, ends=ends)
        found = _walked(analysis, joins, n_samples, ends, seed)
        if found is None:
            continue
        share = abs(more - sum(join.shift for join in found)) / max(1, n_samples - sum(ends))
        in_bar = bars or all(analysis.same_place(j.from_beat, j.to_beat) for j in found)
        said = [_FEW] * (relaxed > 1) + [_OTHER_BEAT] * (not in_bar)
        cost = level + 30 * share + _REPEATED * _too_often(found, n_samples / song.n_samples)
        if best is None or cost < best[0]:
            best = cost, found, joins, said
        if cost <= level + 30 * _CLEAN:
            break
    if best is None:
        notes.append(_CUT)
        return _cuts(song, n_samples, ends), []
    notes.extend(best[3])
    return best[1], best[2]


def _too_often(jumps: list[Join], times: float) -> int:
    """Return how much more often than twice for each length of the song the most frequent jump is made."""
    most = max(Counter((join.leave, join.enter) for join in jumps).values(), default=0)
    return max(0, most - 2 * math.ceil(times))


def _walked(
    analysis: SongAnalysis, joins: list[Join], n_samples: int, ends: tuple[int, int], seed: int
) -> list[Join] | None:
    prefix, suffix = ends
    last_enter = analysis.n_samples - suffix
    usable = [
        j for j in joins if j.leave - j.fade >= prefix and j.enter - j.fade >= 0 and j.enter + j.fade <= last_enter
    ]
    beats = analysis.beats
    first = int(np.searchsorted(beats, prefix))
    last = int(np.searchsorted(beats, last_enter, "right")) - 1
    if not usable or first >= len(beats) or last < 0:
        return None
    length = n_samples - int(beats[first]) - (analysis.n_samples - int(beats[last]))
    if length <= 0:
        return None
    return Walker(beats, usable, analysis.sample_rate, seed).walk(first, last, length)


def _cuts(song: Material, n_samples: int, ends: tuple[int, int]) -> list[Join]:
    """Cut from as late as possible back to as early as possible as often as needed, or forward for a shorter result."""
    fade = min(round(0.02 * song.sample_rate), song.n_samples // 8) // 2 * 2
    shift = n_samples - song.n_samples
    if shift < 0:
        leave = (max(ends[0] + fade, fade) + n_samples - ends[1] - fade) // 2
        return [Join(leave, leave - shift, 0, 0, fade, 0.0, 0.0, 0.0, 0.0)]
    leave = song.n_samples - ends[1] - fade
    count = -(-shift // (leave - fade))
    edges = [shift * k // count for k in range(count + 1)]
    return [Join(leave, leave - (b - a), 0, 0, fade, 0.0, 0.0, 0.0, 0.0) for a, b in itertools.pairwise(edges)]


def _of_length(
    song: Material, analysis: SongAnalysis, jumps: list[Join], n_samples: int, ends: tuple[int, int]
) -> tuple[list[Piece], int]:
    """Return the pieces between jumps, exactly as long as wanted, and the samples by which they had to be changed."""
    pieces = _pieces(jumps, song.n_samples)
    more = n_samples - sum(piece.stop - piece.start for piece in pieces)
    return absorb(song, analysis, pieces, more, *ends), more


def _fits(pieces: list[Piece], n_samples: int, ends: tuple[int, int]) -> bool:
    """Whether all pieces have a length, and the beginning and the end of the song are whole in the first and last."""
    if len(pieces) < 2:
        return True
    begins = pieces[0].start == 0 and pieces[0].stop - pieces[1].fade // 2 >= ends[0]
    closes = pieces[-1].start + pieces[-1].fade // 2 <= n_samples - ends[1]
    return begins and closes and all(piece.start < piece.stop for piece in pieces)


def _pieces(jumps: list[Join], n_samples: int) -> list[Piece]:
    """Turn jumps into the pieces between them."""
    starts: list[tuple[int, int, float]] = [(0, 0, 1.0)] + [(j.enter, j.fade, j.correlation) for j in jumps]
    stops = [j.leave for j in jumps] + [n_samples]
    return [Piece(start, stop, fade, c) for (start, fade, c), stop in zip(starts, stops, strict=True)]


def _played(pieces: list[Piece], jumps: list[Join]) -> list[PlayedJoin]:
    """List the joins between pieces with their places in the result."""
    by_place = {(join.leave, join.enter): join for join in jumps}
    made, at = [], 0
    for before, after in itertools.pairwise(pieces):
        at += before.stop - before.start
        join = by_place.get((before.stop, after.start))
        made.append(PlayedJoin(at, before.stop, after.start, "jump" if join else "shift", join))
    return made
