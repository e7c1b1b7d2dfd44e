"""Find songs by a stretch of 15 s, where the taggers see all patches of 3 s of the library's songs or some of them."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from _library_retrieval import interval

from celesta.audio import AudioSource, find_audio, read
from celesta.library import Library, analysis

STRIDES = (1, 2, 3)
SECONDS, MARGIN, LEAST = 15.0, 5.0, 120.0
_PER_SONG = 3  # queries


def stretches(args: argparse.Namespace) -> None:
    """Print how often the song, and the place in it, that a stretch was cut from is found first, for each stride.

    Stretches start anywhere, so they lie across two segments of the library's; the copy that asks has 5 s of music at
    both sides, is a file of its own, and all of its patches are seen.
    """
    drawn = random.Random(args.seed)
    files = find_audio(args.data)
    drawn.shuffle(files)
    songs = [file for file in files if _seconds(file) >= LEAST][: args.songs]
    with tempfile.TemporaryDirectory() as folder:
        asked = [query for file in songs for query in _queries(file, Path(folder), drawn)]
        groups = np.repeat(np.arange(len(songs)), _PER_SONG)
        print(f"{len(songs)} songs of at least {LEAST:g} s, {len(asked)} stretches of {SECONDS:g} s\n")
        print("| patches | song is first | less that of all patches | its place is found | less that of all patches |")
        print("| --- | --- | --- | --- | --- |")
        known: np.ndarray | None = None
        for stride in STRIDES:
            found = _found(songs, asked, stride, Path(folder, f"{stride}.db"))
            known = found if known is None else known
            cells = []
            for column in range(found.shape[1]):
                for values in (found[:, column], found[:, column] - known[:, column]):
                    mean, low, high = interval(values, groups, args.seed)
                    cells.append(f"{mean:.3f} [{low:.3f}, {high:.3f}]")
            print(f"| 1 of {stride} | {' | '.join(cells)} |", flush=True)


def _seconds(file: Path) -> float:
    with AudioSource(file) as source:
        return source.duration


def _queries(song: Path, folder: Path, drawn: random.Random) -> list[tuple[Path, float]]:
    """Cut stretches out of a song; return each one's file and the second in the song at which it starts."""
    made = []
    for _ in range(_PER_SONG):
        start = drawn.uniform(MARGIN, _seconds(song) - SECONDS - MARGIN)
        cut = read(song, start=start - MARGIN, duration=SECONDS + 2 * MARGIN)
        file = folder / f"{drawn.getrandbits(64):x}.wav"
        soundfile.write(file, cut.samples.T, cut.sample_rate)
        made.append((file, start))
    return made


def _found(songs: Sequence[Path], asked: Sequence[tuple[Path, float]], stride: int, store: Path) -> np.ndarray:
    """Return for each query whether its song is first, and whether half of it lies in the part that is named."""
    before = analysis.SPARSE
    analysis.SPARSE = stride
    analysis.analyser.cache_clear()
    try:
        found = np.zeros((len(asked), 2))
        with Library(store) as library:
            library.add(*songs, workers=1)
            for number, (file, start) in enumerate(asked):
                best = library.similar(file, start=MARGIN, stop=MARGIN + SECONDS, n=1)[0]
                first = best.song.path.samefile(songs[number // _PER_SONG])
                part = best.part or (0.0, 0.0)
                covered = min(part[1], start + SECONDS) - max(part[0], start)
                found[number] = first, first and covered >= SECONDS / 2 - 0.01
        return found
    finally:
        analysis.SPARSE = before
        analysis.analyser.cache_clear()
