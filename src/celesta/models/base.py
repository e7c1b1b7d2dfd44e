"""The contract that every model of Celesta keeps: sound in, latent parts out, sound back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn


class Parts(NamedTuple):
    """What an encoder gives: a dense base and a sparse detail, frame by frame.

    Attributes:
        base: ``(B, latent_dim, F)`` float; ``latent_dim`` may be 0.
        places: ``(B, k, F)`` int64, the coefficient that each detail value belongs to; k is 0 for dense models.
        values: ``(B, k, F)`` float, the values at those places.
    """

    base: Tensor
    places: Tensor
    values: Tensor

    @classmethod
    def dense(cls, base: Tensor) -> Parts:
        """Parts of a model that has no detail."""
        empty = base.new_zeros((base.shape[0], 0, base.shape[-1]))
        return cls(base, empty.long(), empty)


@dataclass(frozen=True)
class ModelConfig:
    """Base of all model configurations: frozen, flat, made of numbers, strings and tuples of them."""


class Model(nn.Module, ABC):
    """Sound -> parts -> sound, on batches of equal length. Knows neither files nor devices.

    Whole songs are cut into a fixed grid by :mod:`celesta.codec`, which reads these attributes:

    Attributes:
        config: the frozen dataclass the model was built from.
        sample_rate: Hz of the sound that goes in and comes out.
        channels: sound channels of one item of a batch (1: stereo is coded channel by channel).
        latent_dim: dense channels of a frame.
        detail_size: sparse coefficients of a frame (0: none).
        hop_length: samples a frame, so that ``frame_rate = sample_rate / hop_length`` (rounded down lengths apart).
        window: samples that one step of the grid codes.
        context: samples that the model wants to see on both sides of a window (a multiple of hop_length);
            its frames are computed and thrown away, so that borders leave no trace.
        overlap: samples that neighbouring windows share and are cross-faded over, for models that cannot use
            context because their lengths do not divide. One of context and overlap is 0.
        normalise: whether each window is scaled to peak 1 first, its gain kept beside the latent.
    """

    sample_rate: int = 22_050
    channels: int = 1
    latent_dim: int
    detail_size: int = 0
    hop_length: int
    window: int
    context: int = 0
    overlap: int = 0
    normalise: bool = False

    Config: ClassVar[type[ModelConfig]]

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config: Any = config

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop_length

    @property
    def window_frames(self) -> int:
        """Frames that one window of the grid keeps."""
        return self.window // self.hop_length

    @property
    def detail_limit(self) -> int:
        """The most sparse coefficients a frame that :meth:`decode` takes."""
        return self.detail_size

    @property
    def floats_per_second(self) -> float:
        """Numbers a second that the latent holds for one sound channel (a place counts as a number)."""
        stride = self.window - self.overlap
        return (self.latent_dim + 2 * self.detail_size) * self.window_frames * self.sample_rate / stride

    @abstractmethod
    def encode(self, x: Tensor) -> Parts:
        """Encode ``x`` of shape ``(B, channels, T)`` within [-1, 1] to parts of ``F`` frames."""

    @abstractmethod
    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Decode parts to ``(B, channels, length)``.

        ``start`` is the number of the first frame in the song; only decoders that add noise care.
        """

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode: ``(B, channels, T)`` to the same shape."""
        return self.decode(self.encode(x), x.shape[-1])

    def prepare(self, dtype: torch.dtype = torch.float32) -> None:
        """Make the model fast for inference (fold, re-lay weights). Called once after weights are loaded.

        ``dtype`` is what a network may compute in; models without one keep float32.
        """
        self.eval()


def parameter_count(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in model.parameters())
