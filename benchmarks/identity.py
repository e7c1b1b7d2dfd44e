"""Measure how well fingerprints tell recordings apart: all pairs of real music, and copies of it.

python benchmarks/identity.py prints --data ../shared/data/gtzan ../shared/data/4qaed FREE --cache CACHE
python benchmarks/identity.py pairs --data ... --cache CACHE [--method chromaprint]
python benchmarks/identity.py copies --data ... --cache CACHE --clips 400 --songs 120 [--minutes 25] [--ours]
python benchmarks/identity.py table --data ... --cache CACHE

``prints`` computes the fingerprints of all tracks, ours and Chromaprint's (``fpcalc`` must be installed). ``pairs``
compares every stretch of 6 s of every track with every place of every other track, and checks each pair that comes
close by the correlation of its samples. ``copies`` makes altered copies with ffmpeg and their fingerprints. ``table``
looks each copy up among all tracks. All results are kept in the cache: each step goes on where it ended.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
from _bars import bar
from _identity_pairs import ALIGNERS, Aligner, closest_stretches
from scipy.stats import beta

from celesta.audio import find_audio, info, read
from celesta.errors import CelestaError
from celesta.library.evidence import excerpts
from celesta.library.fingerprint import fingerprint
from celesta.library.matching import Index

COPIES = {  # name to the options of ffmpeg
    "MP3, 64 kbit/s": ["-b:a", "64k", "x.mp3"],
    "Opus, 64 kbit/s": ["-c:a", "libopus", "-b:a", "64k", "x.opus"],
    "+6 dB": ["-af", "volume=6dB", "x.flac"],
    "-6 dB": ["-af", "volume=-6dB", "x.flac"],
    "2 s trimmed": ["-ss", "2", "x.flac"],
    "3 s of silence before": ["-af", "adelay=3000:all=1", "x.flac"],
    "1 % faster": ["-af", "asetrate={faster},aresample={rate}", "x.flac"],
    "cut out": ["-ss", "{start}", "-t", "{part}", "x.flac"],
}
CUT = "cut out"
RECALL = {"MP3, 64 kbit/s": 0.98, "Opus, 64 kbit/s": 0.98, "+6 dB": 0.98, "-6 dB": 0.98, "2 s trimmed": 0.98, CUT: 0.9}
"""Share of the copies that shall be found."""
SAME_BY_EAR = ({"metal.00004", "metal.00013"},)
"""The same recording although its samples differ."""
SAME_SAMPLES = 0.7
"""Correlation of samples from which two tracks are copies: they are listed, and not counted as false matches."""
LONG = 60.0  # seconds from which a track is a song, of which 30 s are cut out; of clips 15 s are
MOST = 240.0  # longer songs are left out of the copies


def cached(cache: Path, method: str, copy: str, track: Path) -> Path:
    """The file of a fingerprint."""
    name = hashlib.sha1(f"{track.parent.name}/{track.name}".encode(errors="surrogateescape")).hexdigest()[:20]
    return cache / method / copy.replace(" ", "_").replace("/", "_") / f"{name}.npy"


def ours(path: Path) -> np.ndarray:
    """The fingerprint of the library."""
    audio = read(path)
    return fingerprint(audio.samples, audio.sample_rate)


def chromaprint(path: Path) -> np.ndarray:
    """The raw fingerprint of ``fpcalc``; its exit code is 3 where it met the end of the file."""
    said = subprocess.run(
        ["fpcalc", "-raw", "-json", "-length", "0", path], capture_output=True, stdin=subprocess.DEVNULL
    )
    if said.returncode not in (0, 3):
        said.check_returncode()
    return np.array(json.loads(said.stdout)["fingerprint"], np.uint32)


METHODS: dict[str, Callable[[Path], np.ndarray]] = {"ours": ours, "chromaprint": chromaprint}


def store(cache: Path, copy: str, track: Path, file: Path) -> None:
    """Compute and keep what is missing."""
    for method, compute in METHODS.items():
        target = cached(cache, method, copy, track)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                made = compute(file)
            except (CelestaError, subprocess.CalledProcessError) as error:
                print(f"{track}: {copy}: {method}: {error}", file=sys.stderr)
                continue
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False, suffix=".tmp") as temporary:
                np.save(temporary, made)
            Path(temporary.name).rename(target)


def prints(args: argparse.Namespace) -> None:
    """Fingerprints of all tracks."""
    jobs = [joblib.delayed(store)(args.cache, "original", track, track) for track in tracks(args)]
    run(jobs, args.workers)


def run(jobs: list[tuple], workers: int, minutes: float = float("inf")) -> None:
    """Run delayed calls in processes, in parts, until the time is over, and say how far it is."""
    end = time.monotonic() + 60 * minutes
    for first in range(0, len(jobs), 100):
        if time.monotonic() > end:
            break
        joblib.Parallel(workers)(jobs[first : first + 100])
        print(f"{min(first + 100, len(jobs))} of {len(jobs)}", flush=True)


def make_copy(cache: Path, name: str, track: Path) -> None:
    """Make a copy, its fingerprints, and delete it."""
    if all(cached(cache, method, name, track).exists() for method in METHODS):
        return
    about = info(track)
    part = 30.0 if about.duration >= LONG else 15.0
    start = random.Random(track.name).uniform(0, about.duration - part)
    rate = about.sample_rate
    values = {"faster": round(1.01 * rate), "rate": rate, "start": start, "part": part}
    options = [option.format(**values) for option in COPIES[name]]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, options.pop())
        subprocess.run(
            ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", track, "-map", "0:a", *options, target], check=True
        )
        store(cache, name, track, target)


def copies(args: argparse.Namespace) -> None:
    """Fingerprints of altered copies: first the cuts out of whole songs, then clips, then other copies of songs."""
    short, long = chosen(args)
    wanted = [(track, CUT) for track in long]
    wanted += [(track, name) for track in short for name in COPIES]
    wanted += [(track, name) for track in long for name in COPIES if name != CUT]
    run([joblib.delayed(make_copy)(args.cache, name, track) for track, name in wanted], args.workers, args.minutes)


def tracks(args: argparse.Namespace) -> list[Path]:
    """All tracks, in a fixed order."""
    return [track for folder in args.data for track in find_audio(folder)]


def chosen(args: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """The clips and the songs of which copies are made: drawn at random, more of them begin with the same ones."""
    found = tracks(args)
    random.Random(args.seed).shuffle(found)
    lengths = {track: info(track).duration for track in found}
    short = [track for track in found if 20 <= lengths[track] < LONG][: args.clips]
    return short, [track for track in found if LONG <= lengths[track] < MOST][: args.songs]


def load(args: argparse.Namespace, method: str, copy: str, wanted: list[Path]) -> dict[Path, np.ndarray]:
    """The fingerprints that are there."""
    files = {track: cached(args.cache, method, copy, track) for track in wanted}
    return {track: ALIGNERS[method].prepare(np.load(file)) for track, file in files.items() if file.exists()}


def pairs(args: argparse.Namespace) -> None:
    """The least share of differing bits of each pair of tracks, and what the close ones are."""
    aligner = ALIGNERS[args.method]
    known = load(args, args.method, "original", tracks(args))
    names = list(known)
    kept = args.cache / f"closest-{args.method}.npy"
    if kept.exists() and np.load(kept).shape == (len(names), len(names)):
        closest = np.load(kept)
    else:
        closest = closest_stretches(
            list(known.values()), aligner.scale.block, args.cache / f"closest-{args.method}.npz"
        )
        np.save(kept, closest)
    upper = np.triu_indices(len(names), 1)
    least = np.minimum(closest, closest.T)[upper]
    print(f"{args.method}: {len(names)} tracks, {len(least)} pairs; closest 6 s by share of differing bits:")
    for limit in np.arange(0.20, 0.46, 0.02):
        print(f"    below {limit:.2f}: {int((least < limit).sum())}")
    order = np.argsort(least)[: args.show]
    rows = []
    for number in order:
        a, b = names[upper[0][number]], names[upper[1][number]]
        match = aligner.align(known[a], known[b])
        rows.append(
            {
                "first": f"{a.parent.name}/{a.name}",
                "second": f"{b.parent.name}/{b.name}",
                "least": round(float(least[number]), 4),
                "same": bool(aligner.same(match)),
                **{name: round(value, 4) for name, value in dataclasses.asdict(match).items()},
                "correlation": excerpts(a, b, match).correlation if match.stop > match.start else None,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    (args.cache / f"close-{args.method}.json").write_text(json.dumps(rows, indent=0), encoding="utf-8")
    wrong = [one for one in rows if one["same"] and (one["correlation"] or 0) < SAME_SAMPLES]
    wrong = [one for one in wrong if {Path(one[side]).stem for side in ("first", "second")} not in SAME_BY_EAR]
    print(f"taken for the same recording: {sum(one['same'] for one in rows)} pairs")
    for one in wrong:
        print(f"    their samples differ; judge by ear: {one['first']} and {one['second']}")
    bar("no pair of different recordings is taken for the same one", not wrong)
    same = [[row["first"], row["second"]] for row in rows if (row["correlation"] or 0) >= SAME_SAMPLES]
    (args.cache / f"same-{args.method}.json").write_text(json.dumps(same, indent=0), encoding="utf-8")


def table(args: argparse.Namespace) -> None:
    """How many copies are found, and what else they are taken for."""
    everything, (short, long) = tracks(args), chosen(args)
    for method, aligner in ALIGNERS.items():
        known = load(args, aligner.method, "original", everything)
        listed = args.cache / "same-ours.json"
        same = json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []
        print(f"{method}: {len(known)} tracks")
        index = Index(list(known.values()))
        names = list(known)
        for copy in args.copies or COPIES:
            made = load(args, aligner.method, copy, short + long)
            made = {track: prints for track, prints in made.items() if track in known}
            for kind, members in (
                ("clips", [t for t in short if t in made]),
                ("songs", [t for t in long if t in made]),
            ):
                if members:
                    title = f"{copy}, {kind}"
                    text, found = row(title, members, made, known, names, index, aligner, same, args.others)
                    print(text, flush=True)
                    if method == "ours" and copy in RECALL:
                        bar(f"recall of {title}: {RECALL[copy]:g}", found >= RECALL[copy] * len(members))


def row(
    title: str,
    members: list[Path],
    made: dict[Path, np.ndarray],
    known: dict[Path, np.ndarray],
    names: list[Path],
    index: Index,
    aligner: Aligner,
    same: list[list[str]],
    others: bool,
) -> tuple[str, int]:
    """One line of the table, and how many copies were found."""
    listed = found = alone = 0
    false, errors, missed = [], [], []
    for track in members:
        candidates = index.candidates(made[track], most=20)
        listed += names.index(track) in candidates
        direct = aligner.align(made[track], known[track])
        alone += aligner.same(direct)
        errors.append(direct.error)
        for candidate in candidates if others else [names.index(track)] * (names.index(track) in candidates):
            other = names[candidate]
            match = direct if other == track else aligner.align(made[track], known[other])
            if aligner.same(match):
                pair = {f"{one.parent.name}/{one.name}" for one in (track, other)}
                if other == track:
                    found += 1
                elif not any(pair <= set(group) for group in same):
                    false.append(f"{track.name} as {other.name} (share {match.share:.2f}, bits {match.error:.3f})")
        if not aligner.same(direct) or names.index(track) not in candidates:
            missed.append(f"{track.name} (share {direct.share:.2f}, bits {direct.error:.3f})")
    n = len(members)
    low, high = beta.ppf([0.025, 0.975], [found, found + 1], [n - found + 1, n - found])
    said = f"| {title} | {found} of {n} | {np.nan_to_num(low):.3f} to {np.nan_to_num(high, nan=1.0):.3f} |"
    said += f" {listed} | {alone} | {np.median(errors):.1%} | {np.max(errors):.1%} | {len(false)} |"
    return "\n    ".join([said, *(f"missed: {one}" for one in missed), *(f"also: {one}" for one in false)]), found


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prints", "pairs", "copies", "table"))
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--method", choices=tuple(METHODS), default="ours")
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--songs", type=int, default=120)
    parser.add_argument("--show", type=int, default=150, help="closest pairs to be checked")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no more copies after so long")
    parser.add_argument("--copies", nargs="+", choices=tuple(COPIES), help="of the table; by default all")
    parser.add_argument("--no-others", dest="others", action="store_false", help="do not align other candidates")
    parser.add_argument("--ours", action="store_true", help="leave Chromaprint out")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.ours or shutil.which("fpcalc") is None:
        METHODS.pop("chromaprint")
        for name in [name for name, one in ALIGNERS.items() if one.method == "chromaprint"]:
            ALIGNERS.pop(name)
    {"prints": prints, "pairs": pairs, "copies": copies, "table": table}[args.what](args)


if __name__ == "__main__":
    main()
