"""The order in which a window's frames are coded: every eighth, then those halfway between, and so on.

So most frames are coded knowing a frame on both sides, which is worth as much as knowing all earlier ones, and a whole
level is decoded at once.
"""

from __future__ import annotations

from typing import NamedTuple

GROUP = 8


class Level(NamedTuple):
    """Frames ``first``, ``first + stride``, ...; known are those ``reach`` before and behind (0: none)."""

    first: int
    stride: int
    reach: int


LEVELS = (Level(0, 8, 0), Level(4, 8, 4), Level(2, 4, 2), Level(1, 2, 1))


def padded(frames: int) -> int:
    """Frames up to a whole number of groups."""
    return -(-frames // GROUP) * GROUP
