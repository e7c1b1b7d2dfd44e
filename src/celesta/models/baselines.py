"""Signal-processing baselines under the models' contract: low-pass, sparse and PCA codes of MDCT frames.

None of them learns more than a rotation, so a model that does no better at the same number of floats has learnt
little. All code 512 MDCT bands a frame at 22 050 Hz, 43 frames a second; a baseline of size K holds K numbers a frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta.errors import DataError, LatentError, ModelError
from celesta.models.base import Model, ModelConfig, Parts
from celesta.models.mdct import Mdct

BANDS = 512
PCA_FRAMES = 4
_SILENT_POWER = 1e-12


@dataclass(frozen=True)
class BaselineConfig(ModelConfig):
    """Size of a baseline.

    Attributes:
        size: numbers that the latent holds for each MDCT frame (K).
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
    """``sparse-K``: K even, within 2..1024, since a value and its place count as two numbers."""

    largest: ClassVar[int] = 2 * BANDS
    step: ClassVar[int] = 2


@dataclass(frozen=True)
class PcaConfig(BaselineConfig):
    """``pca-K``: K within 1..512."""


class _Baseline(Model):
    """What the three share: the transform and a grid of about 5 s with one frame of context.

    Both ends of what :meth:`encode` gets are ends of the sound. With true neighbours for context the frames of a
    window are those of the endless transform; at the ends of a song no context must be made up.
    """

    hop_length = BANDS
    window = 215 * BANDS
    context = BANDS

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(config)
        self.mdct = Mdct(BANDS)

    def coefficients(self, x: Tensor) -> Tensor:
        """MDCT ``(B, F, 512)`` of sounds ``(B, 1, T)``, ``T`` filled up with silence to whole latent frames."""
        x = x[:, 0]
        short = -x.shape[-1] % self.hop_length
        c: Tensor = self.mdct(F.pad(x, (0, short)))
        return c

    def sound(self, c: Tensor, length: int) -> Tensor:
        """Sounds ``(B, 1, length)`` of MDCT coefficients ``(B, F, 512)``."""
        return self.mdct.inverse(c, length).unsqueeze(1)


class LinearBaseline(_Baseline):
    """``linear-K``: the K lowest MDCT coefficients of each frame, which is a low-pass at K / 512 of the band.

    Latents of fewer than K channels decode as those of a smaller K; K = 512 is perfect reconstruction.
    """

    Config: ClassVar[type[ModelConfig]] = LinearConfig

    def __init__(self, config: LinearConfig) -> None:
        super().__init__(config)
        self.latent_dim = config.size

    def encode(self, x: Tensor) -> Parts:
        """Parts ``(B, K, F)`` of sounds ``(B, 1, T)``, ``F = ceil(T / 512)``."""
        return Parts.dense(self.coefficients(x)[..., : self.latent_dim].transpose(1, 2).contiguous())

    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Sounds ``(B, 1, length)``. Raises LatentError where the parts have more than K channels."""
        base = _at_most(parts.base, self.latent_dim)
        return self.sound(F.pad(base.transpose(1, 2), (0, BANDS - base.shape[1])), length)


class SparseBaseline(_Baseline):
    """``sparse-K``: the K / 2 largest MDCT coefficients of each frame with their places, largest first.

    Latents of fewer rows keep the largest coefficients; K = 1024 is perfect reconstruction.
    """

    Config: ClassVar[type[ModelConfig]] = SparseConfig
    latent_dim = 0

    def __init__(self, config: SparseConfig) -> None:
        super().__init__(config)
        self.detail_size = config.size // 2

    def encode(self, x: Tensor) -> Parts:
        """Places and values ``(B, K / 2, F)`` of sounds ``(B, 1, T)``, ``F = ceil(T / 512)``."""
        c = self.coefficients(x)
        places = c.detach().abs().topk(self.detail_size, dim=-1).indices
        values = c.gather(-1, places)
        base = c.new_zeros((c.shape[0], 0, c.shape[1]))
        return Parts(base, places.transpose(1, 2).contiguous(), values.transpose(1, 2).contiguous())

    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Sounds ``(B, 1, length)``. Raises LatentError where rows are too many or places are no bands."""
        values = _at_most(parts.values, self.detail_size).transpose(1, 2)
        places = parts.places.transpose(1, 2)
        if places.numel() and not 0 <= int(places.min()) <= int(places.max()) < BANDS:
            raise LatentError(f"a place of the detail lies outside 0..{BANDS - 1}; the latent is not one of sparse-K")
        c = values.new_zeros((*values.shape[:2], BANDS))
        return self.sound(c.scatter_add(-1, places, values), length)


class PcaBaseline(_Baseline):
    """``pca-K``: the 4 K strongest principal components of four MDCT frames taken together, so K numbers a frame.

    The components are orthonormal rows ordered by the power they carry, and no mean is taken off (the mean of an MDCT
    is zero, and silence stays silence). Fewer channels decode as a smaller K. Until fitted, the rows pick
    the lowest bands, so an unfitted ``pca-K`` is ``linear-K``.

    Attributes:
        components: ``(4 K, 2048)``, a row reading the four frames one after the other. Weights of a larger K load
            into a smaller one, which keeps the first rows.
    """

    Config: ClassVar[type[ModelConfig]] = PcaConfig
    hop_length = PCA_FRAMES * BANDS
    window = 53 * PCA_FRAMES * BANDS
    context = PCA_FRAMES * BANDS

    components: Tensor

    def __init__(self, config: PcaConfig) -> None:
        super().__init__(config)
        self.latent_dim = PCA_FRAMES * config.size
        row = torch.arange(self.latent_dim)
        lowest = torch.zeros(self.latent_dim, PCA_FRAMES * BANDS)
        lowest[row, row % PCA_FRAMES * BANDS + row // PCA_FRAMES] = 1.0
        self.register_buffer("components", lowest)
        self.register_load_state_dict_pre_hook(_keep_first_rows)  # type: ignore[no-untyped-call]

    def encode(self, x: Tensor) -> Parts:
        """Parts ``(B, 4 K, F)`` of sounds ``(B, 1, T)``, ``F = ceil(T / 2048)``."""
        return Parts.dense((self.groups(x) @ self.components.T).transpose(1, 2).contiguous())

    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Sounds ``(B, 1, length)``. Raises LatentError where the parts have more than 4 K channels."""
        base = _at_most(parts.base, self.latent_dim).to(self.components.dtype)
        groups = base.transpose(1, 2) @ self.components[: base.shape[1]]
        return self.sound(groups.reshape(groups.shape[0], -1, BANDS), length)

    def groups(self, x: Tensor) -> Tensor:
        """Vectors ``(B, F, 2048)`` of four MDCT frames each, of sounds ``(B, 1, T)``."""
        c = self.coefficients(x)
        return c.reshape(c.shape[0], -1, PCA_FRAMES * BANDS)


def fit_pca(model: PcaBaseline, sounds: Iterable[Tensor]) -> Tensor:
    """Fit the components to sounds by the eigenvectors of the vectors' second moments, strongest first.

    Memory does not grow with the number of sounds. The same sounds in the same order give the same components.

    Args:
        model: its components are replaced.
        sounds: batches ``(B, 1, T)`` within [-1, 1], of any lengths. Each sound is brought to one power first, so that
            the loud ones do not decide alone.

    Returns:
        Share of the (levelled) sounds' power that each of the model's components carries, ``(4 K,)``, falling.

    Raises:
        DataError: the sounds are none, silent or not finite.
    """
    size = PCA_FRAMES * BANDS
    moments = torch.zeros(size, size, dtype=torch.float64)
    with torch.no_grad():
        for x in sounds:
            groups = model.groups(x)
            power = groups.square().mean(dim=(1, 2), keepdim=True)
            groups = torch.where(power > _SILENT_POWER, groups / power.clamp(min=_SILENT_POWER).sqrt(), 0.0)
            groups = groups.reshape(-1, size)
            moments += (groups.T @ groups).cpu().double()
        total = float(moments.trace())
        if not 0 < total < float("inf"):
            raise DataError("PCA needs sound that is neither silent nor infinite; check the training files")
        variances, vectors = torch.linalg.eigh(moments)
        rows = vectors.flip(-1).T[: model.latent_dim]
        # An eigenvector's sign is free: make its largest entry positive, so that refitting gives the same rows.
        largest = rows.gather(1, rows.abs().argmax(dim=1, keepdim=True))
        model.components.copy_(rows * largest.sign())
    shares: Tensor = variances.flip(0)[: model.latent_dim].clamp(min=0) / total
    return shares.float()


def pca_weights(model: PcaBaseline) -> dict[str, Tensor]:
    """The components in half precision, to be saved as safetensors: 1 MiB for ``pca-64``.

    ``model.load_state_dict`` takes them back, also into a smaller K.
    """
    return {"components": model.components.to(torch.float16).cpu().contiguous()}


def _keep_first_rows(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Before loading: take as many components as the model has, refuse fewer."""
    assert isinstance(module, PcaBaseline)
    key = f"{prefix}components"
    if key not in state:
        return
    rows, wanted = state[key], module.components
    if rows.dim() != 2 or rows.shape[0] < wanted.shape[0] or rows.shape[1] != wanted.shape[1]:
        raise ModelError(
            f"PCA weights of shape {tuple(rows.shape)} do not fit pca-{module.config.size}, "
            f"which needs {tuple(wanted.shape)}; fit it with celesta train"
        )
    state[key] = rows[: wanted.shape[0]]


def _at_most(rows: Tensor, count: int) -> Tensor:
    """Check that a latent of shape ``(B, rows, F)`` has no more rows than the model."""
    if rows.shape[1] > count:
        raise LatentError(f"the latent has {rows.shape[1]} rows, the model only {count}; use the model it came from")
    return rows
