"""Measure a library: which copies its fingerprints find, what moves and kills do to it, and how it scales.

python benchmarks/library.py duplicates --data ../shared/data/gtzan --songs 40
python benchmarks/library.py kills --kills 200
python benchmarks/library.py moves --songs 1000
python benchmarks/library.py scale --songs 100000
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from celesta.audio import find_audio, read
from celesta.errors import CelestaError
from celesta.library import Library
from celesta.library.fingerprint import fingerprint
from celesta.library.matching import Index, Match, align

COPIES = {
    "mp3 64k": ["-b:a", "64k", "x.mp3"],
    "opus 64k": ["-c:a", "libopus", "-b:a", "64k", "x.opus"],
    "+6 dB": ["-af", "volume=6dB", "x.flac"],
    "-6 dB": ["-af", "volume=-6dB", "x.flac"],
    "2 s trimmed": ["-ss", "2", "x.flac"],
    "3 s silence before": ["-af", "adelay=3000:all=1", "x.flac"],
    "15 s of it": ["-ss", "8", "-t", "15", "x.flac"],
    "1 % faster": ["-af", "asetrate={faster},aresample={rate}", "x.flac"],
}
"""Name of a copy to the options of ffmpeg that make it."""


def copy_of(song: Path, options: list[str], folder: Path) -> Path:
    """Make a copy of a song with ffmpeg."""
    rate = soundfile.info(song).samplerate
    target = folder / options[-1]
    filled = [part.format(faster=round(1.01 * rate), rate=rate) for part in options[:-1]]
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", song, *filled, target], check=True)
    return target


def printed(path: Path) -> np.ndarray:
    """Fingerprint of a file."""
    audio = read(path)
    return fingerprint(audio.samples, audio.sample_rate)


def duplicates(args: argparse.Namespace) -> None:
    """Print how copies align with their originals, and how the closest different songs do."""
    files = find_audio(args.data)
    random.Random(args.seed).shuffle(files)
    songs: list[tuple[Path, np.ndarray]] = []
    for file in files:
        if len(songs) == args.songs:
            break
        try:
            songs.append((file, printed(file)))
        except CelestaError as error:
            print(error)
    prints = [one for _, one in songs]
    index = Index(prints)
    false: list[tuple[float, float, str]] = []
    for a, b in itertools.combinations(range(len(songs)), 2):
        false.append(described(align(prints[a], prints[b]), f"{songs[a][0].name} / {songs[b][0].name}"))
    report("different songs", false, len(false))
    print("closest different songs:", *sorted(false, reverse=True)[:8], sep="\n  ")
    with tempfile.TemporaryDirectory() as folder:
        for name, options in COPIES.items():
            found, listed = [], 0
            for i, (file, original) in enumerate(songs):
                made = printed(copy_of(file, options, Path(folder)))
                listed += i in index.candidates(made, most=20)
                found.append(described(align(made, original), file.name))
            report(f"{name} ({listed} of {len(songs)} are candidates of the index)", found, len(songs))


def described(match: Match, name: str) -> tuple[float, float, str]:
    """Share of the shorter one that agrees, its share of differing bits, and a name."""
    return round(match.share, 3), round(match.error, 3), f"{name} {match.overlap:.1f} s, speed {match.speed:.4f}"


def report(name: str, found: list[tuple[float, float, str]], count: int) -> None:
    """Print quantiles of shares and errors."""
    shares, errors = np.array([one[0] for one in found]), np.array([one[1] for one in found])
    at = {limit: int((shares >= limit).sum()) for limit in (0.2, 0.3, 0.5, 0.7)}
    print(f"{name}: n {count}; share min {shares.min():.3f} median {np.median(shares):.3f} max {shares.max():.3f};")
    print(f"    error min {errors.min():.3f} median {np.median(errors):.3f} max {errors.max():.3f}; share >= {at}")
    sys.stdout.flush()


ADD = "import sys; from celesta.library import Library; Library(sys.argv[1]).add(sys.argv[2], workers=1)"


def noise_songs(folder: Path, count: int, seconds: float) -> Path:
    """Write songs of coloured noise, all different."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        samples = 0.1 * np.cumsum(rng.standard_normal(round(22_050 * seconds)))
        soundfile.write(folder / f"{i:06d}.flac", samples / np.abs(samples).max(), 22_050)
    return folder


def kills(args: argparse.Namespace) -> None:
    """Kill a scan at random moments, then check that the library is whole."""
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder, database = noise_songs(Path(name, "music"), args.songs, 1.2), Path(name, "library.db")
        done = 0
        for number in range(args.kills):
            process = subprocess.Popen([sys.executable, "-c", ADD, str(database), str(folder)])
            time.sleep(rng.uniform(0.5, args.longest))
            process.send_signal(signal.SIGKILL)
            process.wait()
            with Library(database) as library:
                status, said = library.status(), library.check()
            if said != "ok" or status.analysed < done or status.songs > args.songs:
                sys.exit(f"kill {number}: integrity {said}, {status}")
            done = status.analysed
            print(f"kill {number + 1}: {done} of {args.songs} songs", flush=True)
            if done == args.songs:
                database.unlink()
                done = 0
        with Library(database) as library:
            library.add(folder, workers=1)
            print(library.check(), library.status())


def moves(args: argparse.Namespace) -> None:
    """Move, rename and tag a folder; every song must be attached and none be new."""
    import mutagen

    with tempfile.TemporaryDirectory() as name, Library(Path(name, "library.db")) as library:
        folder = noise_songs(Path(name, "music"), args.songs, 1.0)
        from celesta.library.scan import scan

        print("first scan", timed(lambda: scan(library._store, [folder]).new))
        print("nothing changed", timed(lambda: scan(library._store, [folder]).unchanged))
        moved = Path(shutil.move(folder, Path(name, "elsewhere")))
        for i, song in enumerate(sorted(moved.iterdir())):
            if i % 2:
                tags = mutagen.File(song)
                tags["title"] = f"song {i}"
                tags.save()
            os.rename(song, moved / f"renamed {i}.flac")
        found = scan(library._store, [moved])
        print(f"moved, renamed, half of them tagged: {found.attached} attached, {found.new} new")


def scale(args: argparse.Namespace) -> None:
    """Time the search among songs with random vectors."""
    from celesta.library.analysis import references
    from celesta.library.neighbours import DEFAULT_WEIGHTS
    from celesta.library.space import Space, top

    rng = np.random.default_rng(0)
    known = references()
    blocks = {
        name: (one.mean + one.deviation * rng.standard_normal((args.songs, len(one.mean)))).astype(np.float32)
        for name, one in known.items()
    }
    space, seconds = timed(lambda: Space(blocks, known))
    print(f"{args.songs} songs prepared in {seconds:.2f} s")
    space.similarities_of(0, DEFAULT_WEIGHTS)
    before = time.process_time()
    spent = [timed(lambda i=i: top(space.similarities_of(i, DEFAULT_WEIGHTS), 20))[1] for i in range(20)]
    cpu = (time.process_time() - before) / len(spent)
    median, slowest = 1000 * np.median(spent), 1000 * max(spent)
    print(f"a query: median {median:.0f} ms, slowest {slowest:.0f} ms, processor time {1000 * cpu:.0f} ms")
    print(f"points: {space.points.nbytes / 1e6:.0f} MB; peak memory {peak_memory() / 1e6:.0f} MB")


def peak_memory() -> int:
    """Return the largest memory of this process so far, bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def timed(function):
    """Return the result of a function and the seconds it took."""
    began = time.perf_counter()
    made = function()
    return made, round(time.perf_counter() - began, 3)


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("duplicates", "kills", "moves", "scale"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data/gtzan"))
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds until the latest kill")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    {"duplicates": duplicates, "kills": kills, "moves": moves, "scale": scale}[args.what](args)


if __name__ == "__main__":
    main()
