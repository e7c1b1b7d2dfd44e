"""The static tables: counts of training music turned into integers once, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from celesta.entropy.frame_order import LEVELS
from celesta.errors import UsageError

TOTAL = 1 << 16
NEAR, WIDE, ZONES, PASSES = 17, 11, 10, 9
CLASSES, ADJACENT, LARGEST = 20, 3, 18
MOVES = 33
LIVELY = 4


@dataclass(frozen=True, eq=False)
class BitTables:
    """Probabilities in units of 2^-16; no entry is 0 or 65 536.

    Attributes:
        found: ``(PASSES, ZONES, WIDE, NEAR)`` of a coefficient not being zero.
        size: ``(PASSES * CLASSES * ADJACENT, LARGEST)`` of its magnitude 1, 2, ..., the last entry for all larger ones.
        move: ``(channels, levels, LIVELY, MOVES)`` of how far a base channel is from what the frames around it let
            expect, -15 to 15 in the first 31 entries, the last two for larger ones down and up.
        spread: ``(bands,)`` float32, the weight of each band, by which a coefficient is divided before it is quantised.
    """

    found: np.ndarray
    size: np.ndarray
    move: np.ndarray
    spread: np.ndarray

    def __post_init__(self) -> None:
        shapes = (
            (PASSES, ZONES, WIDE, NEAR),
            (PASSES * CLASSES * ADJACENT, LARGEST),
            (len(self.move), len(LEVELS), LIVELY, MOVES),
        )
        for name, shape in zip(("found", "size", "move"), shapes, strict=True):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.int32 or array.min() < 1 or array.max() >= TOTAL:
                raise UsageError(f"bit tables: {name} must be int32 {shape} from 1 to 65,535, got {array.shape}")
        if (self.size.sum(-1) != TOTAL).any() or (self.move.sum(-1) != TOTAL).any():
            raise UsageError("bit tables: probabilities do not add up to 65,536")

    @cached_property
    def bits_found(self) -> np.ndarray:
        """Bits of zero and of nonzero, ``(PASSES, ZONES, WIDE, NEAR, 2)`` float32."""
        share = self.found / TOTAL
        return -np.log2(np.stack([1 - share, share], axis=-1)).astype(np.float32)

    @cached_property
    def bits_size(self) -> np.ndarray:
        """Bits of a magnitude, of the shape of ``size``, float32."""
        return -np.log2(self.size / TOTAL).astype(np.float32)


def as_shares(counts: np.ndarray, prior: np.ndarray, weight: float = 24.0) -> np.ndarray:
    """Turn counts ``(..., symbols)`` into integer shares that add up to 65 536, smoothed by ``prior``."""
    symbols = counts.shape[-1]
    prior = (prior + 0.05) / (prior + 0.05).sum(-1, keepdims=True)
    share = (counts + weight * prior) / (counts.sum(-1, keepdims=True) + weight)
    made = np.floor(share * (TOTAL - symbols)).astype(np.int64) + 1
    at = made.argmax(-1)[..., None]
    np.put_along_axis(made, at, np.take_along_axis(made, at, -1) + TOTAL - made.sum(-1, keepdims=True), -1)
    whole: np.ndarray = made.astype(np.int32)
    return whole
