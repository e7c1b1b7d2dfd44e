"""All tables of a codec, and the files that hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from celesta._files import read_arrays
from celesta.entropy.envelope_tables import EnvelopeTables
from celesta.entropy.tables import BitTables
from celesta.errors import ModelError, UsageError

FOLDER = Path(__file__).parents[1] / "weights"
FILES = {0: "nested-bits.safetensors", 50: "nested2-bits.safetensors"}
"""Table files by the rows of the band envelope that goes with them."""
_BITS = ("found", "size", "move", "spread")
_ENVELOPE = ("weights", "offset", "drop", "level")


@dataclass(frozen=True, eq=False)
class Tables:
    """All tables of a codec.

    Attributes:
        bits: of base and detail.
        envelope: of the band envelope and of what the detail leaves out; None for a codec without an envelope.
    """

    bits: BitTables
    envelope: EnvelopeTables | None = None

    @property
    def spread(self) -> np.ndarray:
        """Band weights ``(bands,)`` float32."""
        return self.bits.spread

    @property
    def bands(self) -> int:
        """Coefficients of a frame."""
        return len(self.bits.spread)

    @property
    def base_channels(self) -> int:
        """Largest number of base channels."""
        return len(self.bits.move)

    @property
    def envelope_rows(self) -> int:
        """Rows of the envelope of a latent: of the bands' power, then of what the detail leaves out; 0 without."""
        return 0 if self.envelope is None else 2 * len(self.envelope.level)

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits that tell these tables from others."""
        found = hashlib.sha256()
        for name, array in sorted(self.arrays().items()):
            found.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return found.hexdigest()[:8]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, as a table file holds them."""
        found = {name: getattr(self.bits, name) for name in _BITS}
        return found | ({} if self.envelope is None else {name: getattr(self.envelope, name) for name in _ENVELOPE})

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Tables:
        """Make tables of the arrays of a file.

        Raises:
            KeyError, UsageError: one is missing or does not fit.
        """
        bits = BitTables(*(arrays[name] for name in _BITS))
        there = _ENVELOPE[0] in arrays
        return cls(bits, EnvelopeTables(*(arrays[name] for name in _ENVELOPE)) if there else None)


@lru_cache(maxsize=4)
def load_tables(envelope_rows: int = 0) -> Tables:
    """Load the tables that ship with the codec.

    Args:
        envelope_rows: of the latents, see :attr:`Tables.envelope_rows`.

    Raises:
        ModelError: they are missing or damaged, or there are none for such latents.
    """
    name = FILES.get(envelope_rows)
    if name is None:
        raise ModelError(f"no codec has a band envelope of {envelope_rows} rows")
    return read_tables(FOLDER / name)


def read_tables(path: Path) -> Tables:
    """Read a table file; raises as :func:`load_tables`."""
    try:
        return Tables.of(read_arrays(path)[0])
    except (OSError, ValueError, KeyError, UsageError) as error:
        raise ModelError(f"{path}: no tables of the codec ({error}); install Celesta again") from None
