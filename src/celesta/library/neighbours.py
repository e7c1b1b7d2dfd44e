"""Find the songs of a library that are most like others, and say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from celesta.errors import LibraryError, UsageError
from celesta.library.analysis import SongRecord
from celesta.library.block_table import BLOCKS, analysis_version, references
from celesta.library.reasons import Facts, reasons
from celesta.library.records import Song, songs
from celesta.library.segments import read_segments, spans
from celesta.library.space import Placed, Space, Weights, top
from celesta.library.store import Store

DEFAULT_WEIGHTS = Weights({"style": 1.0, "timbre": 0.1})  # chosen by benchmarks/library.py weights
PART_WEIGHTS = Weights({"style": 1.0, "timbre": 1.0})
"""Of the segments of one song in place of the default weights (benchmarks/library.py stretches): the taggers see two or
three patches of a segment only, while its timbre is that of all of it.
"""
_PULL = 0.5  # weight of songs that the answers should be more, or less, like
_CANDIDATES = 1000  # songs whose segments are compared with a stretch


@dataclass(frozen=True)
class Similar:
    """A song that is like those asked for.

    Attributes:
        song: the song.
        similarity: 0 to 1: the share of the library's songs that are less like the query.
        reasons: what agrees, in words, the strongest first.
        part: start and stop, in seconds, of the segment that is most like the query; None for a song of one segment.

    Example:
        >>> from pathlib import Path
        >>> found = Similar(Song(7, Path("a.mp3"), False, 180.0), 0.98, ["same key: A minor"])
        >>> found.similarity, found.song.path.name
        (0.98, 'a.mp3')
    """

    song: Song
    similarity: float
    reasons: list[str]
    part: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        part = None if self.part is None else [round(seconds, 3) for seconds in self.part]
        return {"similarity": round(self.similarity, 4), "reasons": self.reasons, "part": part, **self.song.to_dict()}


@dataclass(frozen=True)
class Seed:
    """A song to compare with: one of the library, or one, or a stretch of one, that was analysed for this purpose.

    Attributes:
        facts: for the reasons.
        song: id in the library.
        record: what was analysed.
        stretch: whether only a stretch is meant.
    """

    facts: Facts
    song: int | None = None
    record: SongRecord | None = None
    stretch: bool = False


class SongSpace:
    """The analysed songs of a library whose files are there, ready to be compared.

    Attributes:
        ids: of the songs, in the order of the rows of all results.
        space: their points.
    """

    def __init__(self, store: Store) -> None:
        rows = store.rows(
            "SELECT v.recording, v.name, v.data FROM vectors v JOIN recordings r ON r.id = v.recording"
            " WHERE r.analysis = ? AND EXISTS (SELECT 1 FROM files f WHERE f.recording = r.id"
            " AND f.missing_since IS NULL) ORDER BY v.name, v.recording",
            (analysis_version(store.licence),),
        )
        blobs: dict[str, list[bytes]] = {name: [] for name in BLOCKS}
        self.ids = [recording for recording, name, _ in rows if name == BLOCKS[0]]
        for _, name, data in rows:
            blobs[name].append(data)
        if not self.ids:
            raise LibraryError(
                f"{store.name}: no analysed songs; add music with: {store.command('library add FOLDER')}"
            )
        count = len(self.ids)
        blocks = {
            name: np.frombuffer(b"".join(parts), "<f2").reshape(count, -1).astype(np.float32)
            for name, parts in blobs.items()
        }
        self._rows = {one: row for row, one in enumerate(self.ids)}
        self.space = Space(blocks, references(store.licence))

    def __contains__(self, song: int) -> bool:
        return song in self._rows

    def row(self, song: int) -> int:
        """Return the row of a song."""
        return self._rows[song]

    def placed(self, seed: Seed) -> Placed:
        """Return a seed as a point."""
        if seed.song is not None and seed.song in self._rows and not seed.stretch:
            return self.space.placed_song(self._rows[seed.song])
        if seed.record is None:
            raise LibraryError("the song is not analysed yet; run: celesta library update")
        return self.space.placed(seed.record.blocks)

    def row_of(self, weights: Weights) -> Any:
        """Return the function from a row to its similarities to all rows; results are saved for later calls."""
        known: dict[int, np.ndarray] = {}

        def similar(row: int) -> np.ndarray:
            if row not in known:
                known[row] = self.space.similarities_of(row, weights)
            return known[row]

        return similar


def find_similar(
    store: Store,
    known: SongSpace,
    seeds: Sequence[Seed],
    weights: Weights,
    n: int,
    *,
    more: Sequence[Seed] = (),
    less: Sequence[Seed] = (),
    by: Sequence[str] | None = None,
) -> list[Similar]:
    """Return the ``n`` songs most like all of ``seeds``, best first; the songs that are asked with are left out.

    Where the only seed is a stretch, songs are ordered by their segment that is most like it. The segments of the 1000
    songs that are most like it as a whole are compared.

    Args:
        store: the library.
        known: its songs.
        seeds: to be like.
        weights: of the blocks.
        n: how many.
        more: songs to lean towards.
        less: songs to lean away from.
        by: blocks that reasons are taken from; None for all.
    """
    space = known.space
    placed = [known.placed(seed) for seed in seeds]
    rows = np.stack([space.compare(one, weights) for one in placed])
    score = rows.mean(axis=0)
    for others, sign in ((more, 1), (less, -1)):
        if others:
            pulls = [space.compare(known.placed(seed), weights) for seed in others]
            score = score + sign * _PULL * np.mean(pulls, axis=0)
    for seed in (*seeds, *more, *less):
        if seed.song is not None and seed.song in known:
            score[known.row(seed.song)] = -np.inf
    stretch = len(seeds) == 1 and seeds[0].stretch
    best = [row for row in top(score, max(n, _CANDIDATES) if stretch else n).tolist() if np.isfinite(score[row])]
    nearest = rows.argmax(axis=0)
    parts = _parts(store, known, {row: placed[nearest[row]] for row in best}, weights)
    if stretch:
        found = {row: parts[row][0] + score[row] - rows[0, row] if row in parts else score[row] for row in best}
        best = sorted(best, key=lambda row: -found[row])[:n]
    else:
        found = {row: score[row] for row in best}
    return [
        Similar(
            song,
            float(np.clip(found[row] / (1 + _PULL * bool(more)), 0, 1)),
            reasons(seeds[nearest[row]].facts, song.facts, by=by),
            _span(parts, row, song.duration),
        )
        for row, song in zip(best, songs(store, [known.ids[row] for row in best]), strict=True)
    ]


def _parts(
    store: Store, known: SongSpace, asked: Mapping[int, Placed], weights: Weights
) -> dict[int, tuple[float, int, int]]:
    """For each row: the largest similarity of a segment, the number of the nearest segment, how many there are."""
    segments = read_segments(store, [known.ids[row] for row in asked], analysis_version(store.licence))
    by_query: dict[int, list[int]] = {}
    for row, one in asked.items():
        if known.ids[row] in segments:
            by_query.setdefault(id(one), []).append(row)
    found: dict[int, tuple[float, int, int]] = {}
    for rows in by_query.values():
        counts = [len(segments[known.ids[row]]) for row in rows]
        points = known.space.place_rows(np.concatenate([segments[known.ids[row]] for row in rows]))
        of, ends = np.repeat(rows, counts), np.cumsum(counts)[:-1]
        similar = known.space.compare_parts(asked[rows[0]], points, of, weights)
        near = similar
        if weights == DEFAULT_WEIGHTS:
            near = known.space.compare_parts(asked[rows[0]], points, of, PART_WEIGHTS)
        for row, alike, nearest in zip(rows, np.split(similar, ends), np.split(near, ends), strict=True):
            found[row] = (float(alike.max()), int(nearest.argmax()), len(nearest))
    return found


def _span(parts: Mapping[int, tuple[float, int, int]], row: int, duration: float | None) -> tuple[float, float] | None:
    _, number, count = parts.get(row, (0.0, 0, 1))
    if count < 2 or duration is None:
        return None
    start, stop = spans(duration)[number]
    return start, duration if stop is None else stop


def parse_weights(by: str | Mapping[str, float] | None) -> Weights:
    """Read ``timbre,mood:2``: names of blocks, each with its weight where it is not 1; None for the default weights.

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
