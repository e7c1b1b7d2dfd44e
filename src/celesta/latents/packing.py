"""Numbers as codes of 1 to 16 bits: uniform over a row's range, packed without gaps."""

from __future__ import annotations

import numpy as np

_PIECE = 1 << 16  # codes unpacked at a time, 16 bytes each; a multiple of 8, so pieces end on bytes


def quantise(rows: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quantise each row uniformly over its range.

    A number comes back as ``code * scale + offset``, off by at most ``(high - low) / (2**bits - 1) / 2`` and the
    rounding of float32 (``2**-21`` of the row's largest magnitude). A row of equal numbers comes back exactly.

    Args:
        rows: ``(..., n)`` finite float32, n > 0.
        bits: 1 to 16.

    Returns:
        Codes ``(..., n)`` uint16, scale and offset ``(...)`` float32; the scale is infinite where it overflows.
    """
    exact = rows.astype(np.float64)
    low, high = exact.min(axis=-1), exact.max(axis=-1)
    with np.errstate(over="ignore"):
        scale = ((high - low) / (2**bits - 1)).astype("<f4")
    steps = np.where(scale > 0, scale, 1).astype(np.float64)[..., None]
    codes = np.clip(np.rint((exact - low[..., None]) / steps), 0, 2**bits - 1).astype(np.uint16)
    return codes, scale, low.astype("<f4")


def dequantise(codes: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return the numbers that :func:`quantise` coded, ``(..., n)`` float32; not finite where these overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows: np.ndarray = codes.astype(np.float32) * scale[..., None] + offset[..., None]
    return rows


def pack_bits(codes: np.ndarray, bits: int) -> np.ndarray:
    """Pack ``(n,)`` uint16 codes below ``2**bits`` into ``ceil(n * bits / 8)`` bytes, most significant bit first."""
    pieces = [np.zeros(0, np.uint8)]
    for first in range(0, len(codes), _PIECE):
        piece = codes[first : first + _PIECE].astype(">u2")
        spread = np.unpackbits(piece.view(np.uint8).reshape(-1, 2), axis=1)[:, 16 - bits :]
        pieces.append(np.packbits(spread.ravel()))
    return np.concatenate(pieces)


def unpack_bits(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Return the ``count`` codes that :func:`pack_bits` packed, uint16."""
    codes = np.empty(count, np.uint16)
    for first in range(0, count, _PIECE):
        n = min(_PIECE, count - first)
        whole = np.zeros((n, 16), np.uint8)
        whole[:, 16 - bits :] = np.unpackbits(packed[first * bits // 8 :], count=n * bits).reshape(n, bits)
        codes[first : first + n] = np.packbits(whole, axis=1).view(">u2").ravel()
    return codes
