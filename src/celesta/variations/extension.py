"""What :func:`celesta.variations.extend` plans: the pieces of a song of another length, and where they meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from celesta.variations.joins import Join
from celesta.variations.material import Material
from celesta.variations.splice import Piece, rendered


@dataclass(frozen=True)
class PlayedJoin:
    """A join of an extension.

    Attributes:
        at: sample of the result.
        leave, enter: samples of the song.
        kind: ``jump`` from beat to beat, or ``shift`` of some milliseconds, for the exact length.
        join: the jump with its measures; None for a shift.
    """

    at: int
    leave: int
    enter: int
    kind: str
    join: Join | None = None


@dataclass(frozen=True, repr=False)
class Extension:
    """A song of another length, as a list of its pieces.

    Attributes:
        pieces: stretches of the song, in order.
        joins: where they meet.
        n_samples: of the result.
        sample_rate: Hz.
        remainder: samples that jumps left of the length, and shifts made up for.
        notes: what was done otherwise than usual, one sentence each.
        candidates: jumps that could have been made.
    """

    pieces: list[Piece]
    joins: list[PlayedJoin]
    n_samples: int
    sample_rate: int
    remainder: int = 0
    notes: list[str] = field(default_factory=list)
    candidates: list[Join] = field(default_factory=list)

    def __repr__(self) -> str:
        return (
            f"Extension({self.n_samples / self.sample_rate:.3f} s of {len(self.pieces)} pieces, {self.sample_rate} Hz)"
        )

    def blocks(self, song: Material) -> Iterator[np.ndarray]:
        """Yield the samples in blocks ``(channels, n)``."""
        return rendered(song, self.pieces)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON holds."""
        rate = self.sample_rate
        return {
            "seconds": self.n_samples / rate,
            "samples": self.n_samples,
            "sample_rate": rate,
            "remainder_ms": 1000 * self.remainder / rate,
            "notes": self.notes,
            "pieces": [{"start": p.start, "stop": p.stop, "fade": p.fade} for p in self.pieces],
            "joins": [
                {"at": j.at / rate, "leave": j.leave / rate, "enter": j.enter / rate, "kind": j.kind}
                for j in self.joins
            ],
        }
