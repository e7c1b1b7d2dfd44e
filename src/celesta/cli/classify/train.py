"""`celesta classify train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import free_target, out, table
from celesta.cli.labelled import labelled_features
from celesta.cli.options import FEATURES, Cache, Data, Lists


def train(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file.")] = Path("classifier.safetensors"),
    features: Annotated[str, typer.Option("--features", "-f", help=FEATURES)] = "celesta-features",
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    cache: Cache = Path("cache/features"),
    lists: Lists = None,
) -> None:
    """Train a classifier on labelled music: sub-folders, or a CSV with path, label and group.

    Scores by repeated folds that keep groups (artists) whole are printed and kept in the file.

    Example: `celesta classify train --data music/ -o mine.safetensors`

    Example: `celesta classify train --data labels.csv -f handcrafted`
    """
    from celesta.predict import predictor as classifying

    free_target(output, force)
    X, weighed, labels, groups = labelled_features(data, features, cache, lists)
    scored = classifying.cross_validate(X, labels, groups=groups, probe="lr", seeds=(0, 1), blocks=weighed).row()
    about = {"data": [path.name for path in data], "macro-F1, folds": scored["score"], "songs": len(labels)}
    made = classifying.train(X, labels, groups, features=features, blocks=weighed, about=about)
    output.parent.mkdir(parents=True, exist_ok=True)
    made.save(output)
    interval = f"{scored['low']:.3f} to {scored['high']:.3f}"
    table(
        f"{len(labels)} songs, folds that keep {scored['groups']} groups whole",
        ["classes", "macro-F1", "interval", "accuracy"],
        [[", ".join(made.classes), f"{scored['score']:.3f}", interval, f"{scored['accuracy']:.3f}"]],
    )
    out.print(f"model: {output}", soft_wrap=True)
