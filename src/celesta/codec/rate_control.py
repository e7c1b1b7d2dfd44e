"""The former place of :mod:`celesta.latents.rate_control`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
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

warn_moved(__name__, "celesta.latents.rate_control")
