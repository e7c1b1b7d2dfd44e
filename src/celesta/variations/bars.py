"""Bars: how many beats they have, and which beats begin one."""

from __future__ import annotations

import numpy as np

_LOW = 8  # mel bands below about 350 Hz
_MARGIN = 0.08  # by which the similarity at lags of three beats must exceed that of four


def find_bars(
    seconds: np.ndarray, mel: np.ndarray, chroma: np.ndarray, frame_rate: float, chroma_rate: float
) -> tuple[int, int]:
    """Find the metre and the first downbeat of a song.

    Beats a bar apart are alike (self-similarity at lags of whole bars), and a bar begins where the bass rises and the
    harmony changes.

    Args:
        seconds: ``(n,)`` times of the beats.
        mel: ``(G, bands)`` dB.
        chroma: ``(H, 12)`` power.
        frame_rate: frames of ``mel`` a second.
        chroma_rate: frames of ``chroma`` a second.

    Returns:
        Beats of a bar, 3 or 4, and the index of the first beat that begins one.
    """
    if len(seconds) < 16:
        return 4, 0
    timbre = means_between(mel, seconds * frame_rate)
    harmony = unit(np.sqrt(means_between(chroma, seconds * chroma_rate)))
    alike = unit(np.concatenate([unit(timbre - timbre.mean(axis=0)), harmony - harmony.mean(axis=0)], axis=1))

    def similarity(lag: int) -> float:
        return float(np.sum(alike[lag:] * alike[:-lag], axis=1).mean())

    three = (similarity(3) + similarity(6) + similarity(9)) / 3
    four = (similarity(4) + similarity(8) + similarity(12)) / 3
    metre = 3 if three > four + _MARGIN else 4
    rise = np.maximum(np.diff(timbre[:, :_LOW].mean(axis=1), prepend=timbre[0, :_LOW].mean()), 0)
    change = 1 - np.sum(harmony * np.roll(harmony, 1, axis=0), axis=1)
    change[0] = 0
    accent = rise / max(float(rise.std()), 1e-9) + 2 * change / max(float(change.std()), 1e-9)
    phase = int(np.argmax([accent[first::metre].mean() for first in range(metre)]))
    return metre, phase


def means_between(rows: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Average rows from each edge to the next one, and from the last one to the end; at least one row each.

    Args:
        rows: ``(F, d)``.
        edges: ``(n,)`` rising places among the rows.

    Returns:
        ``(n, d)`` float32.
    """
    first = np.clip(np.round(edges).astype(np.int64), 0, max(len(rows) - 1, 0))
    last = np.maximum(np.append(first[1:], len(rows)), first + 1)
    total = np.zeros((len(rows) + 1, rows.shape[1]))
    np.cumsum(rows, axis=0, dtype=np.float64, out=total[1:])
    found: np.ndarray = ((total[last] - total[first]) / (last - first)[:, None]).astype(np.float32)
    return found


def unit(rows: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; rows of zeros stay."""
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    found: np.ndarray = rows / np.maximum(size, 1e-9)
    return found
