"""The training objective of the codec with a band envelope: any part of a file decodes well, the base predicts tags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import Tensor

from celesta.entropy.window import DEAD_ZONE
from celesta.errors import DataError, UsageError
from celesta.models import envelope as env
from celesta.models.nested import NOISE_FRAMES
from celesta.models.nested2 import Nested2
from celesta.training import losses
from celesta.training.augment import augment, band_limited
from celesta.training.band_weights import band_weights, mel_share
from celesta.training.coefficient_dropout import quantised
from celesta.training.config import TrainConfig
from celesta.training.data import Corpus
from celesta.training.task import Task

SNR_WEIGHT = 0.005
RATE_WEIGHT = 0.01
DISTIL_WEIGHT = 0.3
BASE_STEP = 0.5
FEW = 4
SHIFT = 2_048
LADDER = (0.0, 4.0, 16.0, 64.0)
VALID_POWER = 0.3
SPARSE = 7


@dataclass(frozen=True)
class Chosen:
    """Coefficients that a crop may use, and what the envelope says of them.

    Attributes:
        detail: ``(B, F, bands)`` quantised, zeros elsewhere.
        envelope, rest: ``(B, F / 4, 25)`` envelope indices of all coefficients and of those left out.
    """

    detail: Tensor
    envelope: Tensor
    rest: Tensor


class Places:
    """Places of the training music with the tagger's output there, standardised."""

    def __init__(self, path: Path, corpus: Corpus) -> None:
        arrays = load_file(path)
        self.starts, targets = arrays["start"], arrays["target"].astype(np.float32)
        if len(self.starts) < 2 or self.starts.max() + 3 * 44_100 > len(corpus.samples):
            raise DataError(f"{path}: of other shards; run scripts/distil_targets.py again")
        self.targets = (targets - targets.mean(0)) / (targets.std(0) + 1e-6)
        self.samples = corpus.samples

    def draw(self, rng: np.random.Generator, length: int, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
        """A crop ``(length,)``, level, channel and bandwidth varied, and its target ``(200,)``."""
        at = int(rng.integers(len(self.starts)))
        start = int(self.starts[at])
        stereo = self.samples[start : start + length].astype(np.float32) / 32_768
        kind = int(rng.integers(4))
        x = stereo[:, kind] if kind < 2 else stereo.mean(1)
        if rng.random() < 0.3:
            x = band_limited(x, sample_rate, float(rng.choice([9_500.0, 11_025.0, rng.uniform(5_000, 16_000)])))
        gain = 10 ** (rng.uniform(-18, 3) / 20)
        x = x * min(gain, 1 / max(1e-6, float(np.abs(x).max())))
        out = np.zeros(length, np.float32)
        out[: len(x)] = x
        return out, self.targets[at]


class Enveloped(Task):
    """The task of :class:`celesta.models.nested2.Nested2`."""

    def __init__(self, model: Nested2, config: TrainConfig, train_set: Corpus) -> None:
        super().__init__(model, config)
        if config.crop % (env.FRAMES * model.hop_length) or config.crop <= SHIFT:
            raise UsageError(f"training: crop must be a multiple of 4096 samples for this model, got {config.crop}")
        self.nested = model
        self.mel = losses.MelDistance().to(self.device)
        model.spread.copy_(band_weights(model, train_set, config.seed))
        self.share = mel_share(model.config.bands, model.sample_rate).to(self.device)
        path = Path(config.data[0]) / "distil.safetensors"
        self.places = Places(path, train_set) if path.is_file() else None
        self.targets = torch.zeros(0, 200)

    def batch(self, corpus: Corpus, step: int) -> Tensor:
        """The crops of one step ``(batch, 1, crop)``: half of them from places with a tagger's output."""
        rng, c, rate = self.generator(step), self.config, self.model.sample_rate
        known = [self.places.draw(rng, c.crop, rate) for _ in range(c.batch // 2)] if self.places else []
        self.targets = torch.zeros(0, 200)
        if known:
            self.targets = torch.from_numpy(np.stack([target for _, target in known])).to(self.device)
        others = np.stack([corpus.crop(rng, self.model.window, c.crop) for _ in range(c.batch - len(known))])
        others = augment(others, rate, np.random.default_rng([c.seed, step, 1]))
        return torch.from_numpy(np.stack([*(x for x, _ in known), *others]))[:, None]

    def loss(self, x: Tensor, step: int) -> Tensor:
        """The loss of a batch."""
        rng, m = self.generator(step), self.nested
        with torch.no_grad():
            c = m.mdct(x[:, 0])
            chosen = self.choose(c, rng)
        some = (chosen.detail != 0).any(-1).float().mean(-1)
        with self.autocast:
            base = m.base(x, c)
        kept = _channels(rng, (some > 0).cpu().numpy(), m.config.base).to(self.device)
        used = (base + self.roughness(base, rng)) * kept
        share = kept.mean(-1, keepdim=True).expand(-1, c.shape[1], 1)
        with self.autocast:
            c_hat = m.fill(used, share, chosen.envelope, chosen.rest, chosen.detail, int(rng.integers(NOISE_FRAMES)))
        x_hat = m.mdct.inverse(c_hat, x.shape[-1])
        error = (c_hat - c).square().sum((1, 2)) / (c.square().sum((1, 2)) + 1e-3)
        snr = (10 * torch.log10(error + 1e-4) * some).mean()
        rate = torch.log2(1 + (base[:, 1:] - base[:, :-1]).abs() * kept / BASE_STEP).mean()
        mel = self.distance(x[:, 0], x_hat, rng)
        known = self.distilled(base)
        self.log(mel=mel, snr=snr, rate=rate, distil=known)
        loss: Tensor = mel + SNR_WEIGHT * snr + RATE_WEIGHT * rate + DISTIL_WEIGHT * known
        return loss

    def log(self, **terms: Tensor) -> None:
        """Update the moving means of the terms."""
        for name, value in terms.items():
            now = value.item()
            self.terms[name] = 0.98 * self.terms.get(name, now) + 0.02 * now

    def distance(self, x: Tensor, x_hat: Tensor, rng: np.random.Generator) -> Tensor:
        """Mel distance, each scale on half of the crops; the windows lie elsewhere in every step."""
        shift = int(rng.integers(SHIFT))
        stop = x.shape[-1] - SHIFT + shift
        x, x_hat = x[:, shift:stop], x_hat[:, shift:stop]
        total = x.new_zeros(())
        for window in losses.MEL_WINDOWS:
            some = torch.from_numpy(rng.permutation(len(x))[: max(1, len(x) // 2)]).to(self.device)
            total = total + self.mel.at(x[some], x_hat[some], window)
        return total

    def distilled(self, base: Tensor) -> Tensor:
        """Squared error of the tagger's output predicted from the base's mean, maximum and standard deviation."""
        if not len(self.targets):
            return base.new_zeros(())
        own = base[: len(self.targets)]
        pooled = torch.cat([own.mean(1), own.amax(1), own.std(1)], dim=-1)
        with self.autocast:
            answer: Tensor = self.nested.teacher(pooled)
        return (answer.float() - self.targets).square().mean()

    def choose(self, c: Tensor, rng: np.random.Generator, mean: float | None = None) -> Chosen:
        """Coefficients kept and quantised as in files, a sixth of the crops without any, and their envelopes."""
        m = self.nested
        envelope = m.cells.envelope(c)
        level = m.cells.spread(envelope * env.STEP_DB + env.FLOOR_DB) * (2.302585093 / 20)
        detail = torch.zeros_like(c)
        for i, crop in enumerate(c):
            draw = rng.random(4)
            power = 0.0 if draw[0] < 0.2 else 0.8 * draw[1]
            tilt = draw[2] - 0.5 if rng.random() < 1 / 3 else 0.0
            count = float(np.exp(rng.uniform(np.log(0.5), np.log(300))))
            if mean is not None:
                power, tilt, count = VALID_POWER, 0.0, mean
            elif draw[3] < 0.17:
                continue
            if not count:
                continue
            weight = m.spread * self.share**tilt * torch.exp(power * level[i])
            weighted = (crop.abs() / weight).flatten()[::SPARSE]
            at = min(len(weighted) - 1, max(1, round(len(weighted) * count / crop.shape[-1])))
            step = weighted.topk(at + 1).values[-1].clamp(min=1e-6) / DEAD_ZONE
            detail[i] = quantised(crop, weight, step)
        return Chosen(detail, envelope, m.cells.rest(c, detail != 0))

    def roughness(self, base: Tensor, rng: np.random.Generator) -> Tensor:
        """Noise as quantising the base leaves it, each crop's step drawn up to ``BASE_STEP``."""
        noise = torch.from_numpy(rng.uniform(-0.5, 0.5, tuple(base.shape)).astype(np.float32))
        step = torch.from_numpy(rng.uniform(0, BASE_STEP, (len(base), 1, 1)).astype(np.float32))
        return (noise * step).to(base.device)

    def held_out(self, window: Tensor, number: int) -> float:
        """Mel distance with four base channels (all without a detail) and a number of coefficients up a ladder."""
        m, count = self.nested, LADDER[number % len(LADDER)]
        with self.autocast:
            c = m.mdct(window[:, 0])
            channels = m.config.base if count == 0 else FEW
            base = torch.round(m.base(window, c) / 0.4) * 0.4
            base[..., channels:] = 0
            chosen = self.choose(c, np.random.default_rng(0), mean=count)
            share = torch.full_like(base[..., :1], channels / m.config.base)
            c_hat = m.fill(base, share, chosen.envelope, chosen.rest, chosen.detail)
        return float(self.mel(window[:, 0], m.mdct.inverse(c_hat, window.shape[-1])))


def _channels(rng: np.random.Generator, detailed: np.ndarray, dim: int) -> Tensor:
    """Ones for the base channels that a crop may use, ``(crops, 1, dim)``.

    Next to a detail mostly the first four or none; without one mostly all.
    """
    kind, some = rng.random(len(detailed)), np.round(dim ** rng.random(len(detailed)))
    few = np.where(kind < 0.5, FEW, np.where(kind < 0.75, 0, np.where(kind < 0.9, some, dim)))
    many = np.where(kind < 0.55, dim, np.where(kind < 0.9, some, 0))
    counts = np.where(detailed, few, many)
    return torch.from_numpy((np.arange(dim) < counts[:, None, None]).astype(np.float32))
