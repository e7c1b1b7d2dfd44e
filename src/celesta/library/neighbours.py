"""Find the songs of a library that are most like others, and say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from celesta.errors import LibraryError, UsageError
from celesta.library.analysis import BLOCKS, SongRecord, analysis_version, references
from celesta.library.reasons import Facts, reasons
from celesta.library.records import Song, songs
from celesta.library.space import Space, Weights, top
from celesta.library.store import Store

DEFAULT_WEIGHTS = Weights({"style": 1.0, "timbre": 0.5, "mood": 0.25, "rhythm": 0.25, "harmony": 0.25, "loudness": 0.1})
_LESS = 0.5  # weight of songs that the answers should be unlike


@dataclass(frozen=True)
class Similar:
    """A song that is like those asked for.

    Attributes:
        song: the song.
        similarity: 0 to 1: the share of the library's songs that are less like the query.
        reasons: what agrees, in words, the strongest first.
    """

    song: Song
    similarity: float
    reasons: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"similarity": round(self.similarity, 4), "reasons": self.reasons, **self.song.to_dict()}


@dataclass(frozen=True)
class Seed:
    """A song to compare with: one of the library, or one that was analysed for this purpose."""

    facts: Facts
    song: int | None = None
    record: SongRecord | None = None


class SongSpace:
    """The analysed songs of a library whose files are there, ready to be compared.

    Attributes:
        ids: of the songs, in the order of the rows of all results.
    """

    def __init__(self, store: Store) -> None:
        rows = store.rows(
            "SELECT v.recording, v.name, v.data FROM vectors v JOIN recordings r ON r.id = v.recording"
            " WHERE r.analysis = ? AND EXISTS (SELECT 1 FROM files f WHERE f.recording = r.id"
            " AND f.missing_since IS NULL) ORDER BY v.name, v.recording",
            (analysis_version(),),
        )
        blobs: dict[str, list[bytes]] = {name: [] for name in BLOCKS}
        self.ids = [recording for recording, name, _ in rows if name == BLOCKS[0]]
        for _, name, data in rows:
            blobs[name].append(data)
        if not self.ids:
            raise LibraryError(f"{store.name}: no analysed songs; add music with: celesta library add FOLDER")
        count = len(self.ids)
        blocks = {
            name: np.frombuffer(b"".join(parts), "<f2").reshape(count, -1).astype(np.float32)
            for name, parts in blobs.items()
        }
        self._rows = {one: row for row, one in enumerate(self.ids)}
        self._space = Space(blocks, references())

    def __contains__(self, song: int) -> bool:
        return song in self._rows

    def row(self, song: int) -> int:
        """Return the row of a song."""
        return self._rows[song]

    def similarities(self, seed: Seed, weights: Weights) -> np.ndarray:
        """Return the similarity of a seed to all songs ``(songs,)``, 0 to 1."""
        if seed.song is not None and seed.song in self._rows:
            return self._space.similarities_of(self._rows[seed.song], weights)
        if seed.record is None:
            raise LibraryError("the song is not analysed yet; run: celesta library update")
        return self._space.similarities(seed.record.blocks, weights)

    def row_of(self, weights: Weights) -> Any:
        """Return the function from a row to its similarities to all rows; results are saved for later calls."""
        known: dict[int, np.ndarray] = {}

        def similar(row: int) -> np.ndarray:
            if row not in known:
                known[row] = self._space.similarities_of(row, weights)
            return known[row]

        return similar


def find_similar(
    store: Store, space: SongSpace, seeds: Sequence[Seed], less: Sequence[Seed], weights: Weights, n: int
) -> list[Similar]:
    """Return the ``n`` songs most like all of ``seeds`` and unlike ``less``, best first; seeds are left out."""
    rows = np.stack([space.similarities(seed, weights) for seed in seeds])
    score = rows.mean(axis=0)
    if less:
        score = score - _LESS * np.mean([space.similarities(seed, weights) for seed in less], axis=0)
    for seed in (*seeds, *less):
        if seed.song is not None and seed.song in space:
            score[space.row(seed.song)] = -np.inf
    best = [row for row in top(score, n + len(seeds) + len(less)).tolist() if np.isfinite(score[row])][:n]
    nearest = rows.argmax(axis=0)
    return [
        Similar(song, max(0.0, float(score[row])), reasons(seeds[nearest[row]].facts, song.facts))
        for row, song in zip(best, songs(store, [space.ids[row] for row in best]), strict=True)
    ]


def parse_weights(by: str | Mapping[str, float] | None) -> Weights:
    """Read ``timbre,mood:2``: names of blocks, each with its weight where it is not 1; None for the usual weights.

    Raises:
        UsageError: a block does not exist, or a weight is no number.

    Example:
        >>> parse_weights("timbre,mood:2").of
        {'timbre': 1.0, 'mood': 2.0}
    """
    if by is None:
        return DEFAULT_WEIGHTS
    if isinstance(by, str):
        found: dict[str, float] = {}
        for part in by.split(","):
            name, colon, weight = part.strip().partition(":")
            try:
                found[name] = float(weight) if colon else 1.0
            except ValueError:
                raise UsageError(f"--by {part}: the weight must be a number, for example timbre,mood:2") from None
        by = found
    weights = Weights(dict(by))
    weights.checked(BLOCKS)
    return weights
