"""`celesta classify evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import table
from celesta.cli.labelled import labelled_features
from celesta.cli.options import Cache, Data, Lists


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="genre, mood, or a model file.")],
    data: Data,
    cache: Cache = Path("cache/features"),
    lists: Lists = None,
) -> None:
    """Score a classifier on labelled music that it was not trained on.

    Example: `celesta classify evaluate mine.safetensors --data other-music/`
    """
    from celesta.predict.predictor import Predictor
    from celesta.predict.predictor import evaluate as score
    from celesta.probes.statistics import per_class

    predictor = Predictor.load(model)
    X, _, labels, groups = labelled_features(data, predictor.features, cache, lists)
    result = score(predictor, X, labels, groups)
    row, found = result.row(), per_class(result.counts.sum(0))
    table(
        f"{row['songs']} songs: accuracy {row['accuracy']:.3f}, macro-F1 {row['score']:.3f} "
        f"({row['low']:.3f} to {row['high']:.3f}), calibration error {row['calibration error']:.3f}",
        ["class", "precision", "recall", "F1", "support"],
        [
            [name, *(f"{found[k][i]:.2f}" for k in ("precision", "recall", "f1")), f"{found['support'][i]:.0f}"]
            for i, name in enumerate(predictor.classes)
        ],
    )
