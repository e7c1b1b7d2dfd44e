"""The former place of :mod:`celesta.latents.rate_control`, kept so that old imports work."""

from celesta.latents.rate_control import (
    COARSEST,
    FINEST,
    FRAME_RATE,
    TOLERANCE,
    first_step,
    next_step,
    quality_step,
    search,
    step_of_count,
)

__all__ = [
    "COARSEST",
    "FINEST",
    "FRAME_RATE",
    "TOLERANCE",
    "first_step",
    "next_step",
    "quality_step",
    "search",
    "step_of_count",
]
