"""`celesta map`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.files import free
from celesta.cli.options import Force, Json, LibraryFile, Seed
from celesta.cli.progress import working


def song_map(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The page.")] = Path("map.html"),
    refit: Annotated[
        bool, typer.Option("--refit", help="Lay out all songs anew; otherwise songs stay where they are.")
    ] = False,
    seed: Seed = 0,
    force: Force = False,
    library: LibraryFile = None,
    as_json: Json = False,
) -> None:
    """Write a map of the library as one page: songs that are alike lie near each other.

    The page plays the songs, colours them by genre, mood, tempo, cluster or folder, searches, and makes playlists of
    what is circled. Songs keep their places when others are added.

    Example: `celesta map -o map.html`
    """
    from celesta.library import Library
    from celesta.report.library_map import write_map

    free(output, force)
    with Library(library, create=False) as opened, working("map", "reading the library") as meter:
        meter.doing("placing songs")
        made = opened.map(refit=refit, seed=seed)
        meter.doing("writing the page")
        write_map(made, output)
    measured = {"trustworthiness": made.trustworthiness, "continuity": made.continuity}
    if as_json:
        rounded = {name: None if math.isnan(value) else round(value, 4) for name, value in measured.items()}
        console.emit({"page": output, "songs": len(made.songs), "new": made.new, **rounded}, indent=1)
        return
    quality = "" if math.isnan(made.trustworthiness) else "; " + ", ".join(f"{k} {v:.2f}" for k, v in measured.items())
    console.say(f"{output}: {len(made.songs)} songs, {made.new} new{quality}")
