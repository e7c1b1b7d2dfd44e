"""Which coefficients a training crop may use, quantised as they will be in files."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from celesta.entropy.window import DEAD_ZONE, SHRINK


def choose(c: Tensor, spread: Tensor, rng: np.random.Generator, mean: float | None = None) -> Tensor:
    """Coefficients that are kept, quantised, zeros elsewhere: ``(B, F, bands)`` to the same shape.

    A sixth of the crops keep none, an eighth the same number in each frame without quantisation, the others all above a
    threshold, quantised in steps of their worth, as :mod:`celesta.entropy` does.

    Args:
        c: coefficients.
        spread: ``(bands,)``, what a coefficient is divided by to give its worth.
        rng: draws kind and number for each crop.
        mean: keep about so many a frame above a threshold, in every crop, instead of drawing.
    """
    out = torch.zeros_like(c)
    for i, crop in enumerate(c):
        kind, count = rng.random(), float(np.exp(rng.uniform(np.log(0.5), np.log(400))))
        if mean is not None:
            kind, count = 1.0, mean
        if kind < 0.17 or count == 0:
            continue
        worth = crop.abs() / spread
        if kind < 0.3:
            places = worth.topk(max(1, min(256, round(count))), dim=-1).indices
            out[i].scatter_(-1, places, crop.gather(-1, places))
        else:
            # The threshold from every eighth coefficient: near enough, and eight times cheaper.
            some = worth.flatten()[::7]
            at = min(len(some) - 1, max(1, round(len(some) * count / worth.shape[-1])))
            step = some.topk(at + 1).values[-1].clamp(min=1e-6) / DEAD_ZONE
            out[i] = quantised(crop, spread, step)
    return out


def quantised(c: Tensor, spread: Tensor, step: Tensor | float) -> Tensor:
    """Coefficients after uniform quantisation of their worth with a dead zone."""
    size = c.abs() / (spread * step)
    whole = torch.where(size < DEAD_ZONE, 0.0, torch.floor(size + 0.5 - SHRINK).clamp(min=1))
    return torch.sign(c) * whole * step * spread
