"""Configurations, sizes and capabilities of the baselines, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from celesta.errors import ModelError
from celesta.models.info import Capabilities, ModelConfig, ModelInfo

BANDS = 512
PCA_FRAMES = 4


@dataclass(frozen=True)
class BaselineConfig(ModelConfig):
    """Size of a baseline.

    Attributes:
        size: numbers in the latent per MDCT frame (K).
    """

    size: int

    largest: ClassVar[int] = BANDS
    step: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.largest or self.size % self.step:
            even = "an even number " if self.step == 2 else ""
            raise ModelError(f"size K must be {even}within {self.step}..{self.largest}, got {self.size}")


@dataclass(frozen=True)
class LinearConfig(BaselineConfig):
    """``linear-K``: K within 1..512."""


@dataclass(frozen=True)
class SparseConfig(BaselineConfig):
    """``sparse-K``: K even, within 2..1024, because a value and its place count as two numbers."""

    largest: ClassVar[int] = 2 * BANDS
    step: ClassVar[int] = 2


@dataclass(frozen=True)
class PcaConfig(BaselineConfig):
    """``pca-K``: K within 1..512."""


class BaselineInfo(ModelInfo):
    """A grid of about 5 s with one frame of context."""

    Config: ClassVar[type[BaselineConfig]]
    config: BaselineConfig
    hop_length = BANDS
    window = 215 * BANDS
    context = BANDS

    def __init__(self, config: BaselineConfig) -> None:
        self.config = config

    @property
    def latent_dim(self) -> int:  # type: ignore[override]
        """Dense channels of a frame."""
        return self.config.size


class LinearInfo(BaselineInfo):
    """Of ``linear-K``."""

    kind = "linear"
    capabilities = Capabilities(orthonormal=True, decodes_fewer_channels=True)
    Config = LinearConfig


class SparseInfo(BaselineInfo):
    """Of ``sparse-K``."""

    kind = "sparse"
    capabilities = Capabilities(has_detail=True, orthonormal=True)
    Config = SparseConfig

    @property
    def latent_dim(self) -> int:  # type: ignore[override]
        """There is no dense latent."""
        return 0

    @property
    def detail_size(self) -> int:  # type: ignore[override]
        """Coefficients of a frame."""
        return self.config.size // 2


class PcaInfo(BaselineInfo):
    """Of ``pca-K``."""

    kind = "pca"
    capabilities = Capabilities(needs_fitting=True, orthonormal=True, decodes_fewer_channels=True)
    Config = PcaConfig
    hop_length = PCA_FRAMES * BANDS
    window = 53 * PCA_FRAMES * BANDS
    context = PCA_FRAMES * BANDS

    @property
    def latent_dim(self) -> int:  # type: ignore[override]
        """Dense channels of a frame of four MDCT frames."""
        return PCA_FRAMES * self.config.size
