"""`celesta classify train|predict|evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from celesta.cli.console import each_file, free_target, out, table
from celesta.cli.knowing import KINDS, Cache, Data, Lists, labelled_features

classify = typer.Typer(
    help="Train, use and score classifiers of songs.", no_args_is_help=True, rich_markup_mode="markdown"
)


@classify.command()
def train(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file.")] = Path("classifier.safetensors"),
    features: Annotated[str, typer.Option("--features", "-f", help=KINDS)] = "celesta-features",
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


@classify.command()
def predict(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Songs.", show_default=False)],
    models: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="genre, mood, tags, or a model file; several.", show_default=False),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page and JSON.")] = Path("heard"),
) -> None:
    """Genre, mood (with valence and arousal) and tags of songs, whole and over time: table, JSON, page.

    Example: `celesta classify predict song.mp3 albums/`
    """
    from celesta.audio import find_audio
    from celesta.errors import UsageError
    from celesta.predict.predictor import SHIPPED, Predictor
    from celesta.predict.song import Heard, Listener
    from celesta.report.predictions import write_page

    wanted = models or list(SHIPPED)
    listener = Listener({name if name in SHIPPED else Path(name).stem: Predictor.load(name) for name in wanted})
    files = [file for source in sources for file in find_audio(source)]
    if not files:
        raise UsageError(f"{sources[0]}: no sound files")
    songs: list[Heard] = []
    try:
        each_file(files, "listen", lambda file, _: songs.append(listener.hear(file)))
    finally:
        if songs:
            output.mkdir(parents=True, exist_ok=True)
            document = json.dumps([song.to_dict() for song in songs], indent=1)
            (output / "heard.json").write_text(document, encoding="utf-8")
            page = write_page(songs, output / "heard.html")
            names = list(listener.predictors)
            table("The likeliest, whole songs", ["song", *names], [_likeliest(song, names) for song in songs])
            out.print(f"report: {page}", soft_wrap=True)


@classify.command()
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


def _likeliest(song: Any, names: list[str]) -> list[str]:
    cells = [song.path.name]
    for name in names:
        values, classes = song.whole[name], song.classes[name]
        best = np.argsort(values)[::-1][:2]
        cells.append(", ".join(f"{classes[i]} {values[i]:.0%}" for i in best))
    return cells


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(classify, name="classify")
