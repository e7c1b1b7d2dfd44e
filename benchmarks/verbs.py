"""Peak memory of every verb that takes a file, for 1 minute and 1 hour of music; speed of `celesta classify predict`.

Run: python benchmarks/verbs.py [--minutes 60] [--only encode decode ...] [--songs FOLDER] [--json FILE]

The bar: an hour takes at most 50 MB more than a minute. The music is the clips that ship, one after the other, 44.1 kHz
stereo. Each verb runs in a process of its own. An hour of all verbs takes about 20 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.report.demo import CLIPS

BAR_MB = 50.0
CELESTA = str(Path(sys.executable).with_name("celesta"))
VERBS = {
    "encode": ["encode", "{song}", "--kbps", "12", "-o", "{out}/coded.cel"],
    "encode --verify": ["encode", "{song}", "--kbps", "12", "--verify", "-o", "{out}/verified.cel"],
    "encode -m sparse-64": ["encode", "{song}", "-m", "sparse-64", "-o", "{out}/sparse.cel"],
    "info": ["info", "{out}/coded.cel"],
    "verify": ["verify", "{out}/coded.cel"],
    "truncate": ["truncate", "{out}/coded.cel", "--kbps", "6", "-o", "{out}/small.cel"],
    "decode": ["decode", "{out}/coded.cel", "-o", "{out}/back.flac"],
    "reconstruct": ["reconstruct", "{song}", "-o", "{out}/reconstruct"],
    "transform": ["transform", "{song}", "--gain", "0.8", "--noise", "0.1", "--smooth", "3", "-o", "{out}/transform"],
    "classify predict": ["classify", "predict", "{song}", "-o", "{out}/predict"],
}
# Linux counts the memory of the process that a program was started from as the program's own until it has more, so a
# small process starts the one that is measured.
_STARTER = (
    "import os, subprocess, sys\n"
    "started = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
    "_, status, used = os.wait4(started.pid, 0)\n"
    "print(used.ru_maxrss * (1 if sys.platform == 'darwin' else 1024), used.ru_utime + used.ru_stime)\n"
    "sys.exit(os.waitstatus_to_exitcode(status) != 0)\n"
)


def measured(command: list[str]) -> tuple[float, float, float]:
    """Peak MB, processor seconds and wall seconds of a command."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _STARTER, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: failed\n{done.stderr}")
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
    with tempfile.TemporaryDirectory() as folder:
        songs = {length: Path(folder) / f"{length:g}.flac" for length in (1.0, minutes)}
        for length, song in songs.items():
            make_song(song, length)
        for name, words in VERBS.items():
            if only and name.split()[0] not in only and name not in only:
                continue
            peaks = []
            for length, song in songs.items():
                out = Path(folder) / f"out-{length:g}"
                out.mkdir(exist_ok=True)
                command = [CELESTA, *(word.format(song=song, out=out) for word in words)]
                peaks.append(measured(command)[0])
            growth = peaks[1] - peaks[0]
            met = "met" if growth <= BAR_MB else f"MISSED by {growth - BAR_MB:.0f} MB"
            yield {"verb": name, "1 min MB": peaks[0], f"{minutes:g} min MB": peaks[1], "growth MB": growth, "bar": met}


def predict_speed(songs: Path | None) -> dict[str, object]:
    """Seconds of music a second of `celesta classify predict` as a whole process."""
    files = audio.find_audio(songs)[:10] if songs else sorted(CLIPS.glob("*.ogg"))
    seconds = sum(audio.info(file).duration for file in files)
    with tempfile.TemporaryDirectory() as folder:
        _, cpu, wall = measured([CELESTA, "classify", "predict", *map(str, files), "-o", f"{folder}/predict"])
    return {"verb": "classify predict", "songs": len(files), "music s": seconds, "wall s": wall, "cpu s": cpu,
            "music s per s": seconds / wall}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the long file")
    parser.add_argument("--only", nargs="+", default=[], choices=[*VERBS, *{v.split()[0] for v in VERBS}])
    parser.add_argument("--songs", type=Path, help="folder whose first ten songs are predicted; else the clips")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    rows = []
    for row in memory(args.minutes, args.only):
        rows.append(row)
        print("  ".join(f"{k} {v:.0f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    rows.append(predict_speed(args.songs))
    print("  ".join(f"{k} {v:.1f}" if isinstance(v, float) else f"{k} {v}" for k, v in rows[-1].items()))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
