"""The order of audio channels: WAV's everywhere in Celesta, Vorbis's in Vorbis and Opus files.

Source: Microsoft's WAVEFORMATEXTENSIBLE (order of the mask's bits), Vorbis I specification section 4.3.9, RFC 7845
section 5.1.1.2, RFC 9639 section 9.1.3 (FLAC: WAV's order).
"""

from __future__ import annotations

import numpy as np

_SPEAKERS = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")
# The usual layouts by number of channels, in WAV's order; the mask that is written comes first.
_MASKS = {
    1: (0x4,),
    2: (0x3,),
    3: (0x7,),
    4: (0x33, 0x603),
    5: (0x37, 0x607),
    6: (0x3F, 0x60F),
    7: (0x70F,),
    8: (0x63F,),
}
_BACK_SIX_ONE = 0x13F  # 6.1 with BL BR BC instead of BC SL SR
# Where each channel of WAV's order stands in Vorbis's order.
_IN_VORBIS = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}


def from_vorbis(samples: np.ndarray) -> np.ndarray:
    """Reorder (channels, n) samples from Vorbis's order to WAV's."""
    order = _IN_VORBIS.get(len(samples))
    return samples if order is None else samples[list(order)]


def to_vorbis(samples: np.ndarray) -> np.ndarray:
    """Reorder (channels, n) samples from WAV's order to Vorbis's."""
    order = _IN_VORBIS.get(len(samples))
    return samples if order is None else samples[np.argsort(order)]


def mask_of(channels: int) -> int:
    """The channel mask that a WAV file of so many channels gets."""
    return _MASKS[channels][0]


def names_of(mask: int) -> tuple[str, ...]:
    """The speakers of a channel mask, in WAV's order."""
    return tuple(name for bit, name in enumerate(_SPEAKERS) if mask >> bit & 1)


def usual_order(speakers: tuple[str, ...]) -> tuple[int, ...] | None:
    """Which channels of a file, in order, make the usual layout; None where its speakers are others.

    Args:
        speakers: Of the file's channels, for example ``("FL", "FR", "LFE")``.
    """
    count = len(speakers)
    if (
        count < 3
        or not set(speakers) <= set(_SPEAKERS)
        or any(speakers == names_of(mask) for mask in _MASKS.get(count, ()))
    ):
        return tuple(range(count))
    if speakers == names_of(_BACK_SIX_ONE):
        return (0, 1, 2, 3, 6, 4, 5)
    return None
