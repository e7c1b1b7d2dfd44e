"""Peak memory of every verb that takes a file, for 1 minute and 1 hour of music; speed of `celesta classify predict`.

Run: python benchmarks/verbs.py [--minutes 60] [--only encode "library add" ...] [--songs FOLDER] [--json FILE]
[--page FILE]

The bar: an hour takes at most 50 MB more than a minute. The music is the clips that ship, one after the other, 44.1 kHz
stereo. Verbs that need several songs get the clips as well as the long file. Each verb runs in a process of its own;
where it starts others, the largest one counts. An hour of all verbs takes about 40 minutes on two cores.

The speed of predictions is that of whole processes. So is the speed before issue 14, if this is a git checkout that has
the commit: its package is unpacked to a temporary folder and run on the same songs, the clips or the first ten songs of
`--songs`.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.report.demo import CLIPS

BAR_MB = 50.0
BAR_FASTER = 4.0
BEFORE = "8c99f18"
"""The last commit whose predictions compute overlapping windows twice."""
ROOT = Path(__file__).parents[1]
CELESTA = [sys.executable, "-c", "import sys; from celesta.cli.main import main; sys.exit(main())"]
VERBS = {
    "encode": "encode {song} --kbps 12 -o {out}/coded.cel",
    "encode --verify": "encode {song} --kbps 12 --verify -o {out}/verified.cel",
    "encode, quality": "encode {song} -o {out}/quality.cel",
    "encode -m sparse-64": "encode {song} -m sparse-64 -o {out}/sparse.cel",
    "encode -m cel-3": "encode {song} -m cel-3 -o {out}/cel-3.cel",
    "info": "info {song} {out}/coded.cel {out}/cel-3.cel",
    "verify": "verify {out}/coded.cel {out}/cel-3.cel",
    "truncate": "truncate {out}/coded.cel --kbps 6 -o {out}/small.cel",
    "decode": "decode {out}/coded.cel -o {out}/back.flac",
    "decode, cel-3": "decode {out}/cel-3.cel -o {out}/cel-3.flac",
    "reconstruct": "reconstruct {song} -o {out}/reconstruct",
    "transform": "transform {song} --gain 0.8 --noise 0.1 --smooth 3 -o {out}/transform",
    "transform, .cel": "transform {out}/coded.cel --gain 0.8 --noise 0.1 -o {out}/transform-cel",
    "compare": "compare nested2 linear-64 --data {folder} -o {out}/compare",
    "classify predict": "classify predict {song} -o {out}/predict",
    "classify train": "classify train --data {folder} --folds 2 --cache {out}/cache -o {out}/mine.safetensors",
    "classify evaluate": "classify evaluate {out}/mine.safetensors --data {folder} --cache {out}/cache-2",
    "cluster": "cluster --data {folder} --groups 2 --cache {out}/cache-3 -o {out}/clusters",
    "study": "study --data {folder} -f handcrafted --no-classifier --seeds 1 --folds 2 --workers 1 "
    "--cache {out}/cache-4 -o {out}/study",
    "library add": "library add {song} --workers 1 --library {out}/library.db",
    "library add, clips": "library add {folder}/b --workers 1 --library {out}/clips.db",
    "similar": "similar {song} --library {out}/clips.db",
    "duplicates": "duplicates --library {out}/library.db",
    "train": "train -m cel-lr --data {folder} --steps 2 --no-compile -o {out}/run",
}
"""Name of a measurement to the words after ``celesta``; what one writes, later ones read."""
# Linux counts the memory of the process that a program was started from as the program's own until it has more, so a
# small process starts the one that is measured.
_STARTER = (
    "import os, subprocess, sys\n"
    "started = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
    "_, status, used = os.wait4(started.pid, 0)\n"
    "print(used.ru_maxrss * (1 if sys.platform == 'darwin' else 1024), used.ru_utime + used.ru_stime)\n"
    "sys.exit(os.waitstatus_to_exitcode(status) != 0)\n"
)


class CommandFailedError(Exception):
    """A command ended with an error; its message has what it printed."""


def measured(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, float, float]:
    """Peak MB, processor seconds and wall seconds of a command."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _STARTER, *command], capture_output=True, text=True, check=False,
        env=os.environ | (environment or {}),
    )  # fmt: skip
    if done.returncode:
        raise CommandFailedError(f"{' '.join(command)}: failed\n{done.stderr}")
    peak, cpu = map(float, done.stdout.split()[-2:])
    return peak / 1e6, cpu, time.perf_counter() - start


def make_song(path: Path, minutes: float) -> None:
    """Write a FLAC file of the clips that ship, repeated to the length."""
    pieces = [audio.read(file, sample_rate=44_100).samples for file in sorted(CLIPS.glob("*.ogg"))]
    left, number = round(minutes * 60 * 44_100), 0
    with audio.Writer(path, 44_100, 2) as writer:
        while left > 0:
            piece = np.broadcast_to(pieces[number % len(pieces)][:, :left], (2, min(left, pieces[0].shape[1])))
            writer.write(np.ascontiguousarray(piece.clip(-1, 1 - 2**-15)))
            left -= piece.shape[1]
            number += 1


def memory(minutes: float, only: list[str]) -> Iterator[dict[str, object]]:
    """A row for each verb: peaks for one minute and for ``minutes``."""
    with tempfile.TemporaryDirectory() as temporary:
        places = {length: Path(temporary) / f"{length:g}" for length in (1.0, minutes)}
        for length, place in places.items():
            for number, clip in enumerate(sorted(CLIPS.glob("*.ogg"))):
                label = place / "music" / ("a" if number % 2 else "b")
                label.mkdir(parents=True, exist_ok=True)
                shutil.copy(clip, label)
            make_song(place / "music" / "a" / "song.flac", length)
        for name, words in VERBS.items():
            if only and name not in only:
                continue
            peaks, walls = [], []
            try:
                for place in places.values():
                    paths = {"song": place / "music" / "a" / "song.flac", "folder": place / "music", "out": place}
                    peak, _, wall = measured([*CELESTA, *(word.format(**paths) for word in words.split())])
                    peaks.append(peak)
                    walls.append(wall)
            except CommandFailedError as error:  # the other verbs are measured all the same
                yield {"verb": name, "failed": str(error)}
                continue
            growth = peaks[1] - peaks[0]
            met = "met" if growth <= BAR_MB else f"MISSED by {growth - BAR_MB:.0f} MB"
            yield {"verb": name, "1 min MB": peaks[0], f"{minutes:g} min MB": peaks[1], "growth MB": growth, "bar": met,
                   "wall s": walls[1]}  # fmt: skip


def predict_speed(songs: Path | None) -> Iterator[dict[str, object]]:
    """Seconds of music a second of `celesta classify predict` as a whole process, now and before."""
    files = audio.find_audio(songs)[:10] if songs else sorted(CLIPS.glob("*.ogg"))
    seconds = sum(audio.info(file).duration for file in files)
    walls = []
    for when, package in (("now", None), ("before", old_package())):
        if when == "before" and package is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            source = {} if package is None else {"PYTHONPATH": package.name + "/src"}
            words = ["classify", "predict", *map(str, files), "-o", f"{folder}/predict"]
            peak, cpu, wall = measured([*CELESTA, *words], source)
        walls.append(wall)
        yield {"verb": f"classify predict, {when}", "songs": len(files), "music s": seconds, "wall s": wall,
               "cpu s": cpu, "music s per s": seconds / wall, "MB": peak}  # fmt: skip
    if len(walls) == 2:
        faster = walls[1] / walls[0]
        met = "met" if faster >= BAR_FASTER else f"MISSED: {BAR_FASTER:g}"
        yield {"verb": "classify predict, times as fast as before", "wall": faster, "bar": met}


def old_package() -> tempfile.TemporaryDirectory[str] | None:
    """Unpack the package as it was at :data:`BEFORE`; None where git does not have it."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", BEFORE, "src"], capture_output=True, check=False)
    if archive.returncode:
        print(f"commit {BEFORE} is not in this checkout: no speed from before")
        return None
    folder = tempfile.TemporaryDirectory()
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder.name, filter="data")
    return folder


def markdown(rows: list[dict[str, object]], minutes: float) -> str:
    """Return a page for docs/results."""
    long = f"{minutes:g} min MB"
    lines = [
        "# Memory of the verbs, speed of predictions",
        "",
        f"Measured on {datetime.date.today().isoformat()} with `python benchmarks/verbs.py --minutes {minutes:g}` on "
        f"{os.cpu_count()} processors. Peak resident memory",
        f"of the largest process, for 1 minute and {minutes:g} minutes of music (the clips that ship, one after the "
        "other, 44.1 kHz stereo FLAC).",
        f"The bar: at most {BAR_MB:g} MB more.",
        "",
        f"| verb | 1 min, MB | {minutes:g} min, MB | growth, MB | bar |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if long in row:
            lines.append(
                f"| `{row['verb']}` | {row['1 min MB']:.0f} | {row[long]:.0f} | {row['growth MB']:.0f} | {row['bar']} |"
            )
    speed = [row for row in rows if "music s per s" in row]
    if speed:
        lines += ["", f"`celesta classify predict` on {speed[0]['songs']} songs, as a whole process:", ""]
        lines += ["| | wall s | processor s | s of audio a second |", "|---|---|---|---|"]
    for row in speed:
        name = str(row["verb"]).rpartition(" ")[2].replace("before", f"before (commit {BEFORE})")
        lines.append(f"| {name} | {row['wall s']:.1f} | {row['cpu s']:.1f} | {row['music s per s']:.1f} |")
    lines += [f"\nTimes as fast as before: {row['wall']:.1f} ({row['bar']})." for row in rows if "wall" in row]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the long file")
    parser.add_argument("--only", nargs="+", default=[], metavar="VERB", help="only these, as the table names them")
    parser.add_argument("--songs", type=Path, help="folder whose first ten songs are predicted; else the clips")
    parser.add_argument("--page", type=Path, help="also write the figures here as Markdown; docs/results/memory.md")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    rows = []
    parts = [memory(args.minutes, args.only)]
    if not args.only or "classify predict" in args.only or "predict" in args.only:
        parts.append(predict_speed(args.songs))
    for part in parts:
        for row in part:
            rows.append(row)
            print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    if any("failed" in row for row in rows):
        raise SystemExit("some commands failed: no page is written")
    if args.page:
        args.page.write_text(markdown(rows, args.minutes), encoding="utf-8")


if __name__ == "__main__":
    main()
