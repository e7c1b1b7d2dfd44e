"""Train, score and ship the three predictors: genre, mood, tags.

Run: python scripts/ship_predictors.py --gtzan FOLDER --qaed FOLDER [--cache cache/features]

Genre is trained on GTZAN's train and valid lists with 4QAED's clips of one genre that both know, each song also as an
altered copy (band-limited, re-encoded, another level), so that the traces of a collection's codec tell less. It is
scored on GTZAN's test list, and so is the predictor that shipped before. Mood and tags are trained on all of 4QAED and
scored by folds that keep artists whole.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from celesta import datasets
from celesta.codec import WEIGHTS
from celesta.datasets import Track
from celesta.features import FeatureCache, extract
from celesta.features.augmented import altered_features
from celesta.features.extract import Features
from celesta.features.fusion import blocks, needed
from celesta.predict import training as predictors
from celesta.predict.moods import QUADRANTS
from celesta.predict.predictor import Predictor
from celesta.probes import cross_validation, protocols, splits, statistics

KIND = "celesta-features"
SAME_GENRE = {
    "Blues": "blues", "Classical": "classical", "Country": "country", "Jazz": "jazz", "Rap": "hiphop",
    "Reggae": "reggae",
}  # fmt: skip


def collection_auc(predictor: Predictor, X: np.ndarray, collection: np.ndarray, groups: np.ndarray) -> float:
    """How well the collection is told from the predictor's log probabilities, folds keeping artists whole."""
    evidence = np.log(predictor.predict_proba(X) + 1e-6)
    found = np.zeros(len(X))
    for fold in splits.grouped(collection.astype(str), groups, 5):
        model = LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
        found[fold.test] = model.fit(evidence[fold.train], collection[fold.train]).predict_proba(evidence[fold.test])[
            :, 1
        ]
    return float(statistics.roc_auc(collection, found)[0])


def ship_genre(tracks: list[Track], features: Features, cache: FeatureCache) -> None:
    own = [t for t in tracks if t.dataset == "gtzan" and t.split in ("train", "valid")]
    test = [t for t in tracks if t.dataset == "gtzan" and t.split == "test"]
    artists = {datasets.normalise_name(t.group) for t in test}
    other = [
        t for t in tracks
        if t.dataset == "4qaed" and len(protocols.genres(t)) == 1 and protocols.genres(t)[0] in SAME_GENRE
        and datasets.normalise_name(t.extra["artist"]) not in artists
    ]  # fmt: skip
    training = [*own, *other]
    labels = np.array([t.label for t in own] + [SAME_GENRE[protocols.genres(t)[0]] for t in other])
    groups = np.array([t.group for t in own] + [t.extra["artist"] for t in other])
    X, weighed = blocks(features, KIND, [t.path for t in training])
    copies = altered_features([t.path for t in training], needed([KIND]), cache, workers=2)
    extra = (blocks(copies, KIND)[0], np.arange(len(training)))
    about = {
        "trained on": f"{len(own)} tracks of GTZAN's train and valid lists, {len(other)} one-genre clips of 4QAED",
        "altered copies": "one of each: band limit, other coder, other level",
        "licence": "research only",
    }
    contents = [cache.content(t.path) for t in training]
    made = predictors.train(
        X, labels, groups, features=KIND, blocks=weighed, extra=extra, about=about, contents=contents
    )
    plain = predictors.train(X, labels, groups, features=KIND, blocks=weighed)
    shared = np.isin(labels, list(SAME_GENRE.values()))
    which = np.array([t.dataset == "4qaed" for t in training])
    aucs = [collection_auc(p, X[shared], which[shared], groups[shared]) for p in (made, plain)]
    Xt, _ = blocks(features, KIND, [t.path for t in test])
    held_out = [
        predictors.evaluate(p, Xt, np.array([t.label for t in test]), np.array([t.group for t in test])).row()
        for p in (made, plain, Predictor.load("genre"))
    ]
    now, before = held_out[0]["accuracy"], held_out[2]["accuracy"]
    print(f"genre, accuracy on GTZAN's test list: {now:.4f}; the predictor that shipped before: {before:.4f}")
    made.about.update(
        {
            "accuracy, GTZAN test list here": held_out[0]["accuracy"],
            "macro-F1": held_out[0]["score"],
            "songs scored": len(test),
            "calibration error": held_out[0]["calibration error"],
            "accuracy without altered copies": held_out[1]["accuracy"],
            "AUC of telling the collection from its answers": aucs[0],
            "the same without altered copies": aucs[1],
        }
    )
    ship("genre", made)


def ship(name: str, predictor: Predictor) -> None:
    predictor.save(WEIGHTS / f"predict-{name}.safetensors")
    lines = [
        f"# predict-{name}",
        "",
        f"Classes: {', '.join(map(_named, predictor.classes))}. **Research use only**: trained on GTZAN and 4QAED.",
        "",
    ]
    lines += ["| | |", "|---|---|", f"| features | {predictor.features} |"]
    for key, value in predictor.about.items():
        if key != "classes":
            lines.append(f"| {key} | {f'{value:.4g}' if isinstance(value, float) else value} |")
    lines += ["", "Made by:", "", "```", "python scripts/ship_predictors.py --gtzan gtzan --qaed 4qaed", "```", ""]
    (WEIGHTS / f"predict-{name}.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines), flush=True)


def _named(name: str) -> str:
    """Return the name of a class, of a mood with its quadrant."""
    return f"{name} ({QUADRANTS[name]})" if name in QUADRANTS else name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gtzan", type=Path, required=True)
    parser.add_argument("--qaed", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache/features"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tracks = datasets.load([arguments.gtzan, arguments.qaed])
    cache = FeatureCache(arguments.cache)
    features = extract([t.path for t in tracks], needed([KIND]), cache, workers=2)
    mood = protocols.mood(tracks)
    X, weighed = blocks(features, KIND, [t.path for t in mood.tracks])
    row = cross_validation.run(mood, X, "lr", blocks=weighed).row()
    about = {
        "trained on": "4QAED, 720 clips",
        "macro-F1, artists apart": row["score"],
        "interval": f"{row['low']:.3f} to {row['high']:.3f}",
    }
    contents = [cache.content(t.path) for t in mood.tracks]
    ship(
        "mood",
        predictors.train(X, mood.labels, mood.groups, features=KIND, blocks=weighed, about=about, contents=contents),
    )
    tags = protocols.tags(tracks)
    row = cross_validation.run(tags, X, blocks=weighed).row()
    about = {
        "classes": list(tags.classes), "trained on": "4QAED, 720 clips",
        "ROC-AUC, artists apart (LR with SVM)": row["score"], "PR-AUC": row["PR-AUC"],
    }  # fmt: skip
    contents = [cache.content(t.path) for t in tags.tracks]
    ship(
        "tags",
        predictors.train(X, tags.labels, tags.groups, features=KIND, blocks=weighed, about=about, contents=contents),
    )
    ship_genre(tracks, features, cache)


if __name__ == "__main__":
    main()
