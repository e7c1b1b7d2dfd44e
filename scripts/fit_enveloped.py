"""Fit the bit tables of the codec with a band envelope on training music.

Run: python scripts/fit_enveloped.py runs/nested2 --shards cache/free-music --out nested2-bits.safetensors
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from celesta import codec
from celesta.dsp import band_envelope as bands
from celesta.entropy import window as bits
from celesta.entropy.base import BaseCounts
from celesta.entropy.detail import DetailCounts
from celesta.entropy.envelope import EnvelopeCounts, quantise
from celesta.entropy.envelope_tables import EnvelopeTables
from celesta.entropy.rest import RestCounts, thresholds
from celesta.entropy.table_file import Tables
from celesta.entropy.tables import BitTables
from celesta.entropy.window import BASE_STEP, Settings, step_keeping
from celesta.models import weights
from celesta.models.nested2 import Nested2

PIECES, SECONDS, DRAWS, RATE = 320, 8, 3, 44_100


def pieces(shards: Path, model: Nested2, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Base ``(channels, frames)`` and coefficients ``(1024, frames)`` of random pieces: left, middle or side."""
    index = json.loads((shards / "train.json").read_text(encoding="utf-8"))["pieces"]
    pcm = np.memmap(shards / "train.pcm", "<i2", "r").reshape(-1, 2)
    length = SECONDS * RATE // (bands.FRAMES * 1024) * bands.FRAMES * 1024
    index = [piece for piece in index if piece["frames"] > length]
    for number in rng.choice(len(index), min(PIECES, len(index)), replace=False):
        start = index[number]["start"] + int(rng.integers(index[number]["frames"] - length))
        x = pcm[start : start + length].astype(np.float32) / 32_768
        mixes = {"left": x[:, 0], "middle": x.sum(1) * 0.5**0.5, "side": (x[:, 0] - x[:, 1]) * 0.5**0.5}
        sound = torch.from_numpy(np.ascontiguousarray(mixes[str(rng.choice(list(mixes), p=[0.4, 0.4, 0.2]))]))[None]
        with torch.inference_mode():
            c = model.mdct(sound)
            base = model.base(sound[:, None], c)
        yield base[0].T.numpy(), c[0].T.numpy()


def fit(model: Nested2, shards: Path) -> Tables:
    """All tables of the codec."""
    rng, spread = np.random.default_rng(0), model.spread.numpy().astype(np.float32)
    details, bases, rests = DetailCounts(), BaseCounts(model.latent_dim), RestCounts()
    songs = list(pieces(shards, model, rng))
    decibel = 20 * np.log10(np.maximum(spread, 1e-9))
    level = np.rint(16 * np.add.reduceat(decibel, bands.EDGES[:-1]) / bands.WIDTHS).astype(np.int32)
    levels = [bands.levels(bands.cell_sums(c**2) / bands.SIZES[:, None]) for _, c in songs]
    envelopes = [np.rint(one).astype(np.int32) for one in levels]
    for _ in range(2):  # the second time on indices that lean as the first one's tables let them
        counts = EnvelopeCounts()
        for q in envelopes:
            counts.add(q)
        tables = EnvelopeTables(*counts.fit(), EnvelopeTables.blank().drop, level)
        envelopes = [quantise(one, tables) for one in levels]
    blank = Tables(BitTables(*details.tables(), bases.table(), spread), tables)
    for (base, c), envelope in zip(songs, envelopes, strict=True):
        for share in np.exp(rng.uniform(0, np.log(400), DRAWS)) / len(spread):
            power = int(rng.integers(13)) if rng.random() < 0.8 else 0
            magnitude = np.abs(c) / bits.unit(envelope, power, blank)
            step = step_keeping(float(np.quantile(magnitude, 1 - share)))
            n = bits.quantise(base, c, Settings(step, power), blank, envelope)
            at = thresholds(envelope, step, power, tables)
            details.add(n.detail, bits.contexts(envelope, at))
            rests.add(bits.cells(envelope, at, n.detail), n.rest)
        bases.add(np.rint(base / BASE_STEP).astype(np.int32))
    made = BitTables(*details.tables(), bases.table(), spread)
    return Tables(made, EnvelopeTables(tables.weights, tables.offset, rests.fit(), level))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = codec.load(args.run).torch_model
    assert isinstance(model, Nested2)
    weights.write(args.out, fit(model, args.shards).arrays(), {})
    print(f"{args.out}: {args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
