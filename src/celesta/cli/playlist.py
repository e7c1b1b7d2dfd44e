"""`celesta playlist`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.files import free
from celesta.cli.options import Force, Json, LibraryFile
from celesta.cli.progress import clock, working
from celesta.cli.similar import By
from celesta.errors import UsageError


def playlist(
    start: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="First song of a path.", show_default=False)
    ] = None,
    end: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Last song of a path.", show_default=False)
    ] = None,
    seed: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Song to collect others around; repeat it for several.", show_default=False),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", "-n", min=1, metavar="N", help="How many songs; by default 15.", show_default=False),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=1, metavar="M", help="At most so many minutes, around seeds.", show_default=False),
    ] = None,
    by: By = None,
    no_repeat_artist: Annotated[
        bool, typer.Option("--no-repeat-artist", help="No artist more than once; unknown artists may repeat.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write .m3u8, .xspf or .json; by default paths are printed."
        ),
    ] = None,
    absolute: Annotated[
        bool, typer.Option("--absolute", help="Write absolute paths, not relative to the playlist.")
    ] = False,
    force: Force = False,
    library: LibraryFile = None,
    as_json: Json = False,
) -> None:
    """Make a playlist: a path from one song to another, or songs around seeds; no artist twice in a row.

    Example: `celesta playlist --from a.mp3 --to b.mp3 -n 15 -o mix.m3u8`

    Example: `celesta playlist --seed a.mp3 --seed b.mp3 --minutes 60 -o mix.xspf`
    """
    from celesta.library import Library, write_playlist

    if not seed and (start is None or end is None):
        raise UsageError("a playlist needs both --from and --to, or one --seed or more")
    if output is not None:
        free(output, force)
    with Library(library, create=False) as opened, working("playlist", "reading the library"):
        songs = opened.playlist(
            *(seed or ()),
            start=start,
            end=end,
            n=number,
            minutes=minutes,
            by=by,
            no_repeat_artist=no_repeat_artist,
        )
        if output is not None:
            write_playlist(songs, output, absolute=absolute)
    for note in songs.notes:
        console.note(f"playlist: {note}")
    if as_json:
        console.emit([song.to_dict() for song in songs], indent=1)
        return
    for song in songs:
        console.say(song.path)
    if output is not None:
        console.note(f"{output}: {len(songs)} songs, {clock(songs.seconds)}")
