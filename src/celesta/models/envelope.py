"""The band envelope of MDCT coefficients: mean power of 25 bands over 4 frames, in steps of 3 dB."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from celesta.dsp.band_envelope import BANDS, EDGES, FLOOR_DB, FRAMES, LARGEST, STEP_DB

__all__ = ["BANDS", "EDGES", "FLOOR_DB", "FRAMES", "STEP_DB", "Cells", "to_index", "to_power"]


def to_power(index: Tensor) -> Tensor:
    """Mean power of a coefficient for an envelope index; silence for index 0."""
    power = torch.exp(index * (STEP_DB * 0.1 * 2.302585093)) * 10 ** (FLOOR_DB / 10)
    return torch.where(index > 0, power, torch.zeros_like(power))


def to_index(power: Tensor) -> Tensor:
    """The nearest index of a mean power, as float; 0 below the floor."""
    decibel = 10 * torch.log10(power.clamp(min=1e-20))
    return torch.round((decibel - FLOOR_DB) / STEP_DB).clamp(0, LARGEST)


class Cells(nn.Module):
    """Sums over cells of coefficients ``(B, F, bands)``, and values of cells spread over their coefficients.

    A cell is a band of :data:`EDGES` over :data:`FRAMES` frames; ``F`` must be a multiple of :data:`FRAMES`.
    """

    member: Tensor
    band_of: Tensor

    def __init__(self, edges: tuple[int, ...] = EDGES) -> None:
        super().__init__()
        widths = torch.tensor(edges).diff()
        band_of = torch.repeat_interleave(torch.arange(len(widths)), widths)
        member = (band_of[:, None] == torch.arange(len(widths))).float()
        self.register_buffer("band_of", band_of, persistent=False)
        self.register_buffer("member", member, persistent=False)

    def sum(self, x: Tensor) -> Tensor:
        """``(B, F, bands)`` to ``(B, F / 4, 25)``."""
        batch, frames, bands = x.shape
        return x.reshape(batch, frames // FRAMES, FRAMES, bands).sum(2) @ self.member

    def spread(self, cells: Tensor) -> Tensor:
        """``(B, G, 25)`` to ``(B, 4 G, bands)``."""
        return (cells @ self.member.T).repeat_interleave(FRAMES, 1)

    def envelope(self, c: Tensor) -> Tensor:
        """Envelope indices ``(B, F / 4, 25)`` of coefficients, as float."""
        return to_index(self.sum(c**2) / (FRAMES * self.member.sum(0)))

    def rest(self, c: Tensor, kept: Tensor) -> Tensor:
        """Indices of the mean power of the coefficients that are not kept, ``(B, F / 4, 25)``; 0 where all are."""
        out = (~kept).to(c.dtype)
        return to_index(self.sum(c**2 * out) / self.sum(out).clamp(min=0.5))
