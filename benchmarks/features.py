"""How fast features of songs are measured, in seconds of audio a second.

Run: python benchmarks/features.py --data FOLDER [-f celesta-features] [--songs 200] [--workers 2]

The first figure counts the start of the processes, the second does not. Nothing is cached.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from celesta import audio, datasets
from celesta.features import extract
from celesta.features.fusion import needed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("-f", "--features", default="celesta-features")
    parser.add_argument("--songs", type=int, default=200, help="spread evenly over the data")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tracks = datasets.load(arguments.data)
    paths = [t.path for t in tracks][:: max(1, len(tracks) // arguments.songs)][: arguments.songs]
    seconds = sum(audio.probe(path).duration for path in paths)
    for what in ("first run, processes start", "again, processes stand ready"):
        began = time.perf_counter()
        extract(paths, needed([arguments.features]), workers=arguments.workers)
        took = time.perf_counter() - began
        rate = seconds / took
        print(f"{arguments.features}, {what}: {len(paths)} songs, {seconds:.0f} s in {took:.1f} s: {rate:.0f} a second")


if __name__ == "__main__":
    main()
