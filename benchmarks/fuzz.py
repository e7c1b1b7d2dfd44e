"""Read many damaged audio and .cel files: no crash, no hang over 10 s, no memory over 1 GB, no error but Celesta's.

Run: python benchmarks/fuzz.py [--files 100000] [--first 0] [--minutes M] [--workers N] [--json FILE]

One second of music is written in every format, and damaged in eight ways (flipped bits, changed headers, cuts, zeros,
repeated, inserted and swapped parts, fields of lies); a copy is a function of its number, so that a failure can be read
again: --first NUMBER --files 1. Copies are read in processes of their own, 250 at a time, one format after the other;
--minutes ends the run early, and the table says how many were read. Exits with 1 on a failure.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import celesta
from celesta.audio import Audio, write
from celesta.models import registry

HERE = Path(__file__).parent
AUDIO = HERE.parent / "tests" / "attacks" / "audio_mutations.py"
CEL = HERE / "_fuzz_cel.py"
FORMATS = ("wav", "flac", "ogg", "opus", "mp3")
BATCH = 250
STUCK = 3_600  # seconds for a process that waits; one that computes for 10 s on a file ends itself
MEMORY = 1_000_000_000


def sources(folder: Path) -> list[tuple[str, Path, Path]]:
    """Write the sound files; return for each a name, the file and the script that damages and reads it."""
    clip = celesta.read(Path(celesta.__file__).parent / "clips" / "rock.ogg")
    x = Audio(np.ascontiguousarray(clip.samples[:, : clip.sample_rate]), clip.sample_rate)
    everything = (*registry.shipped(), *registry.FORMER)
    coded = [entry.name for entry in everything if entry.capabilities.codes_to_bitrate]
    made = []
    for suffix in FORMATS:
        write(folder / f"song.{suffix}", x)
        made.append((suffix, folder / f"song.{suffix}", AUDIO))
    for name, model, options in (
        *((f"cel {name}", name, {"kbps": 12}) for name in coded),
        ("cel bits", "cel-3", {"bits": 6}),
        ("cel float", "linear-8", {}),
    ):  # fmt: skip
        file = folder / f"{name.replace(' ', '-')}.cel"
        celesta.load(model).encode_file(x, file, **options)
        made.append((name, file, CEL))
    return made


def batch(script: Path, file: Path, first: int, count: int) -> dict[str, object]:
    """Damage and read so many copies; a copy that hangs or crashes is a failure with its number."""
    command = [sys.executable, str(script), str(file), str(first), str(count)]
    seed, bad = first, []
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, errors = child.communicate(timeout=STUCK)
    except subprocess.TimeoutExpired:
        child.kill()
        out, errors = child.communicate()
        bad = [f"stuck for {STUCK} s"]
    numbers = [word for word in errors.split() if word.isdecimal()]
    seed = int(numbers[-1]) if numbers else first
    try:
        found: dict[str, object] = json.loads(out)
    except ValueError:
        said = bad or ["hang" if child.returncode == -signal.SIGPROF else f"exit {child.returncode}"]
        found = {"read": 0, "refused": 0, "warned": 0, "bad": [f"seed {seed}: {said[0]}"]}
    return found


def run(
    made: list[tuple[str, Path, Path]], files: int, begin: int, end: float, workers: int, report: Path | None
) -> list[dict[str, object]]:
    """Read copies of every format in turn, until there are so many or the time is over; the report grows meanwhile."""
    rows = [
        {"format": name, "files": 0, "read": 0, "refused": 0, "bad": [], "seconds": 0.0,
         "wanted": -(-files // sum(other is script for _, _, other in made))}
        for name, _, script in made
    ]  # fmt: skip

    def several(jobs: list[tuple[dict[str, object], Path, Path, int, int]]) -> None:
        began = time.monotonic()
        results = list(pool.map(lambda job: batch(job[2], job[1], job[3], job[4]), jobs))
        for (row, _, _, _, count), found in zip(jobs, results, strict=True):
            for line in found["bad"]:
                print(f"{row['format']}: {line}", flush=True)
            row["files"] += count
            row["seconds"] += (time.monotonic() - began) / len(jobs)
            for key in ("read", "refused", "bad"):
                row[key] += found[key]

    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, max(row["wanted"] for row in rows), BATCH):
            if time.monotonic() > end:
                break
            several([
                (row, file, script, begin + first, min(BATCH, row["wanted"] - first))
                for row, (_, file, script) in zip(rows, made, strict=True)
                if first < row["wanted"]
            ])  # fmt: skip
            if report:
                report.write_text(json.dumps({"first": begin, "peak_bytes": peak(), "rows": rows}, indent=1) + "\n")
    return rows


def peak() -> int:
    """Return the largest memory of the processes that have ended, bytes."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="of audio, and as many .cel files")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes
    with tempfile.TemporaryDirectory() as folder:
        rows = run(sources(Path(folder)), args.files, args.first, end, args.workers, args.json)
    for row in rows:
        print(
            f"{row['format']:10} {row['files']:7} files {row['read']:7} read {row['refused']:7} refused "
            f"{len(row['bad']):3} failures {row['seconds']:7.0f} s"
        )
        for line in row["bad"][:10]:
            print(f"  {line}")
    failed = sum(len(row["bad"]) for row in rows)
    print(f"largest memory of a process: {peak() / 1e6:.0f} MB (bound {MEMORY / 1e6:.0f})")
    return 1 if failed or peak() > MEMORY else 0


if __name__ == "__main__":
    sys.exit(main())
