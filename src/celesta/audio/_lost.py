"""Parts of an audio file that are lost, and how they are reported in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_MOST_PLACES = 5


class Lost(NamedTuple):
    """A stretch of audio that is lost or damaged.

    Attributes:
        start: Index of its first sample.
        n_samples: Samples that silence stands for; 0 where damaged audio stands there instead.
    """

    start: int
    n_samples: int


def describe(lost: Sequence[Lost], sample_rate: int) -> str:
    """Say what is lost and where, in one line without the file's name."""
    parts = []
    gone = _merged([one for one in lost if one.n_samples])
    if gone:
        total = sum(one.n_samples for one in gone) / sample_rate
        parts.append(f"{total:.3f} s of audio are lost and silent, {_places(gone, sample_rate)}")
    bad = [one for one in lost if not one.n_samples]
    if bad:
        parts.append(f"the audio may be distorted {_places(bad, sample_rate)}")
    return f"damaged: {'; '.join(parts)}"


def _places(lost: Sequence[Lost], sample_rate: int) -> str:
    times = ", ".join(f"{one.start / sample_rate:.3f} s" for one in lost[:_MOST_PLACES])
    more = f" and {len(lost) - _MOST_PLACES} more places" if len(lost) > _MOST_PLACES else ""
    return f"at {times}{more}"


def _merged(lost: Sequence[Lost]) -> list[Lost]:
    """The same stretches, those that touch as one."""
    result: list[Lost] = []
    for one in sorted(lost):
        if result and result[-1].start + result[-1].n_samples >= one.start:
            first = result.pop()
            one = Lost(first.start, max(first.n_samples, one.start + one.n_samples - first.start))
        result.append(one)
    return result
