"""Seamless loops of a song: the best places to begin and to end one, and the tags that players and samplers read."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mutagen
import numpy as np

from celesta import audio
from celesta._files import atomic, printable
from celesta.audio import Audio
from celesta.errors import AudioError, UsageError
from celesta.features.cache import FeatureCache
from celesta.variations.analysis import Progress, SongAnalysis, analyse
from celesta.variations.joins import Join, JoinFinder, Strictness
from celesta.variations.material import Material, opened
from celesta.variations.splice import crossfaded

_SHORTEST = 2.0  # seconds
_RELAXED = (1.0, 1.6, 3.0)


@dataclass(frozen=True)
class Loop:
    """A stretch of a song that can be played again and again.

    Attributes:
        start: sample at which it begins.
        stop: sample after its last one; behind it comes the one at ``start``.
        score: 0..1, how little the join is noticed; 1 is best.
        beats: that it has.
        join: the jump back, with its measures.
    """

    start: int
    stop: int
    score: float
    beats: int
    join: Join = field(repr=False)

    def to_dict(self, sample_rate: int) -> dict[str, Any]:
        """Return what JSON holds; start and length in seconds and in samples."""
        length = self.stop - self.start
        return {
            "start": self.start / sample_rate,
            "seconds": length / sample_rate,
            "loop_start": self.start,
            "loop_length": length,
            "beats": self.beats,
            "score": self.score,
        }

    def blocks(self, song: Material, intro: bool = False) -> Iterator[np.ndarray]:
        """Yield the loop in blocks ``(channels, n)``, with its last samples cross-faded into what is before its first.

        Args:
            song: its samples.
            intro: begin at the beginning of the song instead of at the loop.
        """
        fade = self.join.fade // 2 * 2
        yield from song.blocks(0 if intro else self.start, self.stop - fade)
        # A join at `stop - fade / 2`: its cross-fade ends with the sample before `start`.
        piece = self.join.piece(song.n_samples)
        yield crossfaded(song, self.join.leave, piece)


def find_loops(
    source: Any,
    *,
    analysis: SongAnalysis | None = None,
    shortest: float = _SHORTEST,
    longest: float | None = None,
    most: int = 5,
    progress: Progress | None = None,
) -> list[Loop]:
    """Find the stretches of a song that loop best.

    Args:
        source: path of an audio or .cel file, :class:`~celesta.audio.Audio`, or an opened :class:`Material`.
        analysis: of the song, where there is one already.
        shortest: seconds of a loop at least.
        longest: seconds of a loop at most; None for any length.
        most: loops to return.
        progress: called with the seconds analysed and in all.

    Returns:
        The best loops, best first, no two of them with nearly the same ends; there may be none.

    Raises:
        UsageError: the lengths contradict each other, or the song is shorter.

    Example:
        best = find_loops("song.mp3", shortest=8, longest=30)[0]
    """
    check_lengths(shortest, longest)
    song = opened(source)
    try:
        check_lengths(shortest, longest, song)
        analysis = analysis or analyse(song, progress=progress)
        finder = JoinFinder(song, analysis)
        rate = song.sample_rate
        found: list[Loop] = []
        for relaxed in _RELAXED:
            for join in finder.find(Strictness(relaxed, True, 4)):
                half = join.fade // 2
                start, stop = join.enter + half, join.leave + half
                fits = shortest * rate <= stop - start <= (longest or float("inf")) * rate
                if fits and join.enter >= half and stop <= song.n_samples:
                    beats = join.from_beat - join.to_beat
                    found.append(Loop(start, stop, round(_score(join, beats, analysis), 4), beats, join))
            if found:
                break
        return _different(sorted(found, key=lambda loop: (-loop.score, loop.start)), most, rate)
    finally:
        if song is not source:
            song.close()


def check_lengths(shortest: float, longest: float | None = None, song: Material | None = None) -> None:
    """Check the lengths that a loop may have, in seconds.

    Raises:
        UsageError: they contradict each other, or the song is shorter.
    """
    if not shortest > 0:
        raise UsageError(f"the shortest loop must have more than 0 s, got {shortest:g}")
    if longest is not None and not longest > shortest:
        raise UsageError(f"the shortest loop ({shortest:g} s) is not shorter than the longest one ({longest:g} s)")
    if song is not None and shortest >= song.duration:
        raise UsageError(
            f"{printable(song.name or 'the song')}: the shortest loop ({shortest:g} s) is as long as the song"
            f" ({song.duration:.3f} s) or longer; allow shorter ones"
        )


def _score(join: Join, beats: int, analysis: SongAnalysis) -> float:
    """Score a loop: the cost of its join, and whether it has a number of bars that music is made of."""
    bars = beats / analysis.metre
    usual = 0.0 if not analysis.clear or bars in (1, 2, 4, 8, 16, 32, 64) else 0.15
    return float(np.exp(-0.5 * (join.cost + usual)))


def _different(loops: list[Loop], most: int, rate: int) -> list[Loop]:
    chosen: list[Loop] = []
    for loop in loops:
        near = any(abs(loop.start - c.start) < rate and abs(loop.stop - c.stop) < rate for c in chosen)
        if not near and len(chosen) < most:
            chosen.append(loop)
    return chosen


def loop_audio(source: Any, loop: Loop, times: int = 1) -> Audio:
    """Return a loop, repeated; every repetition has the same samples.

    Example:
        celesta.write("four-times.flac", loop_audio("song.mp3", loop, times=4))
    """
    song = opened(source)
    try:
        once = np.concatenate(list(loop.blocks(song)), axis=1)
        return Audio(np.tile(once, (1, times)), song.sample_rate)
    finally:
        if song is not source:
            song.close()


def write_loop(song: Material, loop: Loop, target: str | Path, *, intro: bool = False) -> None:
    """Write a loop with the tags that its format has.

    .wav files get a ``smpl`` chunk; .flac, .ogg and .opus files the comments LOOPSTART and LOOPLENGTH, in samples.

    Args:
        song: its samples.
        loop: see :func:`find_loops`.
        target: .wav, .flac, .ogg or .opus. MP3 pads its ends, so that its loops are not seamless.
        intro: begin at the beginning of the song; the loop follows.

    Raises:
        UsageError: the format has no loops.
        AudioError: the file cannot be written.
    """
    target = Path(target)
    suffix = target.suffix.lower()
    if suffix not in (".wav", ".flac", ".ogg", ".opus"):
        raise UsageError(f"{printable(target)}: loops are written as .wav, .flac, .ogg or .opus")
    if suffix == ".opus" and song.sample_rate not in (8_000, 12_000, 16_000, 24_000, 48_000):
        raise UsageError(f"{printable(target)}: .opus would resample {song.sample_rate} Hz; write .flac, .ogg or .wav")
    start = loop.start if intro else 0
    length = loop.stop - loop.start
    with tempfile.TemporaryDirectory(prefix="celesta-") as folder:
        made = Path(folder) / f"loop{suffix}"
        with audio.Writer(made, song.sample_rate, song.channels) as writer:
            for block in loop.blocks(song, intro):
                writer.write(block)
        if suffix == ".wav":
            _add_smpl(made, song.sample_rate, start, length)
        else:
            tags = mutagen.File(made)
            tags["LOOPSTART"], tags["LOOPLENGTH"] = [str(start)], [str(length)]
            tags.save()
        with atomic(target, AudioError) as temporary:
            shutil.copyfile(made, temporary)


def _add_smpl(file: Path, sample_rate: int, start: int, length: int) -> None:
    """Append a ``smpl`` chunk with one endless forward loop to a WAV file; its end is the loop's last sample."""
    period = round(1e9 / sample_rate)
    body = struct.pack("<9I", 0, 0, period, 60, 0, 0, 0, 1, 0)
    body += struct.pack("<6I", 0, 0, start, start + length - 1, 0, 0)
    with file.open("r+b") as opened_file:
        opened_file.seek(0, 2)
        if opened_file.tell() % 2:
            opened_file.write(b"\0")
        opened_file.write(b"smpl" + struct.pack("<I", len(body)) + body)
        size = opened_file.tell()
        opened_file.seek(4)
        opened_file.write(struct.pack("<I", size - 8))


def loop_file(
    source: str | Path,
    target: str | Path,
    *,
    shortest: float = _SHORTEST,
    longest: float | None = None,
    intro: bool = False,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> list[Loop]:
    """Write the best loop of a song; return the loops that were found, best first.

    Raises:
        UsageError: no stretch of the song loops, or the format has no loops.

    Example:
        loop_file("song.mp3", "loop.wav", shortest=8, longest=30)
    """
    with Material(source) as song:
        analysis = analyse(song, cache=cache, progress=progress)
        loops = find_loops(song, analysis=analysis, shortest=shortest, longest=longest)
        if not loops:
            raise UsageError(f"{printable(source)}: no stretch of it loops; allow other lengths")
        write_loop(song, loops[0], target, intro=intro)
    return loops
