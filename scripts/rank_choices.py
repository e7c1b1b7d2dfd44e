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

from celesta import datasets
from celesta.features import FeatureCache, extract
from celesta.features.augmented import altered_arrays, altered_features
from celesta.features.extract import song_arrays
from celesta.features.fusion import blocks, needed
from celesta.features.musicnn import load_musicnn
from celesta.features.parallel import all_songs
from celesta.predict import training as predictors
from celesta.probes import clustering, protocols, splits
from celesta.probes.estimators import probe
from celesta.probes.late_layers import train_late

Answer = Callable[[np.ndarray, bool], np.ndarray]
"""Rows and whether their copies are asked, to probabilities."""
Way = Callable[[np.ndarray], Answer]
"""Rows to train on, to what answers."""


JOINS = [("lr", "late MSD")]
JOINS += [tuple(f"{part}, copies" for part in join) for join in (
    ("lr", "late MSD"), ("svm", "late MSD"), ("lr", "svm"), ("lr", "svm", "late MSD"),
    ("lr", "late MSD", "late MTT"), ("lr", "svm", "late MSD", "late MTT"),
)]  # fmt: skip
"""Ways whose probabilities are averaged."""


def ways_of(clips: list[datasets.Track], labels: np.ndarray, groups: np.ndarray, cache: FeatureCache) -> dict[str, Way]:
    """The ways to train that are ranked, each by its name."""
    paths, kind = [t.path for t in clips], "celesta-features"
    X, weighed = blocks(extract(paths, needed([kind]), cache), kind, paths)
    C, _ = blocks(altered_features(paths, needed([kind]), cache), kind)
    own, other = ("patches:musicnn-msd", "patches:musicnn-mtt")
    songs = {kind: [arrays[0] for arrays in all_songs(song_arrays, paths, [kind], cache, 1)] for kind in (own, other)}
    copies = {
        kind: [arrays[0] for arrays in all_songs(altered_arrays, paths, [kind], cache, 1)] for kind in (own, other)
    }

    def probed(name: str, with_copies: bool) -> Way:
        def train(rows: np.ndarray) -> Answer:
            twice = np.concatenate([rows, rows]) if with_copies else rows
            vectors = np.concatenate([X[rows], C[rows]]) if with_copies else X[rows]
            model = probe(name, 0, weighed).fit(vectors, labels[twice], groups[twice])
            return lambda asked, copied: model.predict_proba((C if copied else X)[asked])

        return train

    def regression(with_copies: bool) -> Way:
        def train(rows: np.ndarray) -> Answer:
            extra = (C[rows], np.arange(len(rows))) if with_copies else None
            model = predictors.train(X[rows], labels[rows], groups[rows], features=kind, blocks=weighed, extra=extra)
            return lambda asked, copied: model.predict_proba((C if copied else X)[asked])

        return train

    def late(of: str, with_copies: bool) -> Way:
        tagger = load_musicnn(of[-3:].upper())

        def train(rows: np.ndarray) -> Answer:
            found, names = [songs[of][i] for i in rows], labels[rows]
            if with_copies:
                found, names = found + [copies[of][i] for i in rows], np.concatenate([names, names])
            model = train_late(tagger, found, names)
            return lambda asked, copied: model.predict_proba([(copies if copied else songs)[of][i] for i in asked])

        return train

    return {
        "chosen": probed("chosen", False),
        "svm": probed("svm", False),
        "lr": regression(False),
        "late MSD": late(own, False),
        "svm, copies": probed("svm", True),
        "lr, copies": regression(True),
        "late MSD, copies": late(own, True),
        "late MTT, copies": late(other, True),
    }


def rank_cross(tracks: list[datasets.Track], cache: FeatureCache, seeds: tuple[int, ...]) -> None:
    whole = protocols.cross(tracks)
    clips = [whole.tracks[i] for i in whole.splits[0].train]
    labels, groups = whole.labels[whole.splits[0].train], whole.groups[whole.splits[0].train]
    ways = ways_of(clips, labels, groups, cache)
    classes = np.unique(labels)
    print(f"cross: {len(clips)} clips, {len(set(groups))} artists; balanced accuracy on clips / on altered copies")
    points: dict[str, list[np.ndarray]] = {}
    for seed in seeds:
        found = {name: np.zeros((2, len(clips), len(classes))) for name in ways}
        for fold in splits.grouped(labels, groups, 5, (seed,)):
            for name, way in ways.items():
                answer = way(fold.train)
                for copied in (0, 1):
                    found[name][copied, fold.test] = answer(fold.test, bool(copied))
        found |= {" + ".join(join): np.mean([found[part] for part in join], axis=0) for join in JOINS}
        for name, both in found.items():
            score = [balanced_accuracy_score(labels, classes[one.argmax(1)]) for one in both]
            points.setdefault(name, []).append(np.array(score))
    for name, scored in points.items():
        mean = np.mean(scored, axis=0)
        print(f"{name:60s} {mean[0]:.3f} / {mean[1]:.3f}", flush=True)


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
        made_of = clustering.sweep(
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
