r"""Measure a library: its neighbours, speed and size, moves and kills. Its identity: benchmarks/identity.py.

python benchmarks/library.py kills --kills 200
python benchmarks/library.py scan-kills --kills 200 --songs 3000 --longest 1
python benchmarks/library.py moves --songs 1000
python benchmarks/library.py rescan --songs 100000
python benchmarks/library.py scale --songs 100000 [--factors 16] [--approximate]
python benchmarks/library.py speed --data FOLDER --songs 40 --workers 2
python benchmarks/library.py stages
python benchmarks/library.py map --songs 100000        # needs playwright and chromium
python benchmarks/library.py retrieval --library BENCH.db --gtzan ../shared/data/gtzan --qaed ../shared/data/4qaed \
    [--free FOLDER]
python benchmarks/library.py weights --library BENCH.db --gtzan ... --qaed ... [--free FOLDER]
python benchmarks/library.py strides --library BENCH.db --as-is --gtzan ... --qaed ... --cache CACHE --most 100
python benchmarks/library.py stretches --data FOLDER --songs 60

``retrieval``, ``weights`` and ``strides`` analyse music into BENCH.db and go on where they ended, or take what it holds
(``--as-is``). ``weights`` chooses the weights of the blocks on half of the artists and scores them on the other half.
``strides`` asks with songs of which the taggers see some patches of 3 s; ``stretches`` asks a library of such songs
with 15 s of them. FOLDER: see scripts/unpack_music.py.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from _bars import bar
from _library_map import map_frames
from _library_retrieval import retrieval
from _library_scale import scale, timed
from _library_stages import stages
from _library_stretches import stretches
from _library_strides import strides
from _library_weights import weights

from celesta.audio import find_audio
from celesta.library import Library
from celesta.library.analysis import analyser
from celesta.library.scan import scan
from celesta.library.store import Store


def noise_songs(folder: Path, count: int, seconds: float) -> Path:
    """Write songs of coloured noise, all different."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        samples = 0.1 * np.cumsum(rng.standard_normal(round(22_050 * seconds)))
        soundfile.write(folder / f"{i:06d}.flac", samples / np.abs(samples).max(), 22_050)
    return folder


def forked(function: Callable[[], object]) -> int:
    """Run a function in a copy of this process, which has loaded everything; return its number."""
    number = os.fork()
    if number == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return number


def killed(number: int, seconds: float) -> bool:
    """Kill a process after so many seconds; return whether it still ran."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(number, os.WNOHANG) != (0, 0):
            return False
        time.sleep(0.002)
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    return True


def kills(args: argparse.Namespace) -> None:
    """Kill a scan with analysis at random moments, then check that the library is whole."""
    rng = random.Random(args.seed)
    analyser()  # each process begins with everything loaded, so that the kills hit the work
    with tempfile.TemporaryDirectory() as name:
        folder, database = noise_songs(Path(name, "music"), args.songs, 1.2), Path(name, "library.db")
        number, done, cut, rounds = 0, 0, 0, 0
        while cut < args.kills and number < 3 * args.kills:
            number += 1
            cut += killed(forked(lambda: Library(database).add(folder, workers=1)), rng.uniform(0, args.longest))
            with Library(database) as library:
                status, said = library.status(), library.check()
            if said != "ok" or status.analysed < done or status.songs > args.songs or status.errors:
                sys.exit(f"kill {number}: integrity {said}, {status}")
            done = status.analysed
            if done == args.songs:
                database.unlink()
                done, rounds = 0, rounds + 1
            if number % 20 == 0:
                print(f"{number} processes, {cut} of them killed, {rounds} times to the end", flush=True)
        with Library(database) as library:
            library.add(folder, workers=1)
            print(library.check(), library.status())
    bar(f"{args.kills} kills, each time whole, no song lost or doubled", cut == args.kills)


def scan_kills(args: argparse.Namespace) -> None:
    """Kill a process at random moments while it scans, without analysis, so that all kills hit the scan."""
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder, database = Path(name, "music"), Path(name, "library.db")
        folder.mkdir()
        for i in range(args.songs):
            (folder / f"{i}.mp3").write_bytes(rng.randbytes(20_000))

        def scan_all() -> None:
            with Store(database) as store:
                scan(store, [folder])

        number, done, cut, whole = 0, 0, 0, 0
        while cut < args.kills and number < 3 * args.kills:
            number += 1
            cut += killed(forked(scan_all), rng.uniform(0, args.longest))
            with Store(database) as store:
                said = store.check()
                ((songs, files),) = store.rows("SELECT (SELECT count(*) FROM recordings), (SELECT count(*) FROM files)")
            if said != "ok" or songs != files or songs < done:
                sys.exit(f"kill {number}: integrity {said}, {songs} songs, {files} files, {done} before")
            done = songs
            if done == args.songs:
                database.unlink()
                done, whole = 0, whole + 1
        print(f"{number} processes, {cut} of them killed, {whole} times to the end; no song lost or doubled")
    bar(f"{args.kills} kills, each time whole, no song lost or doubled", cut == args.kills)


def rescan(args: argparse.Namespace) -> None:
    """Scan a folder in which nothing has changed."""
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name, Store(Path(name, "library.db")) as store:
        folder = Path(name, "music")
        for i in range(args.songs):
            file = folder / str(i // 1000) / f"{i}.mp3"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(rng.randbytes(600))
        print("first scan", timed(lambda: scan(store, [folder]).new))
        found, seconds = timed(lambda: scan(store, [folder]).unchanged)
    print(f"nothing changed: {found} files in {seconds:.2f} s")
    bar("100 000 unchanged files in at most 60 s", found == args.songs and seconds <= 60 * args.songs / 100_000)


def moves(args: argparse.Namespace) -> None:
    """Move, rename and tag a folder; every song must be attached and none be new."""
    import mutagen

    with tempfile.TemporaryDirectory() as name, Library(Path(name, "library.db")) as library:
        folder = noise_songs(Path(name, "music"), args.songs, 1.0)
        print("first scan", timed(lambda: scan(library._store, [folder]).new))
        print("nothing changed", timed(lambda: scan(library._store, [folder]).unchanged))
        moved = Path(shutil.move(folder, Path(name, "elsewhere")))
        for i, song in enumerate(sorted(moved.iterdir())):
            if i % 2:
                tags = mutagen.File(song)
                tags["title"] = f"song {i}"
                tags.save()
            os.rename(song, moved / f"renamed {i}.flac")
        found = scan(library._store, [folder, moved])
        counts = f"{found.attached} attached, {found.moved} moved, {found.new} new, {found.missing} missing"
        print(f"moved, renamed, half of them tagged: {counts}")
        good = found.attached == found.moved == args.songs and not (found.new or found.missing or found.skipped)
        bar("all attached, none new or missing", good)


def speed(args: argparse.Namespace) -> None:
    """Analyse songs with several processes, and a few with one under the profiler."""
    import cProfile
    import pstats

    files = find_audio(args.data)
    random.Random(args.seed).shuffle(files)
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "library.db")) as library:
        library.add(*files[-2 * args.workers :], workers=args.workers)  # processes and files are warm
        result, seconds = timed(lambda: library.add(*files[: args.songs], workers=args.workers).analysis)
    rate = result.seconds / seconds
    print(f"{result.analysed} songs, {result.seconds / 60:.0f} min, {args.workers} workers: {rate:.0f} s of music a s")
    bar("150 s of music a second with 2 workers on 2 cores that do nothing else", rate >= 150 and args.workers <= 2)
    one = analyser()
    before, profile = time.process_time(), cProfile.Profile()
    profile.enable()
    music = sum(one.analyse(file).duration for file in files[: max(2, args.songs // 10)])
    profile.disable()
    print(f"one thread: {music / (time.process_time() - before):.0f} s of music a second of processor time")
    pstats.Stats(profile).sort_stats("tottime").print_stats(args.functions)


MEASURES = {
    "kills": kills,
    "scan-kills": scan_kills,
    "moves": moves,
    "rescan": rescan,
    "map": map_frames,
    "retrieval": retrieval,
    "scale": scale,
    "speed": speed,
    "stages": stages,
    "stretches": stretches,
    "strides": strides,
    "weights": weights,
}


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(MEASURES))
    parser.add_argument("--data", type=Path, default=Path("../shared/data/gtzan"))
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds until the latest kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="of which stages prints the median")
    parser.add_argument("--functions", type=int, default=12, help="lines of the profile")
    parser.add_argument("--library", type=Path, default=Path("cache/bench-library.db"))
    parser.add_argument("--cache", type=Path, help="folder for what strides computes")
    parser.add_argument("--factors", type=int, default=16, help="common factors of the synthetic vectors of scale")
    parser.add_argument(
        "--approximate", action="store_true", help="scale: also an index of usearch (pip install usearch)"
    )
    parser.add_argument("--most", type=int, default=1_000_000, help="songs of a collection, drawn at random")
    parser.add_argument("--as-is", action="store_true", help="score what the library holds; analyse nothing")
    parser.add_argument("--gtzan", type=Path)
    parser.add_argument("--lists", type=Path)
    parser.add_argument("--qaed", type=Path)
    parser.add_argument("--free", type=Path)
    args = parser.parse_args()
    MEASURES[args.what](args)


if __name__ == "__main__":
    main()
