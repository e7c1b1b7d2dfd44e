"""Turn finished runs into weights that ship: half precision, scored on held-out music, with a model card.

Run: python scripts/ship_weights.py RUN... [--data MUSIC]

Music is that of the run unless --data names other folders. Scored are the tracks of the test list where the music has
one (GTZAN), else the tracks that training set aside for validation. Weights and card go to src/celesta/weights; the
model needs an entry with ``weights`` and ``weights_licence`` in src/celesta/models/registry.py.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from celesta import datasets
from celesta._files import atomic
from celesta.dsp import metrics
from celesta.errors import CelestaError, UsageError
from celesta.models import registry, weights
from celesta.models.base import Model, parameter_count
from celesta.models.registry import Entry
from celesta.probes.statistics import mean_interval
from celesta.training import data, shards
from celesta.training.checkpoint import save_weights
from celesta.training.config import TrainConfig, read_config

REPORTED = {"cel-lr": 0.006, "cel-silu": 0.0057, "cel-2": 0.0043, "cel-3": 0.0146}
"""Training losses that the 2024 report states for its models."""


@dataclass(frozen=True)
class HeldOut:
    """Windows that the weights are scored on.

    Attributes:
        windows: ``(n, samples)`` float32, peak-normalised.
        tracks: number of training tracks.
        about: what the windows are.
    """

    windows: np.ndarray
    tracks: int
    about: str


def held_out(folders: list[str], lists: str, model: Model, most: int) -> HeldOut:
    """Take one window from the middle of each held-out track."""
    if len(folders) == 1 and shards.is_shards(Path(folders[0])):
        train, valid = (shards.Shards(Path(folders[0]), split) for split in ("train", "valid"))
        count = min(most, valid.tracks)
        about = f"one window of each piece set aside for validation ({count})"
        return HeldOut(valid.windows(count, model.window), train.tracks, about)
    tracks = datasets.load(folders, lists=lists or None)
    split = next((name for name in ("test", "valid") if datasets.by_split(tracks, name)), "")
    if not split:
        raise UsageError(f"{', '.join(folders)}: no held-out tracks; give --data a folder with more audio files")
    chosen = datasets.by_split(tracks, split)[:most]
    built = data.build(chosen, model.sample_rate)
    kind = "of the test list" if split == "test" else "that training set aside for validation"
    about = f"one window from the middle of each track {kind} ({built.tracks}), peak-normalised"
    return HeldOut(built.windows(built.tracks, model.window), len(datasets.by_split(tracks, "train")), about)


@torch.inference_mode()
def scores(model: Model, windows: np.ndarray) -> dict[str, list[float]]:
    """Score a model on windows."""
    found: dict[str, list[float]] = {"MSE": [], "SI-SDR": [], "mel distance": []}
    for window in windows:
        x = window[None]
        x_hat = model(torch.from_numpy(x)[None])[0].float().numpy()
        found["MSE"].append(metrics.mse(x, x_hat))
        found["SI-SDR"].append(metrics.si_sdr(x, x_hat))
        found["mel distance"].append(metrics.mel_distance(x, x_hat, model.sample_rate))
    return found


def card(entry: Entry, config: TrainConfig, facts: dict[str, Any], model: Model, music: HeldOut) -> str:
    """Write the model card in Markdown."""
    found = scores(model, music.windows)
    mean, low, high = mean_interval(found["MSE"])
    ratio = model.floats_per_second / model.sample_rate
    rows = [
        ("parameters", f"{parameter_count(model):,} (matrices in float16)"),
        ("sample rate", f"{model.sample_rate} Hz"),
        (f"latent of a window of {model.window / model.sample_rate:.3g} s", latent_size(model)),
        ("numbers per input sample", f"{ratio:.3g}" + (": this model does not compress" if ratio > 1 else "")),
        ("training music", f"{music.tracks} tracks"),
        *training_rows(entry, config, facts),
        ("**held-out music**", music.about),
        ("MSE", f"{mean:.5f} (95 % interval {low:.5f} to {high:.5f}); silence: {np.mean(music.windows**2):.5f}"),
        ("SI-SDR", f"{np.mean(found['SI-SDR']):.2f} dB"),
        ("mel distance", f"{np.mean(found['mel distance']):.3f}"),
    ]
    if entry.name in REPORTED:
        rows.append(("train loss in the 2024 report", f"{REPORTED[entry.name]}"))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    begin = f" --begin {config.begin}" if config.begin else ""
    return f"""# {entry.name}

{entry.description}. Licence of the weights: {entry.weights_licence}.

| | |
|---|---|
{table}

Made by:

```
celesta train -m {entry.name} --data MUSIC -o runs/{entry.name}{begin} --steps {config.steps} \\
    --batch {config.batch} --crop {config.crop} --learning-rate {config.learning_rate:g} --seed {config.seed}
python scripts/ship_weights.py runs/{entry.name}
```
"""


def training_rows(entry: Entry, config: TrainConfig, facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Describe how the weights were made."""
    if entry.model.capabilities.needs_fitting:
        return [("fitted", "in closed form"), ("share of the variance", f"{facts['variance']:.3f}")]
    hours = float(facts["seconds"]) / 3600
    return [
        (
            "training",
            f"{facts['step']} of {config.steps} steps of {config.batch} crops of {config.crop} samples,"
            f" {hours:.2f} h, seed {config.seed}",
        ),
        ("initial weights", (config.begin and f"those of {Path(config.begin).name}") or config.init),
        (
            "optimiser",
            f"AdamW {config.learning_rate:g}, beta2 {config.beta2:g}, weight decay {config.weight_decay:g},"
            f" {config.schedule}",
        ),
        ("chosen by", f"lowest validation error, step {facts['best_step']}"),
    ]


def latent_size(model: Model) -> str:
    """Describe the latent of one window."""
    dense = f"{model.latent_dim} x {model.window_frames}" if model.latent_dim else ""
    sparse = f"{model.detail_size} coefficients in each of {model.window_frames} frames" if model.detail_size else ""
    return " and ".join(filter(None, (dense, sparse)))


def ship(run: Path, folders: list[str], most: int, target: Path) -> None:
    """Score a run and write its weights and their card, both or neither."""
    config = read_config(run / "train.toml")
    entry = registry.entry(config.model)
    if not entry.weights or not entry.weights_licence:
        raise UsageError(f"{entry.name}: its entry in models/registry.py needs weights and weights_licence")
    found = weights.read(run / "best.safetensors", advice="train until the first validation")
    facts = found.json("facts")
    model = registry.build(entry.config)
    found.load_into(model)
    # What ships is scored: the rounded weights.
    model.load_state_dict(weights.in_half(model.state_dict()), strict=False)
    model.prepare()
    lists = config.lists if not folders else ""
    text = card(entry, config, facts, model, held_out(folders or list(config.data), lists, model, most))
    facts |= {"seed": config.seed, "steps": config.steps, "batch": config.batch, "crop": config.crop}
    file = target / entry.weights
    with atomic(file.with_suffix(".md"), CelestaError) as temporary:
        temporary.write_text(text, encoding="utf-8")
        save_weights(file, model, entry.config, facts, half=True)
    print(f"{file}: {file.stat().st_size:,} bytes, with its card")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data", action="append", default=[], help="music to score on, if not that of the run")
    parser.add_argument("--most", type=int, default=10_000, help="largest number of tracks that are scored")
    parser.add_argument("--target", type=Path, default=weights.FOLDER, help="folder of weights and cards")
    args = parser.parse_args()
    try:
        for run in args.runs:
            ship(run, args.data, args.most, args.target)
    except CelestaError as error:
        parser.exit(1, f"ship_weights: {error}\n")


if __name__ == "__main__":
    main()
