"""`celesta classify predict`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from celesta.cli.console import each_file, out, table


def predict(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Songs.", show_default=False)],
    models: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="genre, mood, tags, or a model file; several.", show_default=False),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page and JSON.")] = Path("predictions"),
) -> None:
    """Genre, mood (with valence and arousal) and tags of songs, whole and over time: table, JSON, page.

    Example: `celesta classify predict song.mp3 albums/`
    """
    from celesta.audio import find_audio
    from celesta.errors import UsageError
    from celesta.predict import SongPrediction, SongPredictor
    from celesta.predict.predictor import SHIPPED
    from celesta.report.predictions import write_page

    predictor = SongPredictor(models or SHIPPED)
    files = [file for source in sources for file in find_audio(source)]
    if not files:
        raise UsageError(f"{sources[0]}: no sound files")
    songs: list[SongPrediction] = []
    try:
        each_file(files, "predict", lambda file, _: songs.append(predictor.predict(file)))
    finally:
        if songs:
            output.mkdir(parents=True, exist_ok=True)
            document = json.dumps([song.to_dict() for song in songs], indent=1)
            (output / "predictions.json").write_text(document, encoding="utf-8")
            page = write_page(songs, output / "predictions.html")
            names = list(predictor.predictors)
            table("Most probable classes of whole songs", ["song", *names], [_best(song, names) for song in songs])
            out.print(f"report: {page}", soft_wrap=True)


def _best(song: Any, names: list[str]) -> list[str]:
    if song.reason:
        return [song.name, *([str(song.status)] * len(names))]
    return [song.name, *(", ".join(f"{one} {p:.0%}" for one, p in song.top(name)) for name in names)]
