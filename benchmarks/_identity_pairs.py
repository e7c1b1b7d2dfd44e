"""Compare all fingerprints with each other at every place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.fft

from celesta.library.matching import CHROMAPRINT, OURS, Match, Scale, align, signs

_SILENT = 627_964_279  # what Chromaprint writes for digital silence
_TILE = 64  # chunks compared at once
_BLOCKS = 512


@dataclasses.dataclass(frozen=True)
class Aligner:
    """How fingerprints of a method are aligned and judged."""

    method: str
    scale: Scale

    def prepare(self, prints: np.ndarray) -> np.ndarray:
        """Fingerprints with silence as zeros."""
        return np.where(prints == _SILENT, 0, prints).astype(np.uint32)

    def align(self, first: np.ndarray, second: np.ndarray) -> Match:
        """Align two fingerprints."""
        return align(first, second, self.scale)

    def same(self, match: Match) -> bool:
        """Whether the library calls them the same recording."""
        return match.same(self.scale)


ALIGNERS = {
    "ours": Aligner("ours", OURS),
    "chromaprint": Aligner("chromaprint", CHROMAPRINT),
    # The limit at which Chromaprint finds no stretch of 6 s in unrelated music of these collections.
    "chromaprint, limit .12": Aligner("chromaprint", dataclasses.replace(CHROMAPRINT, error_limit=0.12)),
}


def closest_stretches(prints: Sequence[np.ndarray], block: int, partial: Path) -> np.ndarray:
    """Return ``(n, n)``: the least share of differing bits of a block of the row in the column's recording.

    Blocks follow each other without a gap, so that two recordings with twice their length in common are found. Only
    the upper triangle is computed; the rest is 0.5.

    Args:
        prints: fingerprints ``(frames,)``.
        block: frames that are compared as a whole.
        partial: file that holds what is done so far.
    """
    size = 1 << int(np.ceil(np.log2(5 * block)))
    hop = size - block  # places of a chunk at which a whole block fits
    chunks, chunk_of = _cut(prints, size, hop)
    blocks, block_of = _cut(prints, block, block)
    whole = np.array([len(one) == block and (one != 0).mean() >= 0.75 for one in blocks])
    blocks, block_of = [one for one, good in zip(blocks, whole, strict=True) if good], block_of[whole]
    closest, begin = np.full((len(prints), len(prints)), 0.5, np.float32), 0
    if partial.exists():
        with np.load(partial) as known:
            if known["closest"].shape == closest.shape:
                closest, begin = known["closest"], int(known["done"])
    for first in range(begin, len(chunks), _TILE):
        if first % (8 * _TILE) == 0 and first > begin:
            np.savez(partial.with_suffix(".new.npz"), closest=closest, done=first)
            partial.with_suffix(".new.npz").rename(partial)
            print(f"{first} of {len(chunks)} pieces", flush=True)
        tile = chunks[first : first + _TILE]
        owners = chunk_of[first : first + _TILE]
        spectrum = np.ascontiguousarray(_spectra(tile, size).transpose(2, 1, 0))  # frequency, channel, chunk
        audible = np.stack([_audible(one, size, block, hop) for one in tile])
        last = int(np.searchsorted(block_of, owners.max(), side="left"))  # blocks of earlier recordings
        for start in range(0, last, _BLOCKS):
            some, named = blocks[start : min(start + _BLOCKS, last)], block_of[start : min(start + _BLOCKS, last)]
            query = _spectra(some, size).conj().transpose(2, 0, 1)  # frequency, block, channel
            product = np.matmul(np.ascontiguousarray(query), spectrum)
            agree = scipy.fft.irfft(product.transpose(1, 2, 0), size, axis=-1, overwrite_x=True)[..., :hop]
            errors = 0.5 - 0.5 * (agree / (32.0 * audible)).max(axis=-1)
            np.minimum.at(closest, (named[:, None], owners[None, :]), errors)
    closest[np.tril_indices(len(prints))] = 0.5
    return closest


def _cut(prints: Sequence[np.ndarray], size: int, hop: int) -> tuple[list[np.ndarray], np.ndarray]:
    found = [(p[at : at + size], i) for i, p in enumerate(prints) for at in range(0, max(1, len(p)), hop)]
    return [part for part, _ in found], np.array([i for _, i in found], np.int64)


def _spectra(parts: list[np.ndarray], size: int) -> np.ndarray:
    """``(parts, 32, size / 2 + 1)`` complex64."""
    rows = np.zeros((len(parts), 32, size), np.float32)
    for i, part in enumerate(parts):
        rows[i, :, : len(part)] = signs(part).T
    return scipy.fft.rfft(rows, axis=-1)


def _audible(part: np.ndarray, size: int, block: int, hop: int) -> np.ndarray:
    """How many frames of a block are audible at each place; infinite below half of it."""
    total = np.zeros(size + 1, np.float32)
    total[1 : len(part) + 1] = part != 0
    total = np.cumsum(total)
    count = (total[block:] - total[:-block])[:hop]
    return np.where(count >= block / 2, np.maximum(count, 0.75 * block), np.inf)
