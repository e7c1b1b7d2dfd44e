"""Fit the codec's bit tables on training music, and ship the weights of a run.

Run: python scripts/ship_codec.py runs/nested --shards cache/free-music

Output: src/celesta/weights/nested.safetensors (half precision) and nested-bits.safetensors (integers). Then run
scripts/export_weights.py, which writes the graphs that read those weights without torch.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from celesta import codec
from celesta.entropy import window as bits
from celesta.entropy.base import BaseCounts
from celesta.entropy.detail import DetailCounts
from celesta.entropy.table_file import FILES, FOLDER, Tables
from celesta.entropy.tables import BitTables
from celesta.models import weights
from celesta.models.nested import Nested

PIECES, SECONDS, DRAWS = 240, 6, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--shards", type=Path, required=True)
    args = parser.parse_args()
    model = codec.load(args.run, device="cpu").torch_model
    assert isinstance(model, Nested)
    spread = model.spread.numpy().astype(np.float32)
    index = json.loads((args.shards / "train.json").read_text())["pieces"]
    pcm = np.memmap(args.shards / "train.pcm", "<i2", "r").reshape(-1, 2)
    rng = np.random.default_rng(0)
    details, bases = DetailCounts(), BaseCounts(model.latent_dim)
    blank = Tables(BitTables(*details.tables(), bases.table(), spread))
    for number in rng.choice(len(index), min(PIECES, len(index)), replace=False):
        piece = index[number]
        x = pcm[piece["start"] : piece["start"] + min(piece["frames"], SECONDS * 44_100)].astype(np.float32) / 32_768
        mixes = {"left": x[:, 0], "mid": x.sum(1) * 0.5**0.5, "side": (x[:, 0] - x[:, 1]) * 0.5**0.5}
        signal = torch.from_numpy(np.ascontiguousarray(mixes[str(rng.choice(list(mixes), p=[0.4, 0.4, 0.2]))]))[None]
        with torch.inference_mode():
            c = model.mdct(signal)
            base = model.base(signal[:, None], c)[0].T.numpy()
        c = c[0].T.numpy()
        # From 1 to 400 coefficients per frame: the tables serve every bitrate.
        for share in np.exp(rng.uniform(0, np.log(400), DRAWS)) / len(spread):
            least = float(np.quantile(np.abs(c) / spread[:, None], 1 - share))
            details.add(bits.quantise(base, c, bits.Settings(bits.step_keeping(least)), blank).detail)
        bases.add(bits.quantise(base, c, bits.Settings(bits.NO_DETAIL), blank).base)
    found, size = details.tables()
    file = FOLDER / FILES[0]
    weights.write(file, {"found": found, "size": size, "move": bases.table(), "spread": spread}, {})
    trained = weights.read(args.run / "best.safetensors")
    weights.write(weights.FOLDER / "nested.safetensors", weights.in_half(trained.tensors), trained.metadata)
    print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
