"""`celesta classify train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.files import free, ready_folder
from celesta.cli.labelled import labelled_features
from celesta.cli.options import DEFAULT_CACHE, Cache, Data, Features, Force, Json, Lists
from celesta.cli.progress import working


def train(
    data: Data,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="File of the classifier (.safetensors).")
    ] = Path("classifier.safetensors"),
    features: Features = "celesta-features",
    cache: Cache = DEFAULT_CACHE,
    lists: Lists = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train a classifier on labelled music: one sub-folder per class, or a CSV with path, label, group.

    It is scored by repeated folds that never split a group (an artist); the scores are printed and saved in the file.

    Example: `celesta classify train --data music/ -o mine.safetensors`

    Example: `celesta classify train --data labels.csv -f handcrafted`
    """
    free(output, force)
    ready_folder(output.parent)
    with working("train", "loading") as meter:
        from celesta.predict import predictor as classifying

        X, weighed, labels, groups = labelled_features(data, features, cache, lists, meter)
        meter.doing(f"scoring on {len(labels)} songs")
        row = classifying.cross_validate(X, labels, groups=groups, probe="lr", seeds=(0, 1), blocks=weighed).row()
        meter.doing(f"training on {len(labels)} songs")
        about = {"data": [path.name for path in data], "macro-F1, folds": row["score"], "songs": len(labels)}
        made = classifying.train(X, labels, groups, features=features, blocks=weighed, about=about)
        made.save(output)
    if as_json:
        keys = {"macro_f1": "score", "low": "low", "high": "high", "accuracy": "accuracy", "groups": "groups"}
        scores = {name: row[key] for name, key in keys.items()}
        console.emit({"output": output, "classes": made.classes, "songs": len(labels), **scores}, indent=1)
        return
    console.say(f"{len(labels)} songs, {len(made.classes)} classes: {', '.join(made.classes)}")
    console.say(
        f"macro-F1 {row['score']:.3f} ({row['low']:.3f} to {row['high']:.3f}), accuracy {row['accuracy']:.3f}, "
        f"in folds that keep {row['groups']} groups whole"
    )
    console.say(f"model: {output}")
