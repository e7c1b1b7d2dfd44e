"""The static tables of the envelope and of what the detail leaves out: integers fitted to training music once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from celesta.entropy.frame_order import LEVELS
from celesta.entropy.tables import TOTAL
from celesta.errors import UsageError

BANDS = 25
PASSES = 3 * len(LEVELS)
INPUTS, ZONES, ACTIVITIES, FRACTIONS, SYMBOLS = 7, 3, 6, 4, 33
RATIOS, SHARES, NEIGHBOURS, DROPS = 16, 6, 4, 24


@dataclass(frozen=True, eq=False)
class EnvelopeTables:
    """Predictions and probabilities in units of 2^-16.

    Attributes:
        weights: ``(PASSES, INPUTS)`` int32, of the neighbours of a cell, 256 for 1.
        offset: ``(PASSES * ZONES * ACTIVITIES * FRACTIONS, SYMBOLS)`` int32, of the difference from the
            prediction, -15 to 15 in the first 31 entries, the last two for larger ones down and up.
        drop: ``(RATIOS * SHARES * NEIGHBOURS, DROPS)`` int32, of how many steps what is left out lies below the band.
        level: ``(BANDS,)`` int32, mean weight of a band's coefficients in sixteenths of a dB.
    """

    weights: np.ndarray
    offset: np.ndarray
    drop: np.ndarray
    level: np.ndarray

    def __post_init__(self) -> None:
        shapes = {
            "weights": (PASSES, INPUTS),
            "offset": (PASSES * ZONES * ACTIVITIES * FRACTIONS, SYMBOLS),
            "drop": (RATIOS * SHARES * NEIGHBOURS, DROPS),
            "level": (BANDS,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.int32:
                raise UsageError(f"envelope tables: {name} must be int32 {shape}, got {array.dtype} {array.shape}")
        if max(np.abs(self.weights).max(), np.abs(self.level).max()) > 1 << 15:
            raise UsageError("envelope tables: weights and level must lie within +-32768")
        for table in (self.offset, self.drop):
            if table.min() < 1 or (table.sum(-1) != TOTAL).any():
                raise UsageError("envelope tables: probabilities must be positive and add up to 65,536")

    @classmethod
    def blank(cls, weights: np.ndarray | None = None, level: np.ndarray | None = None) -> EnvelopeTables:
        """Tables that say nothing, to begin fitting with."""
        made = []
        for count, symbols in (
            (PASSES * ZONES * ACTIVITIES * FRACTIONS, SYMBOLS),
            (RATIOS * SHARES * NEIGHBOURS, DROPS),
        ):
            row = np.full(symbols, TOTAL // symbols, np.int32)
            row[0] += TOTAL - row.sum()
            made.append(np.tile(row, (count, 1)))
        return cls(
            np.zeros((PASSES, INPUTS), np.int32) if weights is None else weights,
            made[0],
            made[1],
            np.zeros(BANDS, np.int32) if level is None else level,
        )
