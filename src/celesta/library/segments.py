"""Segments of songs: pieces of 15 s, each with its own numbers, by which parts of songs are compared."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from celesta.library.store import Store

SECONDS = 15.0
"""Length of a segment."""


def spans(duration: float) -> list[tuple[float, float | None]]:
    """Return start and stop, in seconds, of the segments of a song; the last one ends with the song (None).

    What is left at the end is a segment if it is at least half as long as the others, else it belongs to the last one.

    Example:
        >>> spans(40.0)
        [(0.0, 15.0), (15.0, 30.0), (30.0, None)]
        >>> spans(35.0)
        [(0.0, 15.0), (15.0, None)]
    """
    count = max(1, int(duration / SECONDS + 0.5))
    return [(i * SECONDS, (i + 1) * SECONDS if i < count - 1 else None) for i in range(count)]


def store_segments(store: Store, recording: int, rows: np.ndarray, version: str) -> None:
    """Store the segments ``(segments, D)`` of a song in place of older ones."""
    store.execute(
        "INSERT OR REPLACE INTO segments (recording, version, hop, size, data) VALUES (?, ?, ?, ?, ?)",
        (recording, version, SECONDS, rows.shape[1], np.asarray(rows, "<f2").tobytes()),
    )


def read_segments(store: Store, recordings: Sequence[int], version: str) -> dict[int, np.ndarray]:
    """Return the segments ``(segments, D)`` float32 of songs; songs without any of this version are left out."""
    rows = store.rows(
        "SELECT recording, size, data FROM segments WHERE version = ?"
        " AND recording IN (SELECT value FROM json_each(?))",
        (version, json.dumps(list(recordings))),
    )
    return {
        recording: np.frombuffer(data, "<f2").reshape(-1, size).astype(np.float32)
        for recording, size, data in rows
        if size and data
    }
