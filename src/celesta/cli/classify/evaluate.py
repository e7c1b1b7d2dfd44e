"""`celesta classify evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.labelled import labelled_features
from celesta.cli.options import DEFAULT_CACHE, Cache, Data, Json, Lists
from celesta.cli.progress import working


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="genre, mood, or a file of a classifier.", show_default=False)
    ],
    data: Data,
    cache: Cache = DEFAULT_CACHE,
    lists: Lists = None,
    as_json: Json = False,
) -> None:
    """Score a classifier on labelled music that it was not trained on.

    Example: `celesta classify evaluate mine.safetensors --data other-music/`
    """
    with working("evaluate", "loading") as meter:
        from celesta.predict.predictor import Predictor
        from celesta.predict.predictor import evaluate as score
        from celesta.probes.statistics import per_class

        predictor = Predictor.load(model)
        X, _, labels, groups = labelled_features(data, predictor.features, cache, lists, meter)
        result = score(predictor, X, labels, groups)
    row, found = result.row(), per_class(result.counts.sum(0))
    classes = [
        {"class": name, **{key: found[key][i] for key in ("precision", "recall", "f1", "support")}}
        for i, name in enumerate(predictor.classes)
    ]
    if as_json:
        keys = {"macro_f1": "score", "low": "low", "high": "high", "accuracy": "accuracy", "songs": "songs"}
        scores = {name: row[key] for name, key in keys.items()}
        document = {"model": model, **scores, "calibration_error": row["calibration error"], "classes": classes}
        console.emit(document, indent=1)
        return
    console.say(
        f"{row['songs']} songs: accuracy {row['accuracy']:.3f}, macro-F1 {row['score']:.3f} "
        f"({row['low']:.3f} to {row['high']:.3f}), calibration error {row['calibration error']:.3f}"
    )
    console.table(
        "",
        ["class", "precision", "recall", "F1", "support"],
        [
            [c["class"], *(f"{c[key]:.2f}" for key in ("precision", "recall", "f1")), f"{c['support']:.0f}"]
            for c in classes
        ],
    )
