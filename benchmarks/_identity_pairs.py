"""Compare all fingerprints with each other at every place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from celesta.library.matching import CHROMAPRINT, OURS, Match, Scale, align, signs

_SILENT = 627_964_279  # what Chromaprint writes for digital silence
_PLACES = 1024  # compared at once
_BLOCKS = 4096


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
    the upper triangle is computed; the rest is 0.5. Bits are signs, so that agreement is a matrix product of integers.

    Args:
        prints: fingerprints ``(frames,)``.
        block: frames that are compared as a whole.
        partial: file that holds what is done so far.
    """
    blocks, block_of = _blocks(prints, block)
    closest, begin = np.full((len(prints), len(prints)), 0.5, np.float32), 0
    if partial.exists():
        with np.load(partial) as known:
            if known["closest"].shape == closest.shape and "recordings" in known:
                closest, begin = known["closest"], int(known["recordings"])
    for number in range(begin, len(prints)):
        if number % 100 == 0 and number > begin:
            np.savez(partial.with_suffix(".new.npz"), closest=closest, recordings=number)
            partial.with_suffix(".new.npz").rename(partial)
            print(f"{number} of {len(prints)} recordings", flush=True)
        last = int(np.searchsorted(block_of, number, side="left"))  # blocks of earlier recordings
        agree = np.full(last, -1.0, np.float32)
        for windows, audible in _places(prints[number], block):
            for at in range(0, last, _BLOCKS):
                some = slice(at, min(at + _BLOCKS, last))
                found = torch._int_mm(blocks[some], windows.T)
                agree[some] = np.maximum(agree[some], (found * audible).amax(dim=1).numpy())
        np.minimum.at(closest[:, number], block_of[:last], 0.5 - 0.5 * agree)
    return closest


def _blocks(prints: Sequence[np.ndarray], block: int) -> tuple[torch.Tensor, np.ndarray]:
    """Blocks ``(n, 32 block)`` int8 that are mostly audible, and the recording of each."""
    rows, owners = [], []
    for number, one in enumerate(prints):
        whole = one[: len(one) // block * block].reshape(-1, block)
        whole = whole[(whole != 0).mean(axis=1) >= 0.75]
        rows.append(signs(whole.ravel()).astype(np.int8).reshape(len(whole), 32 * block))
        owners.append(np.full(len(whole), number))
    return torch.from_numpy(np.concatenate(rows)), np.concatenate(owners)


def _places(prints: np.ndarray, block: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield all places of a block in a recording: windows ``(n, 32 block)``, and one over their audible bits.

    A block may reach over the end. Where less than half of it is audible a place does not count.
    """
    padded = np.concatenate([prints, np.zeros(block // 2, np.uint32)])
    if len(padded) < block:
        return
    bits = np.lib.stride_tricks.sliding_window_view(signs(padded).astype(np.int8).ravel(), 32 * block)[::32]
    count = np.lib.stride_tricks.sliding_window_view(padded != 0, block).sum(axis=1)
    share = np.where(count >= block / 2, 1 / (32.0 * np.maximum(count, 0.75 * block)), 0)
    for at in range(0, len(bits), _PLACES):
        part = slice(at, at + _PLACES)
        yield torch.from_numpy(np.ascontiguousarray(bits[part])), torch.from_numpy(share[part].astype(np.float32))
