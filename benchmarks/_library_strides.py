"""Compare a library's neighbours where the taggers see all patches of 3 s with those where they see some of them."""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import joblib
import numpy as np
from _library_retrieval import Collection, cache_file, interval, judged_gtzan, judged_qaed
from _library_weights import Scorer

from celesta._files import atomic
from celesta.errors import DataError
from celesta.features import musicnn, registry
from celesta.features.analyse import analyse
from celesta.features.base import Extractor
from celesta.features.extract import gathered
from celesta.library.analysis import BLOCKS, EXTRACTORS, analyser
from celesta.library.neighbours import DEFAULT_WEIGHTS

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
    file = cache_file(path, cache)
    if not file.exists():
        made = {f"{number}.{name}": row for number, of in enumerate(strided_blocks(path)) for name, row in of.items()}
        with atomic(file, DataError) as temporary, temporary.open("wb") as opened:
            np.savez(opened, **made)
    with np.load(file) as known:
        return [{name: known[f"{number}.{name}"] for name in BLOCKS} for number in range(len(STRIDES))]


def strides(args: argparse.Namespace) -> None:
    """Print precision of neighbours by genre for each stride, and its difference from that of all patches."""
    args.cache.mkdir(parents=True, exist_ok=True)
    judged: dict[str, Mapping[Path, tuple[set[str], str]]] = {}
    if args.gtzan:
        judged["GTZAN, fault-filtered"] = judged_gtzan(args.gtzan, args.lists)
    if args.qaed:
        judged["4QAED"] = judged_qaed(args.qaed)
    chosen = {name: random.Random(args.seed).sample(sorted(f), min(args.most, len(f))) for name, f in judged.items()}
    every = [path for pair in itertools.zip_longest(*chosen.values()) for path in pair if path]
    for first in range(0, len(every), 50):
        some = every[first : first + 50]
        joblib.Parallel(args.workers)(joblib.delayed(stored_blocks)(path, args.cache) for path in some)
        print(f"{min(first + 50, len(every))} of {len(every)} songs", file=sys.stderr, flush=True)
    for name, files in judged.items():
        paths = chosen[name]
        found = [stored_blocks(path, args.cache) for path in paths]
        print(f"\n{name}: {len(paths)} clips of 30 s\n| patches | precision@5, genre | less that of all |")
        print("| --- | --- | --- |")
        whole = np.zeros(0)
        for number, stride in enumerate(STRIDES):
            blocks = {block: np.stack([one[number][block] for one in found]) for block in BLOCKS}
            scorer = Scorer(Collection(name, blocks, [files[p][0] for p in paths], [files[p][1] for p in paths]))
            values = scorer(DEFAULT_WEIGHTS.of)
            whole = whole if len(whole) else values
            mean, low, high = interval(values, scorer.groups, args.seed)
            change, least, most = interval(values - whole, scorer.groups, args.seed)
            print(f"| 1 of {stride} | {mean:.3f} [{low:.3f}, {high:.3f}] | {change:+.3f} [{least:+.3f}, {most:+.3f}] |")
