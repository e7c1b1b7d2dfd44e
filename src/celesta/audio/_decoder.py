"""What all decoders have in common, and the choice among them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from celesta.audio._flac_decoder import FlacDecoder
from celesta.audio._headers import Header
from celesta.audio._lost import Lost
from celesta.audio._mpeg_decoder import MpegDecoder
from celesta.audio._ogg_decoder import OggDecoder
from celesta.audio._pyav import AvDecoder
from celesta.audio._soundfile import SoundFileDecoder


class Decoder(Protocol):
    """One opened audio file, read front to back in blocks of (channels, n) float32."""

    format: str
    subtype: str
    sample_rate: int
    channels: int
    n_declared: int | None  # samples per channel by the file's own account; None where it gives none
    exact_length: bool  # whether that account is exact
    speakers: tuple[str, ...]  # of its channels, () where the file does not say or they are the usual ones
    failure: str  # why decoding stopped before the end, "" where it did not
    lost: list[Lost]  # damage within what was read; whoever reads takes it out

    def read(self, n: int) -> np.ndarray:
        """The next at most n samples, (channels, m) float32; m = 0 at the end."""

    def jump(self, n: int) -> bool:
        """Leave out n samples at once, where that is exact; False where it is not."""

    def close(self) -> None:
        """Close the file."""


def open_decoder(path: Path, header: Header) -> Decoder:
    """Open an audio file with the decoder for it.

    Args:
        path: The file.
        header: What `inspect` found in it.

    Raises:
        AudioError: It cannot be decoded.
        MissingExtraError: It needs PyAV, which is not installed.
    """
    if header.mpeg is not None:
        return MpegDecoder(path, header.mpeg)
    if header.ogg is not None:
        return OggDecoder(path, header.ogg)
    if header.flac is not None:
        return FlacDecoder(path, header.flac, header.pieces, header.container)
    return AvDecoder(path, header) if header.needs_av else SoundFileDecoder(path, header)
