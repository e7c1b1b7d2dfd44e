"""The contract that every model keeps: audio in, latent out, audio back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from celesta.errors import ModelError

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


@dataclass(frozen=True)
class ModelConfig:
    """Base of all model configurations: frozen, flat, made of numbers, strings and tuples of them."""


@dataclass(frozen=True)
class Capabilities:
    """What a model can do and what it needs, read by code that treats models differently.

    Attributes:
        has_weights: has trained parameters. Without :attr:`needs_fitting` a model that has none works as it is.
        needs_fitting: is fitted to music in closed form (:meth:`Model.fit`) instead of by gradient descent.
        has_detail: codes sparse coefficients next to, or instead of, a dense latent.
        codes_to_bitrate: can be coded to a bitrate or quality by :mod:`celesta.codec.bitrate`.
        orthonormal: latent rows are coefficients of an orthonormal transform, so that one quantiser step size for
            all rows minimises the squared error. Otherwise step sizes are relative to each row's standard deviation.
        decodes_fewer_channels: a latent with fewer dense channels than ``latent_dim`` decodes to a coarser signal.
    """

    has_weights: bool = False
    needs_fitting: bool = False
    has_detail: bool = False
    codes_to_bitrate: bool = False
    orthonormal: bool = False
    decodes_fewer_channels: bool = False


class Model(nn.Module, ABC):
    """Audio to latent to audio, on batches of equal length. Knows neither files nor devices.

    :mod:`celesta.codec` cuts whole songs into a fixed grid of windows and reads these attributes:

    Attributes:
        kind: name of the family in stored configurations.
        capabilities: see :class:`Capabilities`.
        config: the frozen dataclass that the model was built from.
        sample_rate: Hz of the signal that goes in and comes out.
        channels: audio channels of one item of a batch (1: stereo is coded channel by channel).
        latent_dim: dense channels of a frame.
        detail_size: sparse coefficients of a frame (0: none).
        hop_length: samples per frame; ``frame_rate = sample_rate / hop_length``.
        window: samples that one step of the grid codes.
        context: samples on both sides of a window that the model needs (a multiple of hop_length). The frames of the
            context are computed and discarded, so that window borders leave no trace.
        overlap: samples that neighbouring windows share and are cross-faded over, for models that cannot use a
            context because their lengths do not divide. One of context and overlap is 0.
        normalise: whether each window is scaled to peak 1 before encoding; its gain is stored with the latent.
    """

    kind: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    Config: ClassVar[type[ModelConfig]]

    config: ModelConfig
    sample_rate: int = 22_050
    channels: int = 1
    latent_dim: int
    detail_size: int = 0
    hop_length: int
    window: int
    context: int = 0
    overlap: int = 0
    normalise: bool = False

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def window_frames(self) -> int:
        """Frames of one window of the grid, its context excluded."""
        return self.window // self.hop_length

    @property
    def detail_limit(self) -> int:
        """Largest number of sparse coefficients per frame that :meth:`decode` takes."""
        return self.detail_size

    @property
    def floats_per_second(self) -> float:
        """Numbers per second in the latent of one audio channel (a place counts as a number)."""
        stride = self.window - self.overlap
        return (self.latent_dim + 2 * self.detail_size) * self.window_frames * self.sample_rate / stride

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
