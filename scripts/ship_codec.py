"""Fit the codec's bit tables on training music and ship the weights of a run.

Run: python scripts/ship_codec.py runs/nested --shards cache/free-music

Made: src/celesta/weights/nested.safetensors (half precision) and nested-bits.safetensors (whole numbers).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from celesta import codec
from celesta.entropy import window as bits
from celesta.entropy.base import BaseCounts
from celesta.entropy.detail import DetailCounts
from celesta.entropy.tables import FILE, BitTables
from celesta.models.nested import Nested

PIECES, SECONDS, DRAWS = 240, 6, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--shards", type=Path, required=True)
    args = parser.parse_args()
    model = codec.load(args.run).model
    assert isinstance(model, Nested)
    spread = model.spread.numpy().astype(np.float32)
    index = json.loads((args.shards / "train.json").read_text())["pieces"]
    pcm = np.memmap(args.shards / "train.pcm", "<i2", "r").reshape(-1, 2)
    rng = np.random.default_rng(0)
    details, bases = DetailCounts(), BaseCounts(model.latent_dim)
    blank = BitTables(*details.tables(), bases.table(), spread)
    for number in rng.choice(len(index), min(PIECES, len(index)), replace=False):
        piece = index[number]
        x = pcm[piece["start"] : piece["start"] + min(piece["frames"], SECONDS * 44_100)].astype(np.float32) / 32_768
        mixes = {"left": x[:, 0], "middle": x.sum(1) * 0.5**0.5, "side": (x[:, 0] - x[:, 1]) * 0.5**0.5}
        sound = torch.from_numpy(np.ascontiguousarray(mixes[str(rng.choice(list(mixes), p=[0.4, 0.4, 0.2]))]))[None]
        with torch.inference_mode():
            c = model.mdct(sound)
            base = model.base(sound[:, None], c)[0].T.numpy()
        c = c[0].T.numpy()
        # From one to four hundred coefficients a frame: the tables serve every bitrate.
        for share in np.exp(rng.uniform(0, np.log(400), DRAWS)) / len(spread):
            least = float(np.quantile(np.abs(c) / spread[:, None], 1 - share))
            details.add(bits.quantise(base, c, bits.step_keeping(least), blank).detail)
        bases.add(bits.quantise(base, c, bits.NO_DETAIL, blank).base)
    found, size = details.tables()
    save_file({"found": found, "size": size, "move": bases.table(), "spread": spread}, FILE)
    with safe_open(args.run / "best.safetensors", "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        metadata = file.metadata()
    halved = {name: a.astype(np.float16) if a.ndim > 1 else a for name, a in arrays.items()}
    save_file(halved, FILE.with_name("nested.safetensors"), metadata)
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
