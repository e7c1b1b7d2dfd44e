"""What each part of the codec's recipe gives: small codecs trained equally long, each with one thing changed.

Run: python benchmarks/ablations.py --shards cache/free-music [--run runs/ablations] [--steps 1000] [--only full no-snr]

Every variant begins with the same weights and sees the same crops (training split) for the same number of steps. It is
scored on windows of the validation packages, quantised and coded as in files, with bit tables fitted on windows of the
training split. A finished variant is kept as JSON in the run's folder and not trained again. Small and short, so the
figures rank the parts and say nothing about the codec as shipped; one seed, and intervals are over windows only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _ablation_table import table
from _discriminator import Adversarial
from torch import Tensor

from celesta.dsp import metrics
from celesta.entropy import window as bits
from celesta.entropy.base import BaseCounts
from celesta.entropy.detail import DetailCounts
from celesta.entropy.table_file import Tables
from celesta.entropy.tables import BitTables
from celesta.latents.coded_window import as_floats
from celesta.models.base import Parts
from celesta.models.nested import Nested, NestedConfig
from celesta.training.band_weights import mel_share
from celesta.training.config import TrainConfig
from celesta.training.data import Corpus
from celesta.training.loop import averaged, learning_rate
from celesta.training.objectives import Scalable
from celesta.training.shards import Shards

SMALL = NestedConfig(encoder_width=96, encoder_depth=2, decoder_width=160, decoder_depth=3)
POINTS = ((8, 0), (32, 0), (8, 8), (16, 24), (32, 80))
"""Base channels and mean coefficients a frame; with a detail, as many channels as a file of that bitrate gets."""
BEYOND = (32, 160)  # the end of the full recipe's curve, so that the others' last point lies within it
FITTED = 96
LOG_EVERY = 50


class NoBase(Scalable):
    """The base is never there."""

    def channels(self, crops: int, rng: np.random.Generator) -> Tensor:
        """No channels."""
        return torch.zeros_like(super().channels(crops, rng))


class BaseOnly(Scalable):
    """No detail, ever: a dense latent."""

    def detail(self, c: Tensor, rng: np.random.Generator) -> Tensor:
        """No coefficients."""
        return torch.zeros_like(super().detail(c, rng))


class Exact(Scalable):
    """Training knows nothing of quantisation: the same coefficients and channels, exact."""

    def detail(self, c: Tensor, rng: np.random.Generator) -> Tensor:
        """The chosen coefficients as they are."""
        return torch.where(super().detail(c, rng) != 0, c, 0.0)

    def roughness(self, shape: Sequence[int], rng: np.random.Generator) -> Tensor:
        """No noise."""
        return torch.zeros_like(super().roughness(shape, rng))


class NoSnr(Scalable):
    """The mel distance and the base's bits alone."""

    snr_weight = 0.0


class Flat(Scalable):
    """The perceptual weight of a coefficient is its magnitude."""

    def __init__(self, model: Nested, config: TrainConfig, train_set: Corpus) -> None:
        super().__init__(model, config, train_set)
        model.spread.fill_(1)


class Power(Scalable):
    """The perceptual weight without the factor for the mel scale."""

    def __init__(self, model: Nested, config: TrainConfig, train_set: Corpus) -> None:
        super().__init__(model, config, train_set)
        model.spread.div_(mel_share(model.config.bands, model.sample_rate))


class Late(Scalable):
    """A discriminator joins in the last quarter of the steps, its weight rising over the first fifth of that."""

    def __init__(self, model: Nested, config: TrainConfig, train_set: Corpus) -> None:
        super().__init__(model, config, train_set)
        self.mel: Adversarial = Adversarial(self.mel, self.autocast)

    def loss(self, x: Tensor, step: int) -> Tensor:
        """The loss of a batch."""
        gone = (step / self.config.steps - 0.75) / 0.25
        self.mel.share = min(1.0, max(0.0, 5 * gone))
        return super().loss(x, step)


VARIANTS: dict[str, tuple[str, type[Scalable]]] = {
    "full": ("the full recipe: base and detail", Scalable),
    "no-base": ("detail only", NoBase),
    "base-only": ("base only (dense)", BaseOnly),
    "no-noise": ("no quantisation in training", Exact),
    "flat-worth": ("perceptual weight: plain magnitude", Flat),
    "power-worth": ("perceptual weight: RMS to the power 0.3, no mel factor", Power),
    "no-snr": ("no SNR term in the loss", NoSnr),
    "adversarial": ("adversarial last quarter", Late),
}


def train(name: str, config: TrainConfig, train_set: Shards) -> tuple[Nested, list[float]]:
    """The averaged model and the mean loss of every 50 steps. The loop of ``celesta train``, without its files."""
    torch.manual_seed(config.seed)
    model = Nested(SMALL)
    task = VARIANTS[name][1](model, config, train_set)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, (0.9, config.beta2), weight_decay=config.weight_decay, fused=True
    )
    average = {k: p.detach().clone() for k, p in model.named_parameters()}
    model.train()
    log: list[float] = []
    recent: list[float] = []
    began, began_cpu = time.monotonic(), time.process_time()
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        loss = task.loss(task.batch(train_set, step), step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        for key, weight in model.named_parameters():
            average[key].lerp_(weight.detach(), 1 - min(config.average, step / (step + 10)))
        recent.append(loss.item())
        if (step + 1) % LOG_EVERY == 0 or step + 1 == config.steps:
            log.append(float(np.mean(recent)))
            wall, cpu = (t / (step + 1) for t in (time.monotonic() - began, time.process_time() - began_cpu))
            pace = f"{wall:.3f} s a step ({cpu:.3f} of processor time)"
            print(f"{name}: step {step + 1} of {config.steps}, loss {log[-1]:.3f}, {pace}", flush=True)
            recent = []
    with averaged(model, average):
        kept = {key: value.clone() for key, value in model.state_dict().items()}
    model.load_state_dict(kept)
    model.eval()
    return model, log


@torch.inference_mode()
def analysed(model: Nested, sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Base ``(channels, frames)`` and coefficients ``(bands, frames)`` of a sound ``(n,)``."""
    x = torch.from_numpy(sound)[None]
    c = model.mdct(x)
    return model.base(x[:, None], c)[0].T.numpy(), c[0].T.numpy()


def step_for(c: np.ndarray, spread: np.ndarray, mean: float) -> int:
    """The step at which ``mean`` coefficients a frame are kept."""
    return bits.step_keeping(float(np.quantile(np.abs(c) / spread[:, None], 1 - mean / len(c))))


def fit(model: Nested, windows: np.ndarray, seed: int) -> Tables:
    """Bit tables from windows of training music, from one to four hundred coefficients a frame."""
    spread = model.spread.numpy().astype(np.float32)
    details, bases = DetailCounts(), BaseCounts(model.latent_dim)
    blank = Tables(BitTables(*details.tables(), bases.table(), spread))
    rng = np.random.default_rng([seed, 2])
    for sound in windows:
        base, c = analysed(model, sound)
        step = step_for(c, spread, float(np.exp(rng.uniform(0, np.log(400)))))
        numbers = bits.quantise(base, c, bits.Settings(step), blank)
        details.add(numbers.detail)
        bases.add(numbers.base)
    return Tables(BitTables(*details.tables(), bases.table(), spread))


def points_of(name: str) -> list[tuple[int, int]]:
    """The operating points that a variant has."""
    if name == "no-base":
        return [(0, mean) for _, mean in POINTS if mean]
    if name == "base-only":
        return [(channels, mean) for channels, mean in POINTS if not mean]
    return [*POINTS, BEYOND] if name == "full" else list(POINTS)


@torch.inference_mode()
def score(name: str, model: Nested, windows: np.ndarray, tables: Tables) -> list[dict[str, Any]]:
    """At each point the kbit/s, SI-SDR and mel distance of every window, coded and decoded."""
    made: list[dict[str, Any]] = []
    for channels, mean in points_of(name):
        point: dict[str, Any] = {"channels": channels, "coefficients": mean, "kbps": [], "SI-SDR": [], "mel": []}
        for sound in windows:
            base, c = analysed(model, sound)
            step = step_for(c, tables.spread, mean) if mean else bits.NO_DETAIL
            numbers = bits.quantise(base[:channels], c, bits.Settings(step), tables)
            size = sum(map(len, bits.encode(numbers, tables)))
            z = as_floats([numbers], tables)
            dense, places, values = (torch.from_numpy(a) for a in (z.base, z.places.astype(np.int64), z.values))
            y = model.decode(Parts(dense, places, values), len(sound))[0].numpy()
            point["kbps"].append(size * 8 / (len(sound) / model.sample_rate) / 1000)
            point["SI-SDR"].append(metrics.si_sdr(sound[None], y))
            point["mel"].append(metrics.mel_distance(sound[None], y, model.sample_rate))
        made.append(point)
    return made


def write(path: Path, text: str) -> None:
    """A whole file or none."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def settings_of(args: argparse.Namespace, config: TrainConfig) -> dict[str, Any]:
    """Settings and data of a run, which its results are saved with."""
    index = json.loads((args.shards / "train.json").read_text(encoding="utf-8"))
    hours = index["frames"] / Nested.sample_rate / 3_600
    return {
        key: getattr(config, key) for key in ("steps", "batch", "crop", "seed", "learning_rate", "average", "compile")
    } | {
        "audio_seconds": config.steps * config.batch * config.crop / Nested.sample_rate,
        "parameters": sum(p.numel() for p in Nested(SMALL).parameters()),
        "model": dataclasses.asdict(SMALL),
        "data": f"the free music of scripts/free-music.tsv ({len(index['pieces'])} pieces, {hours:.1f} h)",
        "list_sha256": index["list_sha256"],
        "windows": args.windows,
        "seconds": args.seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, required=True, help="made by scripts/make_shards.py")
    parser.add_argument("--run", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--compile", action="store_true", help="with torch.compile (minutes to compile on one core)")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = TrainConfig(
        "nested", (str(args.shards),), seed=args.seed, steps=args.steps, batch=4, crop=32_768, learning_rate=2e-3,
        average=0.99, clip=1.0, compile=args.compile, threads=args.threads,
    )  # fmt: skip
    settings = settings_of(args, config)
    length = round(args.seconds * Nested.sample_rate)
    train_set, valid_set = Shards(args.shards, "train"), Shards(args.shards, "valid")
    args.run.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        path = args.run / f"{name}.json"
        if path.is_file():
            if json.loads(path.read_text(encoding="utf-8"))["settings"] != settings:
                parser.error(f"{path} was made with other settings; remove it or name another --run")
            print(f"{name}: done before")
            continue
        began = time.process_time()
        model, log = train(name, config, train_set)
        middle = time.process_time()
        tables = fit(model, train_set.windows(FITTED, length), args.seed)
        points = score(name, model, valid_set.windows(args.windows, length), tables)
        ended = time.process_time()
        print(f"{name}: {middle - began:.0f} s of processor time to train, {ended - middle:.0f} s to score", flush=True)
        result = {"variant": name, "text": VARIANTS[name][0], "settings": settings, "loss": log, "points": points}
        spent = {"train_cpu_seconds": middle - began, "score_cpu_seconds": ended - middle}
        write(path, json.dumps(result | spent, indent=1) + "\n")
    results = {}
    for name in VARIANTS:
        path = args.run / f"{name}.json"
        if path.is_file() and (found := json.loads(path.read_text(encoding="utf-8")))["settings"] == settings:
            results[name] = found
    write(args.run / "ablations.json", json.dumps(results, indent=1) + "\n")
    write(args.run / "ablations.md", table(results))
    print(table(results))


if __name__ == "__main__":
    main()
