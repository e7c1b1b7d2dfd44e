"""Training objectives by name: batches, losses, and the validation error that selects the best weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from celesta.models import registry
from celesta.models.base import Model
from celesta.models.nested import NOISE_FRAMES, Nested
from celesta.training import losses
from celesta.training.augment import augment
from celesta.training.band_weights import band_weights
from celesta.training.coefficient_dropout import choose
from celesta.training.config import TrainConfig
from celesta.training.data import Corpus
from celesta.training.envelope_objective import Enveloped
from celesta.training.task import Task


class Autoencode(Task):
    """Reconstruct the crop, by the loss named in the settings; validated by mean squared error."""

    def __init__(self, model: Model, config: TrainConfig, train_set: Corpus) -> None:
        super().__init__(model, config)
        model.initialise(config.init)
        self.forward: Callable[[Tensor], Tensor] = torch.compile(model) if config.compile else model
        self.loss_of = losses.get(config.loss)

    def loss(self, x: Tensor, step: int) -> Tensor:
        """Compute the loss of a batch."""
        with self.autocast:
            x_hat = self.forward(x)
        return self.loss_of(x, x_hat)

    def held_out(self, window: Tensor, number: int) -> float:
        """Compute the mean squared error with running statistics, as in use."""
        with self.autocast:
            return torch.mean((self.model(window).float() - window) ** 2).item()


SNR_WEIGHT = 0.005  # mel distance per dB
RATE_WEIGHT = 0.01  # mel distance per bit of a change of the base
BASE_STEP = 0.5  # largest quantiser step size of the base in training; files have 0.4, see celesta.entropy.window
VALID_STEP = 0.25  # of the base in validation; kept, so that errors of runs can be compared
FEW = 4  # base channels of files with a detail
SHIFT = 2_048  # samples by which the loss's windows are shifted at random: half of the longest
LADDER = (0.0, 4.0, 16.0, 64.0)  # coefficients per frame in validation


class Scalable(Task):
    """Train the codec so that any part of a file decodes as well as it can.

    Every crop draws how many base channels and which coefficients the decoder gets, quantised as in files. Loss:
    multi-scale mel distance, the error in dB with a small weight, and the bits that changes of the base cost.

    Attributes:
        snr_weight: weight of the error in dB in the loss.
    """

    snr_weight = SNR_WEIGHT

    def __init__(self, model: Nested, config: TrainConfig, train_set: Corpus) -> None:
        super().__init__(model, config)
        self.nested = model
        self.mel = losses.MelDistance().to(self.device)
        model.spread.copy_(band_weights(model, train_set, config.seed))
        if config.compile:
            model.encoder.compile()
            model.decoder.compile()
            self.mel.compile()

    def batch(self, corpus: Corpus, step: int) -> Tensor:
        """Return the crops of one step, some mixed, low-pass filtered or attenuated: ``(batch, 1, crop)``."""
        crops = super().batch(corpus, step).numpy()[:, 0]
        rng = np.random.default_rng([self.config.seed, step, 1])
        return torch.from_numpy(augment(crops, self.model.sample_rate, rng))[:, None]

    def loss(self, x: Tensor, step: int) -> Tensor:
        """Compute the loss of a batch."""
        rng, m = self.generator(step), self.nested
        with torch.no_grad():
            c = m.mdct(x[:, 0])
            detail = self.detail(c, rng)
        with self.autocast:
            base = m.base(x, c)
        noise = self.roughness(base.shape, rng).to(self.device)
        kept = self.channels(len(x), rng).to(self.device)
        used = (base + noise) * kept
        with self.autocast:
            c_hat = m.fill(
                used, kept.mean(-1, keepdim=True).expand(-1, c.shape[1], 1), detail, int(rng.integers(NOISE_FRAMES))
            )
        x_hat = m.mdct.inverse(c_hat, x.shape[-1])
        error = (c_hat - c).square().sum((1, 2)) / (c.square().sum((1, 2)) + 1e-3)
        # Without a detail the waveform cannot be matched, and this term would only reduce the high bands.
        some = (detail != 0).any(-1).float().mean(-1)
        snr = (10 * torch.log10(error + 1e-4) * some).mean()
        change = (base[:, 1:] - base[:, :-1]).abs() * kept
        rate = torch.log2(1 + change / BASE_STEP).mean()
        # The loss's windows are at other places in every step.
        shift = int(rng.integers(min(SHIFT, x.shape[-1] // 2)))
        stop = x.shape[-1] - min(SHIFT, x.shape[-1] // 2) + shift
        loss: Tensor = self.mel(x[:, 0, shift:stop], x_hat[:, shift:stop]) + self.snr_weight * snr + RATE_WEIGHT * rate
        return loss

    def detail(self, c: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the coefficients that the decoder gets, zeros elsewhere: ``(B, F, bands)`` to the same shape."""
        return choose(c, self.nested.spread, rng)

    def roughness(self, shape: Sequence[int], rng: np.random.Generator) -> Tensor:
        """Return noise ``(B, F, base)`` like the base's quantisation error, each crop's step at most ``BASE_STEP``."""
        noise = torch.from_numpy(rng.uniform(-0.5, 0.5, tuple(shape)).astype(np.float32))
        return noise * torch.from_numpy(rng.uniform(0, BASE_STEP, (shape[0], 1, 1)).astype(np.float32))

    def channels(self, crops: int, rng: np.random.Generator) -> Tensor:
        """Return ones for the base channels that the decoder gets, ``(crops, 1, base)``."""
        return _channels(rng, crops, self.nested.config.base)

    def held_out(self, window: Tensor, number: int) -> float:
        """Compute the mel distance with the whole base and a number of coefficients that depends on ``number``."""
        m = self.nested
        with self.autocast:
            c = m.mdct(window[:, 0])
            base = torch.round(m.base(window, c) / VALID_STEP) * VALID_STEP
            detail = choose(c, m.spread, np.random.default_rng(0), mean=LADDER[number % len(LADDER)])
            c_hat = m.fill(base, torch.ones_like(base[..., :1]), detail)
        return float(self.mel(window[:, 0], m.mdct.inverse(c_hat, window.shape[-1])))


OBJECTIVES: dict[str, Callable[[Any, TrainConfig, Corpus], Task]] = {
    "reconstruction": Autoencode,
    "scalable": Scalable,
    "enveloped": Enveloped,
}
"""Objectives by the names that the table of models uses."""


def create(model: Model, config: TrainConfig, train_set: Corpus) -> Task:
    """Create the objective that the table of models names for ``config.model``."""
    return OBJECTIVES[registry.entry(config.model).objective](model, config, train_set)


def _channels(rng: np.random.Generator, crops: int, dim: int) -> Tensor:
    """Return ones for the channels of a crop, ``(crops, 1, dim)``: the first 4 in three fifths, all in a fifth."""
    kind = rng.random(crops)
    counts = np.where(kind < 0.2, dim, np.round(2 ** rng.uniform(1, np.log2(dim), crops)))
    counts = np.where(kind > 0.4, min(FEW, dim), counts)
    return torch.from_numpy((np.arange(dim) < counts[:, None, None]).astype(np.float32))
