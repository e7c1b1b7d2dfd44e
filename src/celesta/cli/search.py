"""`celesta search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from celesta.cli import console
from celesta.cli.options import Json, LibraryFile
from celesta.cli.progress import clock

if TYPE_CHECKING:
    from celesta.library import Library

_RANGE = "LOW..HIGH"


def _range(help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(metavar=_RANGE, help=help_text, show_default=False)
    return option


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS",
            help='Words in tags and paths, genres, moods, and words of the taggers, such as "slow piano -vocals"; '
            "-word excludes. Put phrases in quotes.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[str, typer.Option(metavar="KEY", help="Key, such as Am, C, F#m.", show_default=False)] = "",
    tempo: Annotated[str, _range("Beats a minute, 118..124, or one number for 2 % around it.")] = "",
    mood: Annotated[
        str, typer.Option(metavar="NAME", help="Mood: happy, angry, sad or calm.", show_default=False)
    ] = "",
    genre: Annotated[str, typer.Option(metavar="NAME", help="Most probable genre.", show_default=False)] = "",
    loudness: Annotated[str, _range("LUFS of the mean of the channels, such as -20..-10.")] = "",
    duration: Annotated[str, _range("Seconds, or minutes and seconds, 2:30..5:00.")] = "",
    year: Annotated[str, _range("Year by the tags, 1970..1979.")] = "",
    valence: Annotated[str, _range("From -1 (negative) to 1 (positive).")] = "",
    arousal: Annotated[str, _range("From -1 (calm) to 1 (excited).")] = "",
    number: Annotated[int, typer.Option("--number", "-n", min=1, metavar="N", help="At most so many songs.")] = 50,
    library: LibraryFile = None,
    as_json: Json = False,
) -> None:
    """Find songs of the library by words and by what was measured. All of it must fit; a word behind a minus must not.

    Example: `celesta search "slow piano -vocals"`

    Example: `celesta search --key Am --tempo 118..124 --mood calm`
    """
    from celesta.library import Library

    ranges = {
        "tempo": tempo, "loudness": loudness, "duration": duration, "year": year, "valence": valence,
        "arousal": arousal,
    }  # fmt: skip
    with Library(library, create=False) as opened:
        found = opened.search(
            " ".join(words or []),
            key=key,
            mood=mood,
            genre=genre,
            n=number,
            **{name: text for name, text in ranges.items() if text},
        )
        why = "" if found or as_json else _why_nothing(opened, genre=genre, mood=mood)
    if as_json:
        console.emit([song.to_dict() for song in found], indent=1)
        return
    rows = []
    for song in found:
        facts = [clock(song.duration or 0), song.key, song.label("genre"), song.label("mood")]
        if "tempo" in song.values:
            facts.insert(1, f"{song.values['tempo']:.0f} bpm")
        rows.append((str(song.path), ", ".join(fact for fact in facts if fact)))
    console.entries(rows)
    if not found:
        console.note(f"nothing found{why}")


def _why_nothing(library: Library, **labels: str) -> str:
    """Say which label alone is that of no song; "" where each is of some, and the rest of the search fits none."""
    asked = {name: label for name, label in labels.items() if label}
    none = [
        f"{label} as its most probable {name}"
        for name, label in asked.items()
        if not library.search(**{name: label}, n=1)
    ]
    return f": no song of the library has {', none '.join(none)}" if none else ""
