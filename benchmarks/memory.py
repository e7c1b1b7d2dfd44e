"""Peak memory of every verb that takes a file, for a short and a long song: python benchmarks/memory.py [--minutes 60].

Each verb runs in a process of its own, as the command does; the bar is a growth of 50 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from celesta.audio import Writer

RATE = 22_050
MOST_MORE = 50.0  # MB
STEPS = ["--gain", "1.2", "--noise", "0.1", "--smooth", "5"]
VERBS = {
    "encode": ["encode", "{song}", "-m", "{model}", "-o", "{folder}/x.cel", "--force"],
    "verify": ["verify", "{folder}/x.cel"],
    "decode": ["decode", "{folder}/x.cel", "-o", "{folder}/x.flac", "--force"],
    "transform": ["transform", "{song}", "-m", "{model}", "-o", "{folder}/t", *STEPS, "--force"],
    "transform .cel": ["transform", "{folder}/x.cel", "-m", "{model}", "-o", "{folder}/t", *STEPS, "--force"],
    "reconstruct": ["reconstruct", "{song}", "-m", "{model}", "-o", "{folder}/r", "--force"],
}
# Linux counts what the parent had before exec into ru_maxrss, but not into VmHWM.
PROGRAM = """
import resource, sys
from pathlib import Path
from celesta.cli.main import main
code = 0
try:
    main()
except SystemExit as stop:
    code = stop.code or 0
status = Path("/proc/self/status")
if status.exists():
    peak = int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
print(peak, file=sys.stderr)
sys.exit(code)
"""


def peak(arguments: list[str]) -> float:
    """Return the peak resident memory of a command, MB."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"celesta {' '.join(arguments)}: {done.stderr}")
    return int(done.stderr.split()[-1]) * 1024 / 1e6


def write_song(path: Path, minutes: float) -> None:
    """Write noise whose level moves, so that nothing compresses well."""
    rng = np.random.default_rng(0)
    with Writer(path, RATE, 2) as writer:
        for i in range(round(60 * minutes)):
            block = rng.normal(0, 0.1, (2, RATE)) * (0.5 + 0.5 * np.sin(i) ** 2)
            writer.write(block.clip(-1, 1).astype(np.float32))


def measure(model: str, minutes: float) -> dict[str, float]:
    """Return the peak of each verb with one song, MB."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.flac"
        write_song(song, minutes)
        names = {"song": str(song), "folder": folder, "model": model}
        return {verb: peak([part.format(**names) for part in parts]) for verb, parts in VERBS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="default: linear-64")
    parser.add_argument("--minutes", type=float, default=60, help="of the long song; the short one has 1")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    rows = []
    for model in args.model or ["linear-64"]:
        short, long = measure(model, 1), measure(model, args.minutes)
        rows += [{"model": model, "verb": v, "MB_short": short[v], "MB_long": long[v]} for v in VERBS]
    print(f"{'model':12} {'verb':16} {'1 min':>9} {f'{args.minutes:g} min':>9} {'growth':>9}")
    for row in rows:
        growth = row["MB_long"] - row["MB_short"]
        figures = "".join(f" {value:6.0f} MB" for value in (row["MB_short"], row["MB_long"], growth))
        print(f"{row['model']:12} {row['verb']:16}{figures}{'' if growth <= MOST_MORE else '  too much'}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
