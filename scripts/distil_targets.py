"""Compute what the codec's base learns to predict: a tagger's penultimate layer at places of the training shards.

Run: python scripts/distil_targets.py cache/free-music [--places 8000]

Writes `distil.safetensors` into the folder of the shards: `start` (first frame in train.pcm) and `target` (float16,
the penultimate layer of musicnn's MSD checkpoint on the 3 s from there, mono). Run again, it adds places.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from celesta.audio import resample
from celesta.features.musicnn import load_musicnn
from celesta.features.musicnn_patches import SAMPLE_RATE

RATE, SECONDS, EVERY = 44_100, 3.0, 250


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--places", type=int, default=8_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    path = args.shards / "distil.safetensors"
    starts: list[int] = []
    targets: list[np.ndarray] = []
    if path.is_file():
        known = load_file(path)
        starts, targets = known["start"].tolist(), list(known["target"])
    pieces = json.loads((args.shards / "train.json").read_text(encoding="utf-8"))["pieces"]
    length = round(SECONDS * RATE)
    pieces = [piece for piece in pieces if piece["frames"] > length]
    seconds = np.array([piece["frames"] for piece in pieces], float)
    pcm = np.memmap(args.shards / "train.pcm", "<i2", "r").reshape(-1, 2)
    tagger, rng = load_musicnn("MSD"), np.random.default_rng([0, len(starts)])
    while len(starts) < args.places:
        # The root of its length: long pieces are alike in themselves.
        piece = pieces[rng.choice(len(pieces), p=seconds**0.5 / (seconds**0.5).sum())]
        start = piece["start"] + int(rng.integers(piece["frames"] - length))
        mono = pcm[start : start + length].astype(np.float32).mean(1) / 32_768
        samples = resample(mono[None], RATE, SAMPLE_RATE)[0]
        starts.append(start)
        targets.append(tagger.layers(samples, precision="auto")["penultimate"][0].astype(np.float16))
        if len(starts) % EVERY == 0 or len(starts) == args.places:
            temporary = path.with_suffix(".tmp")
            save_file({"start": np.array(starts, np.int64), "target": np.stack(targets)}, temporary)
            os.replace(temporary, path)
            print(len(starts), flush=True)


if __name__ == "__main__":
    main()
