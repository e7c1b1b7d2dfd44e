"""The text of songs: tags of their files, with a full-text index."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from celesta._files import printable
from celesta.library.store import Store

_COLUMNS = ("title", "artist", "album", "genre")
_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)")


def store_tags(store: Store, recording: int, path: bytes, tags: Mapping[str, str]) -> None:
    """Replace the tags, the year and the indexed text of a recording; to be called in a transaction.

    Args:
        store: the library.
        recording: its id.
        path: of the file that has the tags.
        tags: lower-case names to text.
    """
    clean = {printable(name): text.replace("\0", " ") for name, text in tags.items()}
    store.execute("DELETE FROM tags WHERE recording = ?", (recording,))
    for name, text in clean.items():
        store.execute("INSERT OR IGNORE INTO tags (recording, name, value) VALUES (?, ?, ?)", (recording, name, text))
    store.execute("DELETE FROM descriptors WHERE recording = ? AND name = 'year'", (recording,))
    if year := year_of(clean):
        store.execute("INSERT INTO descriptors (recording, name, value) VALUES (?, 'year', ?)", (recording, year))
    other = " ".join(text for name, text in clean.items() if name not in _COLUMNS)
    store.execute("DELETE FROM song_text WHERE rowid = ?", (recording,))
    store.execute(
        "INSERT INTO song_text (rowid, title, artist, album, genre, path, other) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (recording, *(clean.get(name, "") for name in _COLUMNS), printable(os.fsdecode(path)), other),
    )


def year_of(tags: Mapping[str, str]) -> float | None:
    """Return the year of a song by its date tags; None where they have none.

    Example:
        >>> year_of({"date": "1998-05-01"}), year_of({"date": "?"})
        (1998.0, None)
    """
    for name in ("originaldate", "originalyear", "date", "year"):
        if found := _YEAR.search(tags.get(name, "")):
            return float(found[1])
    return None
