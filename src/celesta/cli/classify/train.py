"""`celesta classify train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta import _extras
from celesta._files import printable
from celesta.cli import console
from celesta.cli.checks import check_compute, check_features
from celesta.cli.files import file_name, free, ready_folder
from celesta.cli.options import (
    Cache,
    Data,
    Device,
    Encoding,
    Features,
    Folds,
    Force,
    Json,
    Lists,
    Strict,
    Workers,
    cache_of,
)
from celesta.cli.progress import working


def train(
    data: Data,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="File of the classifier (.safetensors).")
    ] = Path("classifier.safetensors"),
    features: Features = "celesta-features",
    folds: Folds = None,
    cache: Cache = None,
    lists: Lists = None,
    encoding: Encoding = None,
    workers: Workers = 1,
    device: Device = "auto",
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Train a classifier on labelled music: one sub-folder per class, or a CSV with path, label, group.

    It is scored by repeated folds that never split a group (an artist); the scores are printed and saved in the file.

    Example: `celesta classify train --data music/ -o mine.safetensors`

    Example: `celesta classify train --data labels.csv -f handcrafted --folds 3`
    """
    _extras.require("sklearn", "celesta classify train")
    check_compute(device)
    check_features(features)
    free(file_name(output, ".safetensors"), force)
    ready_folder(output.parent)
    console.be_strict(strict)
    with working("train", "loading", parts=True) as meter:
        from celesta.predict.labelled import train_on

        trained = train_on(
            data, features=features, cache=cache_of(cache), lists=lists, encoding=encoding, folds=folds,
            workers=workers, device=device, progress=meter.steps,
        )  # fmt: skip
        trained.predictor.save(output)
    console.left_out(trained.songs.left_out)
    row, classes, songs = trained.result.row(), trained.predictor.classes, len(trained.songs.tracks)
    if as_json:
        keys = {"macro_f1": "score", "low": "low", "high": "high", "accuracy": "accuracy", "groups": "groups"}
        scores = {name: row[key] for name, key in keys.items()}
        left_out = {printable(path): reason for path, reason in trained.songs.left_out.items()}
        document = {"output": output, "classes": classes, "songs": songs, **scores, "folds": trained.folds}
        console.emit({**document, "note": trained.note, "left_out": left_out}, indent=1)
        return
    console.say(f"{songs} songs, {len(classes)} classes: {', '.join(classes)}")
    console.say(
        f"macro-F1 {row['score']:.3f} ({row['low']:.3f} to {row['high']:.3f}), accuracy {row['accuracy']:.3f}, "
        f"in {trained.folds} folds that never split one of {row['groups']} groups"
    )
    if trained.note:
        console.say(f"note: {trained.note}")
    console.say(f"model: {output}")
