"""`celesta classify predict`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from celesta.cli.console import each_file, out, table


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


def _likeliest(song: Any, names: list[str]) -> list[str]:
    cells = [song.path.name]
    for name in names:
        values, classes = song.whole[name], song.classes[name]
        best = np.argsort(values)[::-1][:2]
        cells.append(", ".join(f"{classes[i]} {values[i]:.0%}" for i in best))
    return cells
