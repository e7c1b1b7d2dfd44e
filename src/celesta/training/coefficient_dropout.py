"""Coefficient dropout: which coefficients the decoder gets in training, quantised as in files."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from celesta.entropy.window import DEAD_ZONE, SHRINK

NONE, EQUAL = 0.17, 0.13  # shares of the crops without coefficients, and with the same number in each frame
COUNTS = (0.5, 400.0)  # coefficients per frame, drawn on a logarithmic scale: those of 3 to 100 kbit/s and beyond
MOST_EQUAL = 256
EVERY = 7  # one coefficient in 7 is sorted to find the threshold; 7 does not divide 1024, so all bands are visited


def choose(c: Tensor, spread: Tensor, rng: np.random.Generator, mean: float | None = None) -> Tensor:
    """Choose coefficients and quantise them; the others are zero: ``(B, F, bands)`` to the same shape.

    17 % of the crops have none; 13 % have the same number in each frame, not quantised; the others have all above a
    threshold of weighted magnitude, quantised as :mod:`celesta.entropy` does.

    Args:
        c: coefficients.
        spread: ``(bands,)`` band weights: a coefficient's weighted magnitude is its magnitude over that.
        rng: draws mode and number for each crop.
        mean: choose about so many per frame above a threshold, in every crop, instead of drawing.
    """
    out = torch.zeros_like(c)
    for i, crop in enumerate(c):
        mode, count = rng.random(), float(np.exp(rng.uniform(*np.log(COUNTS))))
        if mean is not None:
            mode, count = 1.0, mean
        if mode < NONE or count == 0:
            continue
        weighted = crop.abs() / spread
        if mode < NONE + EQUAL:
            places = weighted.topk(max(1, min(MOST_EQUAL, round(count))), dim=-1).indices
            out[i].scatter_(-1, places, crop.gather(-1, places))
        else:
            some = weighted.flatten()[::EVERY]
            at = min(len(some) - 1, max(1, round(len(some) * count / weighted.shape[-1])))
            step = some.topk(at + 1).values[-1].clamp(min=1e-6) / DEAD_ZONE
            out[i] = quantised(crop, spread, step)
    return out


def quantised(c: Tensor, spread: Tensor, step: Tensor | float) -> Tensor:
    """Quantise weighted magnitudes uniformly, with the dead zone of files."""
    size = c.abs() / (spread * step)
    whole = torch.where(size < DEAD_ZONE, 0.0, torch.floor(size + 0.5 - SHRINK).clamp(min=1))
    return torch.sign(c) * whole * step * spread
