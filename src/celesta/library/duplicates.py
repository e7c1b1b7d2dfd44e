"""Propose which recordings of a library are the same audio; nothing is merged.

Fingerprints decide, not tags or names. Two recordings are the same where most of the shorter one aligns with the longer
one. Groups hold only recordings that are all the same as each other; where that is in doubt, they are listed as pairs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from celesta._files import printable
from celesta.library.fingerprint import METHOD
from celesta.library.matching import Index, Match, align
from celesta.library.records import Song, songs
from celesta.library.store import Store

PART_SHARE, PART_SECONDS = 0.2, 6.0
"""From here on two recordings share audio, which is reported but never grouped."""
_CANDIDATES = 20  # recordings that are aligned with each one
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """Two recordings that share audio, with the evidence.

    Attributes:
        first: id of the song that was added first.
        second: id of the other one.
        match: how they align.
    """

    first: int
    second: int
    match: Match

    @property
    def same(self) -> bool:
        """Whether they are the same recording; see :meth:`celesta.library.matching.Match.same`."""
        return self.match.same()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        match = self.match
        return {
            "first": self.first,
            "second": self.second,
            "overlap": round(match.overlap, 1),
            "share": round(match.share, 3),
            "error": round(match.error, 3),
            "offset": round(match.offset, 2),
            "speed": round(match.speed, 4),
            "start": round(match.start, 1),
            "stop": round(match.stop, 1),
        }


@dataclass(frozen=True)
class Duplicates:
    """What :func:`find_duplicates` found.

    Attributes:
        groups: songs that are the same recording, the longest first.
        pairs: the evidence for all groups.
        partial: pairs that share audio and are in no group together: an excerpt in a mix, another edit.
        files: songs with several files whose encoded audio is identical, and these files.

    Example:
        >>> found = Duplicates(groups=[], pairs=[], partial=[])
        >>> found.to_dict()["groups"]
        []
    """

    groups: list[list[Song]]
    pairs: list[Pair]
    partial: list[tuple[Song, Song, Pair]]
    files: list[tuple[Song, list[Path]]] = field(default_factory=list)

    def match(self, first: Song, second: Song) -> Match | None:
        """Return how two songs of a group align, from the first to the second."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first.id, second.id):
                return pair.match
            if (pair.first, pair.second) == (second.id, first.id):
                return pair.match.reversed()
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "groups": [[song.to_dict() for song in group] for group in self.groups],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "partial": [
                {"first": str(a.to_dict()["path"]), "second": str(b.to_dict()["path"]), "match": pair.to_dict()}
                for a, b, pair in self.partial
            ],
            "files": [{"song": song.id, "paths": [printable(path) for path in paths]} for song, paths in self.files],
        }


def find_duplicates(store: Store, progress: Progress = lambda done, total: None) -> Duplicates:
    """Compare the fingerprints of all recordings whose files are there.

    Args:
        store: the library.
        progress: called with the number of recordings done, and of all.
    """
    rows = store.rows(
        "SELECT p.recording, p.data FROM fingerprints p WHERE p.method = ? AND EXISTS (SELECT 1 FROM files f"
        " WHERE f.recording = p.recording AND f.missing_since IS NULL) ORDER BY p.recording",
        (METHOD,),
    )
    ids = [int(one) for one, _ in rows]
    pairs = matching_pairs([np.frombuffer(data, "<u4").astype(np.uint32) for _, data in rows], progress)
    named = [Pair(ids[a], ids[b], match) for a, b, match in pairs]
    known = {song.id: song for song in songs(store, {one for pair in named for one in (pair.first, pair.second)})}
    named = [pair for pair in named if pair.first in known and pair.second in known]
    groups = _groups([pair for pair in named if pair.same], known)
    together = {(a, b) for group in groups for a in group for b in group}
    return Duplicates(
        [[known[one] for one in group] for group in groups],
        [pair for pair in named if (pair.first, pair.second) in together],
        [(known[p.first], known[p.second], p) for p in named if (p.first, p.second) not in together],
        _identical_files(store),
    )


def _identical_files(store: Store) -> list[tuple[Song, list[Path]]]:
    """Songs with several files that are there; links to one file count as one."""
    paths: dict[int, dict[int, Path]] = {}
    for recording, inode, path in store.rows(
        "SELECT recording, inode, path FROM files WHERE missing_since IS NULL AND recording IN (SELECT recording"
        " FROM files WHERE missing_since IS NULL GROUP BY recording HAVING count(DISTINCT inode) > 1) ORDER BY path"
    ):
        paths.setdefault(int(recording), {}).setdefault(int(inode), Path(os.fsdecode(path)))
    return [(song, list(paths[song.id].values())) for song in songs(store, paths)]


def matching_pairs(
    prints: Sequence[np.ndarray], progress: Progress = lambda done, total: None
) -> list[tuple[int, int, Match]]:
    """Return places of fingerprints that share audio, with their alignment, most shared first.

    Only recordings that have some sub-fingerprints in common are aligned.
    """
    index = Index(prints)
    looked_at: set[tuple[int, int]] = set()
    found: list[tuple[int, int, Match]] = []
    for a, query in enumerate(prints):
        for b in index.candidates(query, most=_CANDIDATES, without=a):
            pair = (min(a, b), max(a, b))
            if pair not in looked_at:
                looked_at.add(pair)
                match = align(prints[pair[0]], prints[pair[1]])
                if match.share >= PART_SHARE and match.overlap >= PART_SECONDS:
                    found.append((*pair, match))
        progress(a + 1, len(prints))
    for a, b in _open_triangles([(a, b) for a, b, match in found if match.same()]):
        if (a, b) not in looked_at:
            looked_at.add((a, b))
            match = align(prints[a], prints[b])
            if match.share >= PART_SHARE and match.overlap >= PART_SECONDS:
                found.append((a, b, match))
    return sorted(found, key=lambda one: -one[2].share)


def _open_triangles(same: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs that are not listed, but both are the same as a third one: two copies that were changed differently."""
    near: dict[int, set[int]] = {}
    for a, b in same:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    listed = set(same)
    pairs = {(a, b) for around in near.values() for a in around for b in around if a < b}
    return sorted(pairs - listed)


def _groups(pairs: Sequence[Pair], known: dict[int, Song]) -> list[list[int]]:
    """Groups in which every song is the same as every other one, the longest first in each."""
    same = {(a, b) for pair in pairs for a, b in ((pair.first, pair.second), (pair.second, pair.first))}
    order = sorted({one for pair in same for one in pair}, key=lambda one: (-(known[one].duration or 0), one))
    groups: list[list[int]] = []
    for one in order:
        for group in groups:
            if all((one, other) in same for other in group):
                group.append(one)
                break
        else:
            groups.append([one])
    return [group for group in groups if len(group) > 1]
