"""Signal-processing baselines under the models' contract: low-pass, sparse and PCA codes of MDCT frames.

They learn a rotation at most, so a trained model is useful where it beats them at the same number of floats. All code
512 MDCT bands per frame at 22 050 Hz, 43 frames per second; a baseline of size K holds K numbers per frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta.errors import DataError, LatentError, ModelError
from celesta.models.base import Model, Parts
from celesta.models.baseline_info import (
    BANDS,
    PCA_FRAMES,
    BaselineConfig,
    LinearConfig,
    LinearInfo,
    PcaConfig,
    PcaInfo,
    SparseConfig,
    SparseInfo,
)
from celesta.models.mdct import Mdct

__all__ = [
    "BANDS",
    "PCA_FRAMES",
    "BaselineConfig",
    "LinearBaseline",
    "LinearConfig",
    "PcaBaseline",
    "PcaConfig",
    "SparseBaseline",
    "SparseConfig",
]
_SILENT_POWER = 1e-12


class _Baseline(Model):
    """The transform, with one frame of context.

    The transform treats both ends of its input as ends of the signal. With true neighbours as context the frames of a
    window are those of the transform of the whole signal; at the ends of a song no context is needed.
    """

    config: BaselineConfig

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(config)
        self.mdct = Mdct(BANDS)

    def coefficients(self, x: Tensor) -> Tensor:
        """Compute the MDCT ``(B, F, 512)`` of signals ``(B, 1, T)``, padded with silence to whole latent frames."""
        x = x[:, 0]
        short = -x.shape[-1] % self.hop_length
        c: Tensor = self.mdct(F.pad(x, (0, short)))
        return c

    def signal(self, c: Tensor, length: int) -> Tensor:
        """Return signals ``(B, 1, length)`` of MDCT coefficients ``(B, F, 512)``."""
        return self.mdct.inverse(c, length).unsqueeze(1)


class LinearBaseline(_Baseline, LinearInfo):  # type: ignore[misc]
    """``linear-K``: the K lowest MDCT coefficients of each frame, a low-pass at K / 512 of the band.

    Latents of fewer than K channels decode as those of a smaller K; K = 512 is perfect reconstruction.
    """

    def encode(self, x: Tensor) -> Parts:
        """Encode signals ``(B, 1, T)`` to a base ``(B, K, F)``, ``F = ceil(T / 512)``."""
        return Parts.dense(self.coefficients(x)[..., : self.latent_dim].transpose(1, 2).contiguous())

    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Decode to ``(B, 1, length)``. Raises LatentError where the parts have more than K channels."""
        base = _at_most(parts.base, self.latent_dim)
        return self.signal(F.pad(base.transpose(1, 2), (0, BANDS - base.shape[1])), length)


class SparseBaseline(_Baseline, SparseInfo):  # type: ignore[misc]
    """``sparse-K``: the K / 2 largest MDCT coefficients of each frame with their places, largest first.

    Latents of fewer rows keep the largest coefficients; K = 1024 is perfect reconstruction.
    """

    def encode(self, x: Tensor) -> Parts:
        """Encode signals ``(B, 1, T)`` to places and values ``(B, K / 2, F)``, ``F = ceil(T / 512)``."""
        c = self.coefficients(x)
        places = c.detach().abs().topk(self.detail_size, dim=-1).indices
        values = c.gather(-1, places)
        base = c.new_zeros((c.shape[0], 0, c.shape[1]))
        return Parts(base, places.transpose(1, 2).contiguous(), values.transpose(1, 2).contiguous())

    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Decode to ``(B, 1, length)``. Raises LatentError where rows are too many or places are no bands."""
        values = _at_most(parts.values, self.detail_size).transpose(1, 2)
        places = parts.places.transpose(1, 2)
        if places.numel() and not 0 <= int(places.min()) <= int(places.max()) < BANDS:
            raise LatentError(f"a place of the detail lies outside 0..{BANDS - 1}; the latent is not one of sparse-K")
        c = values.new_zeros((*values.shape[:2], BANDS))
        return self.signal(c.scatter_add(-1, places, values), length)


class PcaBaseline(_Baseline, PcaInfo):  # type: ignore[misc]
    """``pca-K``: the 4 K strongest principal components of four joined MDCT frames, K numbers per frame.

    The components are orthonormal rows ordered by the power they carry. No mean is subtracted: the mean of an MDCT is
    zero, and silence stays silence. Fewer channels decode as a smaller K. Before fitting, the rows select the lowest
    bands, so an unfitted ``pca-K`` is ``linear-K``.

    Attributes:
        components: ``(4 K, 2048)``; a row holds the four frames one after the other. Weights of a larger K load into
            a smaller one, which takes the first rows.
    """

    components: Tensor

    def __init__(self, config: PcaConfig) -> None:
        super().__init__(config)
        row = torch.arange(self.latent_dim)
        lowest = torch.zeros(self.latent_dim, PCA_FRAMES * BANDS)
        lowest[row, row % PCA_FRAMES * BANDS + row // PCA_FRAMES] = 1.0
        self.register_buffer("components", lowest)
        self.register_load_state_dict_pre_hook(_keep_first_rows)  # type: ignore[no-untyped-call]

    def encode(self, x: Tensor) -> Parts:
        """Encode signals ``(B, 1, T)`` to a base ``(B, 4 K, F)``, ``F = ceil(T / 2048)``."""
        return Parts.dense((self.groups(x) @ self.components.T).transpose(1, 2).contiguous())

    def decode(self, parts: Parts, length: int, start: int = 0) -> Tensor:
        """Decode to ``(B, 1, length)``. Raises LatentError where the parts have more than 4 K channels."""
        base = _at_most(parts.base, self.latent_dim).to(self.components.dtype)
        groups = base.transpose(1, 2) @ self.components[: base.shape[1]]
        return self.signal(groups.reshape(groups.shape[0], -1, BANDS), length)

    def fit(self, signals: Iterable[Tensor]) -> Tensor:
        """Fit the components by the eigenvectors of the second moments of MDCT groups, strongest first.

        Memory does not grow with the number of signals. The same signals in the same order give the same components.

        Args:
            signals: batches ``(B, 1, T)`` within [-1, 1], of any lengths. Each signal is scaled to the same power
                first, so that loud ones do not dominate.

        Returns:
            Share of the scaled signals' power that each component carries, ``(4 K,)``, falling.

        Raises:
            DataError: there are no signals, or they are silent or not finite.
        """
        size = PCA_FRAMES * BANDS
        moments = torch.zeros(size, size, dtype=torch.float64)
        with torch.no_grad():
            for x in signals:
                groups = self.groups(x)
                power = groups.square().mean(dim=(1, 2), keepdim=True)
                groups = torch.where(power > _SILENT_POWER, groups / power.clamp(min=_SILENT_POWER).sqrt(), 0.0)
                groups = groups.reshape(-1, size)
                moments += (groups.T @ groups).cpu().double()
            total = float(moments.trace())
            if not 0 < total < float("inf"):
                raise DataError("PCA needs music that is neither silent nor infinite; check the training files")
            variances, vectors = torch.linalg.eigh(moments)
            rows = vectors.flip(-1).T[: self.latent_dim]
            # An eigenvector's sign is free: make its largest entry positive, so that refitting gives the same rows.
            largest = rows.gather(1, rows.abs().argmax(dim=1, keepdim=True))
            self.components.copy_(rows * largest.sign())
        shares: Tensor = variances.flip(0)[: self.latent_dim].clamp(min=0) / total
        return shares.float()

    def groups(self, x: Tensor) -> Tensor:
        """Return vectors ``(B, F, 2048)`` of four MDCT frames each, of signals ``(B, 1, T)``."""
        c = self.coefficients(x)
        return c.reshape(c.shape[0], -1, PCA_FRAMES * BANDS)


def _keep_first_rows(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Cut weights that are loaded to as many components as the model has; refuse fewer."""
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
