"""Base of training objectives: batches, a loss, and the validation error that selects the best weights."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from celesta import _device
from celesta.models.base import Model
from celesta.training.config import TrainConfig
from celesta.training.data import Corpus


class Task(ABC):
    """Batches, loss and validation of one run. Batches are a pure function of seed and step.

    Attributes:
        terms: recent means of the loss's terms by name, for the log.
    """

    def __init__(self, model: Model, config: TrainConfig) -> None:
        self.model, self.config = model, config
        self.terms: dict[str, float] = {}
        self.device = next(iter(model.state_dict().values())).device
        self.autocast = _device.autocast(self.device, config.precision)

    def generator(self, step: int) -> np.random.Generator:
        """Return the random numbers of a step."""
        return np.random.default_rng([self.config.seed, step])

    def batch(self, corpus: Corpus, step: int) -> Tensor:
        """Return the crops of one step, ``(batch, 1, crop)``."""
        rng, c = self.generator(step), self.config
        crops = [corpus.crop(rng, self.model.window, c.crop) for _ in range(c.batch)]
        return torch.from_numpy(np.stack(crops))[:, None]

    @abstractmethod
    def loss(self, x: Tensor, step: int) -> Tensor:
        """Compute the loss of a batch."""

    @abstractmethod
    def held_out(self, window: Tensor, number: int) -> float:
        """Compute the error on one held-out window ``(1, 1, T)``, the model in evaluation mode."""

    @torch.no_grad()
    def validate(self, windows: Tensor) -> float:
        """Compute the mean error over whole windows ``(n, 1, T)``."""
        self.model.eval()
        errors = [self.held_out(w[None].to(self.device), i) for i, w in enumerate(windows)]
        self.model.train()
        return float(np.mean(errors))
