"""Compare a library's neighbours where the taggers see all patches of 3 s with those where they see some of them."""

from __future__ import annotations

import argparse
import hashlib
import os
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import joblib
import numpy as np
from _library_retrieval import NEIGHBOURS, Collection, collections, interval

from celesta._files import atomic
from celesta.errors import DataError
from celesta.features import musicnn, registry
from celesta.features.analyse import analyse
from celesta.features.base import Extractor
from celesta.features.extract import gathered
from celesta.library.analysis import analyser
from celesta.library.block_table import BLOCKS, EXTRACTORS, references
from celesta.library.neighbours import DEFAULT_WEIGHTS
from celesta.library.space import Space, top

STRIDES = (1, 2, 3, 5)


@lru_cache(maxsize=1)
def _extractors() -> tuple[dict[str, musicnn.Musicnn], list[Extractor]]:
    networks = {name: musicnn.load_musicnn(name.removeprefix("musicnn-").upper()) for name in EXTRACTORS[:2]}
    return networks, [registry.extractor(name) for name in EXTRACTORS[2:]]


def strided_blocks(path: Path, strides: Sequence[int] = STRIDES) -> list[dict[str, np.ndarray]]:
    """Return the blocks of a song for each stride: every so many patches are pooled."""
    networks, others = _extractors()
    taggers = [musicnn.of_network(name, network) for name, network in networks.items()]
    analysis = analyse(path, [*taggers, *others])
    known = analysis.arrays(extractors=others)
    made = []
    for stride in strides:
        arrays = []
        for one in taggers:
            dense = analysis._analyses[one.analysis]
            thin = musicnn.Patches(networks[one.name], stride * musicnn.PATCH_FRAMES)
            thin._rows.append(dense._rows.between()[::stride])
            arrays.append(one.summarise(thin, 0.0, None))
        features = gathered([path], EXTRACTORS, [[*arrays, *known]])
        made.append({name: rows[0] for name, rows in analyser()._blocks(features).items()})
    return made


def stored_blocks(path: Path, cache: Path) -> list[dict[str, np.ndarray]]:
    """Return the blocks of a song for each stride, from the cache where they are there."""
    file = cache / f"{hashlib.sha1(os.fsencode(os.path.abspath(path))).hexdigest()[:20]}.npz"
    if not file.exists():
        made = {f"{number}.{name}": row for number, of in enumerate(strided_blocks(path)) for name, row in of.items()}
        with atomic(file, DataError) as temporary, temporary.open("wb") as opened:
            np.savez(opened, **made)
    with np.load(file) as known:
        return [{name: known[f"{number}.{name}"] for name in BLOCKS} for number in range(len(STRIDES))]


def strides(args: argparse.Namespace) -> None:
    """Ask the library with songs of which some patches are pooled, and print precision by genre for each stride."""
    args.cache.mkdir(parents=True, exist_ok=True)
    for songs in collections(args):
        rows = random.Random(args.seed).sample(range(len(songs.paths)), min(args.most, len(songs.paths)))
        found = joblib.Parallel(args.workers)(
            joblib.delayed(stored_blocks)(songs.paths[row], args.cache) for row in rows
        )
        values = queried(songs, rows, found)
        groups = np.array([songs.artists[row] or f"song {row}" for row in rows])
        print(
            f"\n{songs.name}: {len(rows)} queries among {len(songs.paths)} songs\n| patches | precision@5, genre |",
            end="",
        )
        print(" less that of all patches |\n| --- | --- | --- |")
        for number, stride in enumerate(STRIDES):
            mean, low, high = interval(values[:, number], groups, args.seed)
            change, least, most = interval(values[:, number] - values[:, 0], groups, args.seed)
            print(f"| 1 of {stride} | {mean:.3f} [{low:.3f}, {high:.3f}] | {change:+.3f} [{least:+.3f}, {most:+.3f}] |")


def queried(songs: Collection, rows: Sequence[int], found: Sequence[Sequence[Mapping[str, np.ndarray]]]) -> np.ndarray:
    """Return the precision ``(queries, strides)`` of the five songs nearest to each query, its artist left out."""
    space, artists = Space(songs.blocks, references()), np.array(songs.artists)
    values = np.zeros((len(rows), len(STRIDES)))
    for place, row in enumerate(rows):
        out = (artists == artists[row]) & (artists[row] != "")
        out[row] = True
        for number, blocks in enumerate(found[place]):
            similar = np.array(space.similarities(blocks, DEFAULT_WEIGHTS), np.float64)
            similar[out] = -np.inf
            near = top(similar, NEIGHBOURS).tolist()
            values[place, number] = np.mean([not songs.labels[row].isdisjoint(songs.labels[other]) for other in near])
    return values
