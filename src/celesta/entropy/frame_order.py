"""The order in which a window's frames are coded: every eighth, then those halfway between, and so on.

So most frames have a coded neighbour on both sides, which predicts as well as all earlier frames do, and all frames of
a level are decoded at once.
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
    """Return the number of frames, rounded up to full groups."""
    return -(-frames // GROUP) * GROUP
