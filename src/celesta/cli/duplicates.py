"""`celesta duplicates`."""

from __future__ import annotations

from celesta.cli import console
from celesta.cli.options import Json, LibraryFile
from celesta.cli.progress import clock, working


def duplicates(library: LibraryFile = None, as_json: Json = False) -> None:
    """List songs of the library that are the same audio in several files; nothing is changed or merged.

    Copies in other encodings, at other levels, with silence before, or cut short are found. Songs that share only a
    part are listed apart.

    Example: `celesta duplicates`
    """
    from celesta.library import Library

    with Library(library, create=False) as opened, working("duplicates", "reading the library") as meter:
        found = opened.duplicates(progress=lambda done, total: meter.steps("comparing songs", done, total))
    if as_json:
        console.emit(found.to_dict(), indent=1)
        return
    evidence = {(pair.first, pair.second): pair.match for pair in found.pairs}
    for number, group in enumerate(found.groups, start=1):
        console.say(f"group {number}")
        for song in group:
            match = evidence.get((min(group[0].id, song.id), max(group[0].id, song.id)))
            said = f": {clock(match.overlap)} the same, {match.error:.0%} of bits differ" if match else ""
            console.say(f"  {song.path} ({clock(song.duration or 0)}{said})")
    for first, second, pair in found.partial:
        console.say(f"share {clock(pair.match.overlap)}: {first.path} and {second.path}")
    if not found.groups and not found.partial:
        console.note("no duplicates")
