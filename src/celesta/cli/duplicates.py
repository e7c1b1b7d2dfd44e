"""`celesta duplicates`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.files import free
from celesta.cli.options import Force, Json, LibraryFile
from celesta.cli.progress import clock, working


def duplicates(
    library: LibraryFile = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with the evidence and players.", show_default=False),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """List songs of the library that are the same audio in several files; nothing is changed or merged.

    Copies in other encodings, at other levels, with silence before, or cut short are found. Songs that share only a
    part are listed apart.

    Example: `celesta duplicates --report duplicates.html`
    """
    from celesta.library import Library

    target = None if report is None else free(report, force)
    with Library(library, create=False) as opened, working("duplicates", "reading the library") as meter:
        found = opened.duplicates(progress=lambda done, total: meter.steps("comparing songs", done, total))
        if target is not None:
            from celesta.report.duplicates import duplicates_page

            duplicates_page(found, target, lambda done, total: meter.steps("writing the page, group", done, total))
    if as_json:
        console.emit(found.to_dict() | ({"report": target} if target else {}), indent=1)
        return
    for number, group in enumerate(found.groups, start=1):
        console.say(f"group {number}")
        for song in group:
            match = found.match(group[0], song)
            said = f": {clock(match.overlap)} the same, {match.error:.0%} of bits differ" if match else ""
            console.say(f"  {song.path} ({clock(song.duration or 0)}{said})")
    for first, second, pair in found.partial:
        console.say(f"share {clock(pair.match.overlap)}: {first.path} and {second.path}")
    for song, paths in found.files:
        console.say(f"identical files of {song.name}: {', '.join(map(str, paths))}")
    if not found.groups and not found.partial and not found.files:
        console.note("no duplicates")
    if target is not None:
        console.say(f"page: {target}")
