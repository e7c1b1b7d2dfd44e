"""Choose the weights of a library's blocks on one half of the artists, and score them on the other half."""

from __future__ import annotations

import argparse
import hashlib
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from _library_retrieval import NEIGHBOURS, Collection, collections, interval

from celesta.library.block_table import references
from celesta.library.neighbours import DEFAULT_WEIGHTS
from celesta.library.space import Space, Weights

GRID = {
    "timbre": (0.0, 0.1, 0.25, 0.5),
    "mood": (0.0, 0.1, 0.25, 0.5),
    "rhythm": (0.0, 0.1, 0.25),
    "harmony": (0.0, 0.1, 0.25),
    "loudness": (0.0, 0.05, 0.1),
}
"""Weights that are tried next to 1 for ``style``."""
STYLE = {"style": 1.0}
EARLIER = {"style": 1.0, "timbre": 0.5, "mood": 0.25, "rhythm": 0.25, "harmony": 0.25, "loudness": 0.1}
"""The default weights until these were measured."""


def half_of(songs: Collection, which: int) -> Collection:
    """Return the songs of half of the artists; a hash of the artist decides, so that nobody chooses."""
    names = [artist or f"song {i}" for i, artist in enumerate(songs.artists)]
    rows = [i for i, name in enumerate(names) if hashlib.sha256(name.encode()).digest()[0] % 2 == which]
    return Collection(
        f"{songs.name}, half {which + 1}",
        [songs.paths[row] for row in rows],
        {name: block[rows] for name, block in songs.blocks.items()},
        [songs.labels[row] for row in rows],
        [songs.artists[row] for row in rows],
    )


class Scorer:
    """Precision of the nearest songs of a collection by genre, artists filtered, for any weights."""

    def __init__(self, songs: Collection) -> None:
        self.songs, self.space = songs, Space(songs.blocks, references())
        artists = np.array(songs.artists)
        self.groups = np.array([artist or f"song {i}" for i, artist in enumerate(songs.artists)])
        self._left_out = ((artists[:, None] == artists) & (artists != "")) | np.eye(len(artists), dtype=bool)
        self._agree = np.array([[not a.isdisjoint(b) for b in songs.labels] for a in songs.labels])

    def __call__(self, of: Mapping[str, float]) -> np.ndarray:
        """Return the precision of each song's neighbours ``(songs,)``."""
        rows = np.arange(self.space.songs)
        similar = self.space.compare_many(rows, rows, Weights(of))
        similar[self._left_out] = -np.inf
        near = np.argpartition(-similar, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        found: np.ndarray = np.take_along_axis(self._agree, near, axis=1).mean(axis=1)
        return found


def chosen(scorers: Sequence[Scorer]) -> list[tuple[float, dict[str, float]]]:
    """Return all weights of the grid with their mean precision over collections.

    The best come first; of equal ones those with fewer and smaller weights.
    """
    tried = []
    for values in itertools.product(*GRID.values()):
        of = STYLE | {name: value for name, value in zip(GRID, values, strict=True) if value}
        tried.append((float(np.mean([one(of).mean() for one in scorers])), of))
    return sorted(tried, key=lambda pair: (-pair[0], len(pair[1]), sum(pair[1].values())))


def weights(args: argparse.Namespace) -> None:
    """Choose on one half of the artists of each collection, and print scores on the other half."""
    every = collections(args)
    judged = [Scorer(half_of(songs, 0)) for songs in every if "free" not in songs.name]
    ranked = chosen(judged)
    named = ", ".join(one.songs.name for one in judged)
    print(f"{len(ranked)} sets of weights; mean precision of {named}:")
    for mean, of in ranked[:10]:
        print(f"    {mean:.4f}  {of}")
    for name, of in (("style alone", STYLE), ("earlier default", EARLIER), ("default", DEFAULT_WEIGHTS.of)):
        print(f"    {np.mean([one(of).mean() for one in judged]):.4f}  {name}")
    print("\n| songs | vectors | precision@5, genre | less that of style alone |\n| --- | --- | --- | --- |")
    for songs in every:
        scorer = Scorer(half_of(songs, 1))
        alone = scorer(STYLE)
        tried = {"style alone": STYLE, "best": ranked[0][1], "default": DEFAULT_WEIGHTS.of, "earlier default": EARLIER}
        for name, of in tried.items():
            values = scorer(of)
            mean, low, high = interval(values, scorer.groups, args.seed)
            gain, least, most = interval(values - alone, scorer.groups, args.seed)
            row = f"{mean:.3f} [{low:.3f}, {high:.3f}] | {gain:+.3f} [{least:+.3f}, {most:+.3f}]"
            print(f"| {scorer.songs.name}: {len(values)} | {name} | {row} |", flush=True)
