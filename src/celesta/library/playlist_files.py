"""Write playlists as M3U8, XSPF or JSON; whatever names and tags hold, the files stay well-formed."""

from __future__ import annotations

import json
import os
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path

from celesta._files import atomic, printable
from celesta.errors import LibraryError, UsageError
from celesta.library.records import Song


def write_playlist(songs: Sequence[Song], path: str | Path, *, absolute: bool = False) -> Path:
    """Write a playlist; its suffix says the format: ``.m3u8``, ``.m3u``, ``.xspf`` or ``.json``.

    Args:
        songs: in order.
        path: of the playlist.
        absolute: whether to write absolute paths; otherwise they are relative to the playlist's folder.

    Raises:
        UsageError: another suffix.
        LibraryError: the file cannot be written.

    Example:
        >>> songs = [Song(7, Path("music/a.ogg"), False, 3.0, {"artist": "Anna", "title": "Ballad"})]
        >>> write_playlist(songs, "list.m3u8").read_text().split()[0]
        '#EXTM3U'
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise UsageError(f"{printable(path)}: a playlist ends in {', '.join(_WRITERS)}")
    places = [_place(song.path, path, absolute) for song in songs]
    with atomic(path, LibraryError) as temporary:
        temporary.write_bytes(write(songs, places))
    return path


def _place(song: Path, playlist: Path, absolute: bool) -> bytes:
    whole = os.path.abspath(os.fsencode(song))
    if absolute:
        return whole
    try:
        return os.path.relpath(whole, os.path.dirname(os.path.abspath(os.fsencode(playlist))))
    except ValueError:  # another drive
        return whole


def _uri(place: bytes) -> str:
    """A URI reference: percent-encoded, ``file://`` where it is absolute."""
    quoted = urllib.parse.quote_from_bytes(place.replace(os.fsencode(os.sep), b"/"))
    if os.path.isabs(place):
        return f"file://{quoted if quoted.startswith('/') else '/' + quoted}"
    return f"./{quoted}" if ":" in quoted.partition("/")[0] else quoted


def _m3u8(songs: Sequence[Song], places: Sequence[bytes]) -> bytes:
    """Extended M3U in UTF-8. A path that a line of text cannot hold is written as a URI."""
    lines = ["#EXTM3U"]
    for song, place in zip(songs, places, strict=True):
        seconds = -1 if song.duration is None else round(song.duration)
        lines.append(f"#EXTINF:{seconds},{song.name}")
        text = os.fsdecode(place)
        plain = text == printable(text) and text == text.strip()
        if not plain:
            text = _uri(os.path.abspath(os.fsencode(song.path)))
        lines.append(f"./{text}" if text.startswith("#") else text)
    return ("\n".join(lines) + "\n").encode()


def _xspf(songs: Sequence[Song], places: Sequence[bytes]) -> bytes:
    """XSPF version 1 (xspf.org)."""
    root = ET.Element("playlist", version="1", xmlns="http://xspf.org/ns/0/")
    tracks = ET.SubElement(root, "trackList")
    for song, place in zip(songs, places, strict=True):
        track = ET.SubElement(tracks, "track")
        facts = {"location": _uri(place), "title": song.title, "creator": song.artist}
        facts["album"] = printable(song.tags.get("album", ""))
        if song.duration is not None:
            facts["duration"] = str(round(1000 * song.duration))  # ms
        for name, text in facts.items():
            if text:
                ET.SubElement(track, name).text = text
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _json(songs: Sequence[Song], places: Sequence[bytes]) -> bytes:
    rows = [
        {
            "path": printable(os.fsdecode(place)),
            "uri": _uri(place),
            "title": song.title,
            "artist": song.artist,
            "duration": None if song.duration is None else round(song.duration, 3),
        }
        for song, place in zip(songs, places, strict=True)
    ]
    return (json.dumps({"songs": rows}, indent=1) + "\n").encode()


_WRITERS: dict[str, Callable[[Sequence[Song], Sequence[bytes]], bytes]] = {
    ".m3u8": _m3u8,
    ".m3u": _m3u8,
    ".xspf": _xspf,
    ".json": _json,
}
"""Suffix to the function that makes the file's bytes."""
