"""`celesta classify evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from celesta import _extras
from celesta._files import printable
from celesta.cli import console
from celesta.cli.checks import check_compute, check_predictor
from celesta.cli.options import Cache, Data, Device, Encoding, Json, Lists, Strict, Workers, cache_of
from celesta.cli.progress import working


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="genre, mood, or a file of a classifier.", show_default=False)
    ],
    data: Data,
    cache: Cache = None,
    lists: Lists = None,
    encoding: Encoding = None,
    workers: Workers = 1,
    device: Device = "auto",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Score a classifier on labelled music that it was not trained on.

    Songs that it was trained on are counted in a warning, because their scores say nothing about other music.

    Example: `celesta classify evaluate mine.safetensors --data other-music/`
    """
    _extras.require("sklearn", "celesta classify evaluate")
    check_compute(device)
    check_predictor(model, "MODEL")
    console.be_strict(strict)
    with working("evaluate", "loading") as meter:
        from celesta.predict.labelled import evaluate_on
        from celesta.predict.predictor import Predictor
        from celesta.probes.statistics import PER_CLASS_HEAD, per_class_rows

        scored = evaluate_on(
            Predictor.load(model), data, cache=cache_of(cache), lists=lists, encoding=encoding, workers=workers,
            device=device, progress=meter.steps,
        )  # fmt: skip
    console.left_out(scored.songs.left_out)
    result = scored.result
    row, found, names = result.row(), result.per_class, result.task.classes
    if as_json:
        keys = {"macro_f1": "score", "low": "low", "high": "high", "accuracy": "accuracy", "songs": "songs"}
        document = {"model": model, **{name: row[key] for name, key in keys.items()}}
        document |= {"calibration_error": row["calibration error"], "songs_trained_on": scored.trained_on}
        document["classes"] = [
            {"class": name, **{key: found[key][i] for key in found}} for i, name in enumerate(names)
        ]  # fmt: skip
        document["left_out"] = {printable(path): reason for path, reason in scored.songs.left_out.items()}
        console.emit(document, indent=1)
        return
    console.say(
        f"{row['songs']} songs: accuracy {row['accuracy']:.3f}, macro-F1 {row['score']:.3f} "
        f"({row['low']:.3f} to {row['high']:.3f}), calibration error {row['calibration error']:.3f}"
    )
    console.table("", PER_CLASS_HEAD, per_class_rows(names, result.counts.sum(0)))
