"""Positions of songs on the map: read, made where they are missing, and stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from celesta import _extras
from celesta.errors import UsageError
from celesta.library import layout
from celesta.library.block_table import analysis_version
from celesta.library.layout import Positions
from celesta.library.neighbours import DEFAULT_WEIGHTS, SongSpace
from celesta.library.records import Song, songs
from celesta.library.store import Store


@dataclass(frozen=True, eq=False)
class SongMap:
    """Songs on a plane, like songs near each other.

    Attributes:
        songs: the songs.
        xy: ``(songs, 2)`` positions, most within -1 to 1.
        cluster: ``(songs,)`` number of each song's cluster.
        clusters: what is typical of each cluster, in words.
        new: how many songs were placed now.
        trustworthiness: how many neighbours on the map are neighbours among the songs, 0 to 1.
        continuity: how many neighbours among the songs are neighbours on the map, 0 to 1.

    Example:
        >>> from pathlib import Path
        >>> song = Song(7, Path("a.mp3"), False, 180.0)
        >>> drawn = SongMap([song], np.zeros((1, 2)), np.zeros(1, int), ["calm"], 1, 1.0, 1.0)
        >>> drawn.clusters[drawn.cluster[0]]
        'calm'
    """

    songs: list[Song]
    xy: np.ndarray
    cluster: np.ndarray
    clusters: list[str]
    new: int
    trustworthiness: float
    continuity: float


def layout_version(licence: str) -> str:
    """Return what positions depend on: they are made anew where it changes."""
    return f"{layout.VERSION}/{analysis_version(licence)}"


def make_map(store: Store, space: SongSpace, *, refit: bool = False, seed: int = 0) -> SongMap:
    """Return the map of a library; songs that have a position keep it.

    Args:
        store: the library; new positions are stored in it.
        space: its songs.
        refit: lay out all songs anew.
        seed: of the random numbers of a new layout.

    Raises:
        UsageError: the seed is negative.
        MissingExtraError: scikit-learn is not installed.
    """
    _extras.require("sklearn", "the map of a library")
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, got {seed}")
    positions = layout.empty(len(space.ids)) if refit else _read(store, space)
    if not (positions.landmark & positions.placed).any():
        positions = layout.fit(space.space, DEFAULT_WEIGHTS, seed=seed)
        known = np.zeros(len(space.ids), bool)
    else:
        known = positions.placed
    positions = layout.place(space.space, DEFAULT_WEIGHTS, positions)
    _store(store, space, positions, np.flatnonzero(~known), everything=not known.any())
    trust, continuity = layout.trustworthiness_and_continuity(space.space, DEFAULT_WEIGHTS, positions)
    listed = songs(store, space.ids)
    words = [{**song.labels.get("words", {}), **song.labels.get("genre", {})} for song in listed]
    names = layout.cluster_names(positions.cluster, words)
    return SongMap(listed, positions.xy, positions.cluster, names, int((~known).sum()), trust, continuity)


def _read(store: Store, space: SongSpace) -> Positions:
    positions = layout.empty(len(space.ids))
    sql = "SELECT recording, x, y, cluster, landmark FROM positions WHERE layout = ?"
    for recording, x, y, cluster, landmark in store.rows(sql, (layout_version(store.licence),)):
        if recording in space:
            row = space.row(recording)
            positions.xy[row] = x, y
            positions.cluster[row] = cluster
            positions.landmark[row] = bool(landmark)
    return positions


def _store(store: Store, space: SongSpace, positions: Positions, rows: np.ndarray, *, everything: bool) -> None:
    if not len(rows):
        return
    version = layout_version(store.licence)
    with store.transaction():
        if everything:
            store.execute("DELETE FROM positions")
        for row in rows.tolist():
            x, y = positions.xy[row].tolist()
            cluster, landmark = int(positions.cluster[row]), int(positions.landmark[row])
            store.execute(
                "INSERT OR REPLACE INTO positions (recording, layout, x, y, cluster, landmark)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (space.ids[row], version, x, y, cluster, landmark),
            )
