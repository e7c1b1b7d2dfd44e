"""What the choices in the study were made by: scores that no held-out song has a part in.

Run: python scripts/rank_choices.py --gtzan FOLDER --qaed FOLDER [--cache cache/features]

cross: ways to train on 4QAED's one-genre clips, balanced accuracy over folds of these clips that keep artists whole, on
the clips and on altered copies of them (band limit, other coder, other level), which stand in for another collection.
unlabelled: blocks of celesta-unlabelled, AMI of K-Means on PCA(20) of GTZAN's train list alone, four genres.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score

from celesta import classify, cluster, datasets
from celesta.features import FeatureCache, extract
from celesta.features.altered import altered_arrays, altered_features
from celesta.features.extract import song_arrays
from celesta.features.fused import blocks, needed
from celesta.features.kinds import extractor
from celesta.features.musicnn import load_musicnn
from celesta.probes import protocols, splits
from celesta.probes.estimators import probe
from celesta.probes.late import train_late

Answer = Callable[[np.ndarray, bool], np.ndarray]
"""Rows and whether their copies are asked, to probabilities."""


def rank_cross(tracks: list[datasets.Track], cache: FeatureCache, seeds: tuple[int, ...]) -> None:
    whole = protocols.cross(tracks)
    clips = [whole.tracks[i] for i in whole.splits[0].train]
    labels, groups = whole.labels[whole.splits[0].train], whole.groups[whole.splits[0].train]
    paths, kind = [t.path for t in clips], "celesta-features"
    X, weighed = blocks(extract(paths, needed([kind]), cache), kind, paths)
    C, _ = blocks(altered_features(paths, needed([kind]), cache), kind)
    tagger = load_musicnn("MSD")
    reader = [extractor("patches:musicnn-msd")]
    songs = [song_arrays(path, reader, cache)[0] for path in paths]
    copies = [altered_arrays(path, reader, cache)[0] for path in paths]

    def chosen(train: np.ndarray) -> Answer:
        model = probe("chosen", 0, weighed).fit(X[train], labels[train], groups[train])
        return lambda rows, copied: model.predict_proba((C if copied else X)[rows])

    def regression(train: np.ndarray, with_copies: bool) -> Answer:
        extra = (C[train], np.arange(len(train))) if with_copies else None
        model = classify.train(X[train], labels[train], groups[train], features=kind, blocks=weighed, extra=extra)
        return lambda rows, copied: model.predict_proba((C if copied else X)[rows])

    def late(train: np.ndarray, with_copies: bool) -> Answer:
        heard, names = [songs[i] for i in train], labels[train]
        if with_copies:
            heard, names = heard + [copies[i] for i in train], np.concatenate([names, names])
        model = train_late(tagger, heard, names)
        return lambda rows, copied: model.predict_proba([(copies if copied else songs)[i] for i in rows])

    def mean(train: np.ndarray, with_copies: bool) -> Answer:
        one, other = regression(train, with_copies), late(train, with_copies)
        return lambda rows, copied: (one(rows, copied) + other(rows, copied)) / 2

    ways: dict[str, Callable[[np.ndarray], Answer]] = {"chosen": chosen}
    for name, make in (("lr", regression), ("late layers", late), ("mean of both", mean)):
        ways[name] = lambda train, make=make: make(train, False)
        ways[f"{name}, altered copies"] = lambda train, make=make: make(train, True)
    classes = np.unique(labels)
    print(f"cross: {len(clips)} clips, {len(set(groups))} artists; balanced accuracy on clips / on altered copies")
    for name, way in ways.items():
        found = np.zeros((2, len(seeds)))
        for i, seed in enumerate(seeds):
            guess = np.empty((2, len(clips)), labels.dtype)
            for fold in splits.grouped(labels, groups, 5, (seed,)):
                answer = way(fold.train)
                for copied in (0, 1):
                    guess[copied, fold.test] = classes[answer(fold.test, bool(copied)).argmax(1)]
            found[:, i] = [balanced_accuracy_score(labels, one) for one in guess]
        print(f"{name:28s} {found[0].mean():.3f} / {found[1].mean():.3f}", flush=True)


def rank_unlabelled(tracks: list[datasets.Track], cache: FeatureCache) -> None:
    songs = [t for t in protocols.p4(tracks).tracks if t.split == "train"]
    labels = [t.label for t in songs]
    found = extract([t.path for t in songs], ["celesta-ssl", "handcrafted"], cache)
    mean, std, made = found.part("celesta-ssl", "mean"), found.part("celesta-ssl", "std"), found["handcrafted"]
    print(f"unlabelled: {len(songs)} songs of GTZAN's train list; AMI of K-Means on PCA(20)")
    for name, parts in {
        "mean and std": [mean, std],
        "mean": [mean],
        "hand-crafted": [made],
        "mean, std, hand-crafted": [mean, std, made],
        "mean, hand-crafted": [mean, made],
    }.items():
        sizes = [(part.shape[1], 1.0) for part in parts]
        made_of = cluster.sweep(
            np.concatenate(parts, axis=1), labels, methods=("kmeans",), spaces=(20,), seeds=range(5), blocks=sizes
        )
        print(f"{name:28s} {np.mean([one.ami for one in made_of]):.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gtzan", type=Path, required=True)
    parser.add_argument("--qaed", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache/features"))
    parser.add_argument("--seeds", type=int, default=2, help="repetitions of the folds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tracks = datasets.load([arguments.gtzan, arguments.qaed])
    cache = FeatureCache(arguments.cache)
    rank_unlabelled(tracks, cache)
    rank_cross(tracks, cache, tuple(range(arguments.seeds)))


if __name__ == "__main__":
    main()
