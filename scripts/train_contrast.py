"""Train celesta-ssl: a representation without labels and without outside weights. Resumable; minutes on two cores.

Run: python scripts/train_contrast.py --gtzan FOLDER --qaed FOLDER [--shards cache/free-music] -o runs/celesta-ssl

Music: GTZAN's train list and 4QAED (never valid or test tracks, no label is read), and shards of free music.
Two windows of 3 s of a song are made different (level, a smooth filter, another song mixed in, masks) and are to be
told from the windows of all other songs of the batch (NT-Xent).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from celesta import audio, datasets
from celesta.codec import WEIGHTS
from celesta.features.musicnn_patches import PATCH_FRAMES, SAMPLE_RATE, log_mel
from celesta.models.contrast import Contrast

TEMPERATURE = 0.1


def spectrograms(args: argparse.Namespace) -> list[np.ndarray]:
    """Log-mel of every song, float16, from a file where it was made before."""
    kept = args.output / "spectrograms.npz"
    if kept.exists():
        with np.load(kept) as data:
            return np.split(data["frames"], data["ends"][:-1])
    tracks = datasets.load([args.gtzan, args.qaed])
    held_out = {t.path for t in tracks if t.dataset == "gtzan" and t.split != "train"}
    songs = []
    for track in tracks:
        if track.path not in held_out:
            songs.append(
                log_mel(audio.read(track.path, sample_rate=SAMPLE_RATE, mono=True).samples[0]).astype(np.float16)
            )
    if args.shards:
        import json

        index = json.loads((args.shards / "train.json").read_text())
        pcm = np.memmap(args.shards / "train.pcm", "<i2", "r").reshape(-1, 2)
        for piece in index["pieces"]:
            x = (
                pcm[piece["start"] : piece["start"] + min(piece["frames"], 26 * 44_100)].astype(np.float32).mean(1)
                / 32_768
            )
            songs.append(log_mel(audio.resample(x[None], 44_100, SAMPLE_RATE)[0]).astype(np.float16))
    songs = [s for s in songs if len(s) > 2 * PATCH_FRAMES]
    np.savez(kept, frames=np.concatenate(songs), ends=np.cumsum([len(s) for s in songs]))
    return songs


def alter(patches: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Level, a smooth filter, another song beneath, masks of time and frequency, on ``(B, frames, 96)``."""
    n = len(patches)
    power, other = 10.0**patches - 1, 10.0**others - 1
    knots = rng.normal(0, 3, (n, 6))
    places = np.linspace(0, 5, 96)
    low = np.minimum(places.astype(int), 4)
    curve = knots[:, low] * (1 - places + low) + knots[:, low + 1] * (places - low)
    level = rng.uniform(-15, 3, (n, 1))
    share = rng.uniform(0, 0.25, (n, 1, 1)) * (rng.random((n, 1, 1)) < 0.5)
    mixed = (power + share * other) * 10 ** ((curve + level) / 10)[:, None]
    made = np.log10(np.maximum(mixed, 0) + 1).astype(np.float32)
    for row in made:
        at, band = rng.integers(PATCH_FRAMES - 30), rng.integers(96 - 12)
        row[at : at + rng.integers(30)] = 0
        row[:, band : band + rng.integers(12)] = 0
    return made


def pairs(songs: list[np.ndarray], count: int, step: int) -> np.ndarray:
    """Two altered patches of each of ``count`` songs, drawn by the step: ``(2 * count, frames, 96)``."""
    rng = np.random.default_rng([0, step])
    chosen = rng.choice(len(songs), count, replace=False)
    both = []
    for _ in range(2):
        cut = np.stack([
            songs[i][at : at + PATCH_FRAMES]
            for i in chosen for at in [rng.integers(len(songs[i]) - PATCH_FRAMES)]
        ]).astype(np.float32)  # fmt: skip
        both.append(alter(cut, np.roll(cut, 1 + rng.integers(len(cut) - 1), axis=0), rng))
    return np.concatenate(both)


def restore(file: Path, model: Contrast, optimizer: torch.optim.Optimizer) -> int:
    """Load model and optimizer from a saved state, and return its step."""
    state = load_file(file)
    first = int(state.pop("step"))
    moments = {k: state.pop(k) for k in list(state) if k.startswith("opt.")}
    model.load_state_dict(state)
    kept: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in moments.items():
        _, number, name = key.split(".")
        kept.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": kept, "param_groups": optimizer.state_dict()["param_groups"]})
    return first


def save(file: Path, model: Contrast, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Save model, optimizer and step as a whole or not at all."""
    state = {k: v.contiguous() for k, v in model.state_dict().items()} | {"step": torch.tensor(step)}
    for number, values in optimizer.state_dict()["state"].items():
        state |= {f"opt.{number}.{name}": value.contiguous() for name, value in values.items()}
    temporary = file.with_suffix(".tmp")
    save_file(state, temporary)
    temporary.replace(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gtzan", type=Path, required=True)
    parser.add_argument("--qaed", type=Path, required=True)
    parser.add_argument("--shards", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/celesta-ssl"))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--songs", type=int, default=64, help="songs a step, two windows each")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    songs = spectrograms(args)
    print(f"{len(songs)} songs, {sum(map(len, songs)) * 256 / SAMPLE_RATE / 3600:.1f} h", flush=True)
    torch.manual_seed(0)
    model = Contrast().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    last = args.output / "last.safetensors"
    first = restore(last, model, optimizer) if last.exists() else 0
    began = time.monotonic()
    for step in range(first, args.steps):
        patches = torch.from_numpy(pairs(songs, args.songs, step))
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * step / args.steps))
        model.train()
        with torch.autocast("cpu", torch.bfloat16):
            z = F.normalize(model.project(model(patches)).float(), dim=1)
        logits = z @ z.T / TEMPERATURE - 1e9 * torch.eye(len(z))
        loss = F.cross_entropy(logits, torch.arange(len(z)).roll(args.songs))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % 50 == 0:
            rate = (step + 1 - first) / (time.monotonic() - began)
            print(
                f"step {step + 1}  loss {loss.item():.3f}  {(args.steps - step) / rate / 60:.0f} min to go", flush=True
            )
        if (step + 1) % 250 == 0 or step + 1 == args.steps:
            save(last, model, optimizer, step + 1)
    ships = {k: v for k, v in model.state_dict().items() if "project" not in k and "num_batches" not in k}
    ships = {k: v.half().contiguous() if v.ndim > 1 else v.contiguous() for k, v in ships.items()}
    about = {"songs": str(len(songs)), "steps": str(args.steps), "seed": "0"}
    save_file(ships, WEIGHTS / "celesta-ssl.safetensors", about)


if __name__ == "__main__":
    main()
