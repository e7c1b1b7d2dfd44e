"""What code for whole songs reads of a model: its sizes and capabilities, without its network and without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from celesta.errors import ModelError


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
        has_envelope: latents have a band envelope, and the decoder takes the index of the audio channel as ``channel``,
            so that what it adds to one channel does not follow another one.
    """

    has_weights: bool = False
    needs_fitting: bool = False
    has_detail: bool = False
    codes_to_bitrate: bool = False
    orthonormal: bool = False
    decodes_fewer_channels: bool = False
    has_envelope: bool = False


class ModelInfo:
    """Sizes and capabilities of a model.

    Attributes:
        kind: name of the family in stored configurations.
        capabilities: see :class:`Capabilities`.
        config: the frozen dataclass that the model was built from; in a stored description its dictionary.
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

    config: Any
    sample_rate: int = 22_050
    channels: int = 1
    latent_dim: int
    detail_size: int = 0
    hop_length: int
    window: int
    context: int = 0
    overlap: int = 0
    normalise: bool = False

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
        """Largest number of sparse coefficients per frame that the decoder takes."""
        return self.detail_size

    @property
    def floats_per_second(self) -> float:
        """Numbers per second in the latent of one audio channel (a place counts as a number)."""
        stride = self.window - self.overlap
        return (self.latent_dim + 2 * self.detail_size) * self.window_frames * self.sample_rate / stride


_SIZES = (
    "sample_rate", "channels", "latent_dim", "detail_size", "detail_limit", "hop_length", "window", "context",
    "overlap", "normalise",
)  # fmt: skip


class StoredInfo(ModelInfo):
    """Sizes and capabilities of a model as a file says them, for running it without torch.

    Args:
        data: what :meth:`to_dict` returned.

    Attributes:
        config: the configuration with its ``kind``, see :func:`celesta.models.registry.config_to_dict`.
        parameters: number of trainable parameters.
        stored_numbers: numbers in the weights' file.

    Raises:
        ModelError: a key is missing or unknown, or a value has the wrong type.
    """

    kind: str  # type: ignore[misc]
    capabilities: Capabilities  # type: ignore[misc]

    def __init__(self, data: Mapping[str, Any]) -> None:
        wanted = {"kind", "capabilities", "config", "parameters", "stored_numbers", *_SIZES}
        if not isinstance(data, Mapping) or set(data) != wanted:
            raise ModelError(f"description of a model: its keys must be {', '.join(sorted(wanted))}")
        for name in (*_SIZES, "parameters", "stored_numbers"):
            kind = bool if name == "normalise" else int
            if type(data[name]) is not kind or data[name] < 0:
                raise ModelError(f"description of a model: {name} must be {kind.__name__}, got {data[name]!r}")
        if not data["hop_length"] or not data["window"] > data["overlap"] or not data["sample_rate"]:
            raise ModelError("description of a model: hop_length, window and sample_rate must be positive")
        try:
            self.capabilities = Capabilities(**data["capabilities"])
        except TypeError as error:
            raise ModelError(f"description of a model: {error}") from None
        self.kind, self.config = str(data["kind"]), dict(data["config"])
        self.parameters: int = data["parameters"]
        self.stored_numbers: int = data["stored_numbers"]
        self._detail_limit: int = data["detail_limit"]
        for name in _SIZES:
            if name != "detail_limit":
                setattr(self, name, data[name])

    @classmethod
    def of(cls, model: ModelInfo, config: Mapping[str, Any], **counts: int) -> StoredInfo:
        """Describe a model; the counts are ``parameters`` and ``stored_numbers``."""
        sizes = {name: getattr(model, name) for name in _SIZES}
        able = dataclasses.asdict(model.capabilities)
        return cls({"kind": model.kind, "capabilities": able, "config": config, **counts, **sizes})

    @property
    def detail_limit(self) -> int:
        """Largest number of sparse coefficients per frame that the decoder takes."""
        return self._detail_limit

    def to_dict(self) -> dict[str, Any]:
        """Return numbers, strings, lists and dictionaries for JSON."""
        sizes = {name: getattr(self, name) for name in _SIZES}
        able = dataclasses.asdict(self.capabilities)
        counts = {"parameters": self.parameters, "stored_numbers": self.stored_numbers}
        return {"kind": self.kind, "capabilities": able, "config": self.config, **counts, **sizes}
