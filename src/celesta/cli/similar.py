"""`celesta similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.options import Json, LibraryFile, seconds
from celesta.cli.progress import clock, working
from celesta.cli.versions import check_stretch

By = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="Compare only by these: style, timbre, rhythm, harmony, mood, loudness, tempo; mood:2 has weight 2. By "
        "default style, and a tenth as much timbre.",
        show_default=False,
    ),
]


def similar(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Songs to be like; they need not be in the library.", show_default=False),
    ],
    number: Annotated[int, typer.Option("--number", "-n", min=1, metavar="N", help="How many songs.")] = 10,
    start: Annotated[
        float | None,
        typer.Option(
            "--from",
            parser=seconds,
            metavar="TIME",
            help="Use the song from this time on, such as 70 or 1:10.",
            show_default=False,
        ),
    ] = None,
    stop: Annotated[
        float | None,
        typer.Option("--to", parser=seconds, metavar="TIME", help="Use the song up to this time.", show_default=False),
    ] = None,
    by: By = None,
    more: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A song to lean towards; repeat it for several.", show_default=False),
    ] = None,
    less: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A song to lean away from; repeat it for several.", show_default=False),
    ] = None,
    library: LibraryFile = None,
    as_json: Json = False,
) -> None:
    """Find the songs of the library that are most like a song, a part of one, or several songs, and say why.

    Each answer has a similarity from 0 to 1, what agrees, and from when to when the song is most like yours.

    Example: `celesta similar song.mp3`

    Example: `celesta similar song.mp3 --from 1:10 --to 1:25 --by timbre,mood -n 20`

    Example: `celesta similar song.mp3 --more slower.mp3 --less louder.mp3`
    """
    from celesta.library import Library

    check_stretch(start, stop)
    with Library(library, create=False) as opened, working("similar", "reading the library"):
        found = opened.similar(
            *sources,
            start=start,
            stop=stop,
            by=by,
            more=more or (),
            less=less or (),
            n=number,
        )
    if as_json:
        console.emit([one.to_dict() for one in found], indent=1)
        return
    rows = []
    for one in found:
        part = [] if one.part is None else [f"most at {clock(one.part[0])}-{clock(one.part[1])}"]
        rows.append((f"{one.similarity:.2f}  {one.song.path}", ", ".join([*one.reasons, *part])))
    console.entries(rows)
