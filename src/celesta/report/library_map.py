"""The map of a library as one page: points to look at, to play, to search and to make playlists of."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import numpy as np
from markupsafe import Markup

from celesta._files import atomic
from celesta._version import __version__
from celesta.errors import UsageError
from celesta.library import Song, SongMap
from celesta.report.page import clean, environment

_CLASSES = 11  # colours; what is rarer is "other"
COLOURS = {"genre": "genre", "mood": "mood", "tempo": "tempo", "cluster": "cluster", "folder": "folder"}
"""What points can be coloured by, with its name."""


def write_map(made: SongMap, path: str | Path) -> Path:
    """Write the page and return its path. It plays the songs from where they are, and loads nothing else.

    Args:
        made: what :meth:`celesta.Library.map` returned.
        path: of the page.

    Raises:
        UsageError: the page cannot be written.
    """
    path = Path(path)
    count = len(made.songs)
    title = f"Map of {count} song{'' if count == 1 else 's'}"
    note = "Songs that are alike lie near each other; the axes have no meaning."
    if np.isfinite(made.trustworthiness):
        note += f" Trustworthiness {made.trustworthiness:.2f}, continuity {made.continuity:.2f}."
    data = json.dumps(page_data(made), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    text = (
        environment()
        .get_template("library_map.html")
        .render(title=title, note=note, colours=list(COLOURS.items()), data=Markup(data), version=__version__)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path, UsageError) as temporary:
        temporary.write_bytes(text.encode("utf-8"))
    return path


def page_data(made: SongMap) -> dict[str, Any]:
    """Return what the page's script reads: numbers as little-endian bytes in base64, texts as lists."""
    songs = made.songs
    places = [_place(song) for song in songs]
    folders, folder = _numbered([place[0] for place in places])
    artists, artist = _numbered([clean(song.artist) for song in songs])
    seconds = [min(65_535, round(song.duration or 0)) for song in songs]
    tempo = [min(255, round(song.values.get("tempo", 0.0))) for song in songs]
    stems = [clean(Path(song.path).stem) for song in songs]
    titles = [clean(song.title) for song in songs]
    return {
        "xy": _packed(_pixels(made.xy), "<u2"),
        "seconds": _packed(seconds, "<u2"),
        "tempo": _packed(tempo, "u1"),
        "folders": folders,
        "folder": _packed(folder, "<u4"),
        "artists": artists,
        "artist": _packed(artist, "<u4"),
        "files": [place[1] for place in places],
        "titles": ["" if title == stem else title for title, stem in zip(titles, stems, strict=True)],
        "classes": {
            "genre": _classes([song.label("genre") for song in songs]),
            "mood": _classes([song.label("mood") for song in songs]),
            "cluster": _classes([made.clusters[number] for number in made.cluster.tolist()]),
            "folder": _classes([clean(Path(song.path).parent.name) for song in songs]),
        },
    }


def _place(song: Song) -> tuple[str, str]:
    """Folder and name of a file as parts of a ``file:`` URI; names of any bytes are percent-encoded."""
    folder, name = os.path.split(os.path.abspath(os.fsencode(song.path)))
    if sys.platform == "win32":
        folder = b"/" + folder.replace(b"\\", b"/")
    return f"file://{quote_from_bytes(folder.rstrip(b'/') + b'/', safe='/:')}", quote_from_bytes(name, safe="")


def _pixels(xy: np.ndarray) -> np.ndarray:
    """Positions from 0 to 65535, x and y on one scale; what lies far off is moved to the edge."""
    if not len(xy):
        return np.zeros((0, 2), int)
    reach = min(float(np.abs(xy).max()), 1.3) or 1.0
    pixels = (np.clip(xy / reach, -1, 1) * np.array([1, -1]) + 1) / 2 * 65_535
    return np.asarray(np.round(pixels), int)


def _numbered(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Distinct texts, and the number of each."""
    known: dict[str, int] = {}
    numbers = [known.setdefault(text, len(known)) for text in texts]
    return list(known), numbers


def _classes(texts: Sequence[str]) -> dict[str, Any]:
    """The most frequent texts, "other" for the rest, and the number of each song's."""
    frequent = [text for text, _ in Counter(texts).most_common()]
    names = frequent if len(frequent) <= _CLASSES else [*frequent[: _CLASSES - 1], "other"]
    number = {name: i for i, name in enumerate(names)}
    return {"names": names, "codes": _packed([number.get(text, len(names) - 1) for text in texts], "u1")}


def _packed(numbers: Any, kind: str) -> str:
    return base64.b64encode(np.asarray(numbers).astype(kind).tobytes()).decode()
