"""Text tags (title, artist, ...) by mutagen; damaged tags never cost the audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mutagen

_ID3 = {"TIT2": "title", "TPE1": "artist", "TALB": "album", "TDRC": "date", "TCON": "genre", "TRCK": "tracknumber"}
_FIRST = ("title", "artist", "albumartist", "album", "date", "tracknumber", "genre")
_MOST_TAGS = 64
_LONGEST = 1_000  # characters


def read_tags(path: Path) -> dict[str, str]:
    """Read the text tags of an audio file, with lower-case names; empty where there are none or they are damaged.

    At most 64 tags of 1000 characters each are read, title and artist first.

    Args:
        path: The file.

    Example:
        >>> read_tags(Path("song.mp3"))
        {'title': 'Ballad', 'artist': 'Anna'}
    """
    try:
        file = mutagen.File(path, easy=True)
        items = _ordered(file.tags) if file is not None and file.tags else []
    except Exception:  # a foreign parser on foreign bytes: whatever it raises, the audio can still be read
        return {}
    tags: dict[str, str] = {}
    for key, value in items:
        name = _ID3.get(str(key), str(key).lower())
        text = _text(value)
        if text and name.isprintable() and "picture" not in name and len(tags) < _MOST_TAGS:
            tags[name[:_LONGEST]] = text[:_LONGEST]
    return tags


def _ordered(tags: Any) -> list[tuple[Any, Any]]:
    """Return the tags with those that matter most first, the others in the file's order.

    Where there are too many, the last ones are left out; mutagen's order of Vorbis comments is another one each time.
    """
    items = dict(tags.items())
    places = {key.lower(): i for i, (key, _) in reversed(list(enumerate(tags)))} if isinstance(tags, list) else {}
    rank = {name: i for i, name in enumerate(_FIRST)}

    def place(item: tuple[Any, Any]) -> tuple[int, int]:
        name = _ID3.get(str(item[0]), str(item[0]).lower())
        return rank.get(name, len(rank)), places.get(str(item[0]).lower(), 0)

    return sorted(items.items(), key=place)


def _text(value: Any) -> str:
    """The text of one tag; several values joined; "" for pictures and other bytes."""
    if hasattr(value, "text"):  # an ID3 frame, as WAV and AIFF files hold them
        value = value.text
    values = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(v, bytes) for v in values):
        return ""
    return "; ".join("".join(c if c.isprintable() else " " for c in str(v)).strip() for v in values)
