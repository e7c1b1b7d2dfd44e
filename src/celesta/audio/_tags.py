"""Text tags (title, artist, ...) by mutagen; damaged tags never cost the audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mutagen

_ID3 = {"TIT2": "title", "TPE1": "artist", "TALB": "album", "TDRC": "date", "TCON": "genre", "TRCK": "tracknumber"}
_MOST_TAGS = 64
_LONGEST = 1_000  # characters


def read_tags(path: Path) -> dict[str, str]:
    """Read the text tags of an audio file, with lower-case names; empty where there are none or they are damaged."""
    try:
        file = mutagen.File(path, easy=True)
        items = list((file.tags or {}).items()) if file is not None else []
    except Exception:  # a foreign parser on foreign bytes: whatever it raises, the audio can still be read
        return {}
    tags: dict[str, str] = {}
    for key, value in items:
        name = _ID3.get(str(key), str(key).lower())
        text = _text(value)
        if text and name.isprintable() and "picture" not in name and len(tags) < _MOST_TAGS:
            tags[name[:_LONGEST]] = text[:_LONGEST]
    return tags


def _text(value: Any) -> str:
    """The text of one tag; several values joined; "" for pictures and other bytes."""
    if hasattr(value, "text"):  # an ID3 frame, as WAV and AIFF files hold them
        value = value.text
    values = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(v, bytes) for v in values):
        return ""
    return "; ".join("".join(c if c.isprintable() else " " for c in str(v)).strip() for v in values)
