"""The contract that every model keeps: audio in, latent out, audio back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from celesta.errors import ModelError
from celesta.models.info import Capabilities, ModelConfig, ModelInfo

__all__ = ["NO_ENVELOPE", "Capabilities", "Model", "ModelConfig", "ModelInfo", "Parts", "parameter_count"]

NO_ENVELOPE = torch.zeros(0, 0, 0)


class Parts(NamedTuple):
    """Output of an encoder: a dense base and a sparse detail, frame by frame.

    Attributes:
        base: ``(B, latent_dim, F)`` float; ``latent_dim`` may be 0.
        places: ``(B, k, F)`` int64, the coefficient that each detail value belongs to; k is 0 for dense models.
        values: ``(B, k, F)`` float, the values at those places.
        envelope: ``(B, rows, F / 4)`` dB, for models with a band envelope: the power of each band, then the power of
            what the detail leaves out of it; else empty.
    """

    base: Tensor
    places: Tensor
    values: Tensor
    envelope: Tensor = NO_ENVELOPE

    @classmethod
    def dense(cls, base: Tensor) -> Parts:
        """Return the parts of a model without a detail."""
        empty = base.new_zeros((base.shape[0], 0, base.shape[-1]))
        return cls(base, empty.long(), empty)


class Model(nn.Module, ModelInfo, ABC):
    """Audio to latent to audio, on batches of equal length. Knows neither files nor devices.

    :mod:`celesta.codec` cuts whole songs into a fixed grid of windows and reads the attributes of
    :class:`~celesta.models.info.ModelInfo`.

    Attributes:
        config: the frozen dataclass that the model was built from.
    """

    Config: ClassVar[type]

    config: ModelConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def encode(self, x: Tensor) -> Parts:
        """Encode ``x`` of shape ``(B, channels, T)`` within [-1, 1] to parts of ``F`` frames."""

    @abstractmethod
    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Decode parts to ``(B, channels, length)``.

        ``start`` is the index of the first frame in the song; only decoders that add noise use it.
        """

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode: ``(B, channels, T)`` to the same shape."""
        return self.decode(self.encode(x), x.shape[-1])

    def initialise(self, method: str) -> None:
        """Draw the weights by a named method before training; models without such a method keep PyTorch's.

        Args:
            method: one of :data:`celesta.training.config.INITS`.
        """

    def fit(self, signals: Iterable[Tensor]) -> Tensor:
        """Fit the model to batches ``(B, channels, T)`` in closed form, where capabilities say so.

        Returns:
            Share of the signals' variance that each latent channel carries, ``(latent_dim,)``.

        Raises:
            ModelError: the model is trained by gradient descent or needs no fitting.
        """
        raise ModelError(f"{self.kind}: cannot be fitted in closed form")

    def prepare(self, dtype: torch.dtype = torch.float32) -> None:
        """Make the model fast for inference (fold, re-lay weights). Called once after weights are loaded.

        Args:
            dtype: that a network may compute in; models without one keep float32.
        """
        self.eval()


def parameter_count(model: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(p.numel() for p in model.parameters())
