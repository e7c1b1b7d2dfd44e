"""Names of the results that a study computes by other means than a probe of the table."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """How a result of a study was made, where :func:`celesta.probes.estimators.names` does not list it.

    Example:
        >>> str(Method.HEAD_FROZEN)
        '2024 head, frozen'
    """

    HEAD_FROZEN = "2024 head, frozen"
    HEAD_TUNED = "2024 head, fine-tuned"
    LATE = "late layers"
    LATE_AND_CHOSEN = "mean of chosen and late layers"
    COPIES = "lr, augmented copies"
    LATE_COPIES = "late layers, augmented copies"
    LATE_AND_COPIES = "mean of lr and late layers"
    TRANSDUCTIVE = "chosen, transductive"


CLASSIFIED = ("cel-lr", "cel-silu", "cel-2")
"""The 2024 report's models with a dense latent, which its classifier reads; the one that trains longest last."""
TAGGER = "musicnn-msd"
PATCHES = f"patches:{TAGGER}"
"""What late layers read."""
HEADS = (Method.HEAD_FROZEN, Method.HEAD_TUNED)
"""The 2024 report's classifier."""
