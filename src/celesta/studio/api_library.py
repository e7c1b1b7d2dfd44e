"""The library: table, search, similar songs, playlists, map, duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from starlette.responses import Response

from celesta._files import printable
from celesta.errors import UsageError
from celesta.library import Similar, Song
from celesta.library.alignment import aligned
from celesta.library.block_table import BLOCKS
from celesta.library.matching import Match
from celesta.library.segments import spans
from celesta.studio import commands, warned
from celesta.studio.answers import (
    Accepted,
    Alignment,
    LibraryInfo,
    MapPoints,
    Segment,
    Segments,
    SimilarRow,
    SimilarRows,
    SongRow,
    SongRows,
)
from celesta.studio.api_compare import download
from celesta.studio.endpoints import Endpoint, NotFoundError
from celesta.studio.jobs import Report
from celesta.studio.library import AXES, scaled
from celesta.studio.schema import (
    AlignRequest,
    MapRequest,
    Nothing,
    PlaylistExportRequest,
    PlaylistRequest,
    SearchRequest,
    SimilarRequest,
    SongIdRequest,
)
from celesta.studio.studio import Studio

PLAYLIST_FORMATS = ("m3u8", "xspf", "json")
MAP = "similarity"
"""Name of the axes of the library's own map."""


def info(studio: Studio, request: Nothing) -> LibraryInfo:
    """Return what the library holds."""
    library = studio.need_library()
    status = library.status()
    songs = library.songs()
    return LibraryInfo(
        path=printable(status.path),
        songs=status.songs,
        analysed=status.analysed,
        waiting=status.waiting,
        missing=status.missing,
        hours=status.hours,
        errors=status.errors,
        folders=[printable(one) for one in status.folders],
        genres=sorted({song.label("genre") for song in songs} - {""}),
        moods=sorted({song.label("mood") for song in songs} - {""}),
        blocks=list(BLOCKS),
        axes=[MAP, *AXES],
    )


def _row(studio: Studio, song: Song) -> SongRow:
    values = song.values
    return SongRow(
        id=song.id,
        ref=None if song.missing else studio.folders.ref(song.path),
        title=song.title,
        artist=song.artist,
        album=printable(song.tags.get("album", "")),
        path=printable(song.path),
        seconds=None if song.duration is None else round(song.duration, 2),
        tempo=_rounded(values.get("tempo")),
        key=song.key,
        loudness=_rounded(values.get("loudness")),
        genre=song.label("genre"),
        mood=song.label("mood"),
        year=values.get("year"),
        missing=song.missing,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _library_option(studio: Studio) -> tuple[str, ...]:
    assert studio.library is not None
    return ("--library", printable(studio.library.path))


def search(studio: Studio, request: SearchRequest) -> SongRows:
    """Search; without words, all songs."""
    library = studio.need_library()
    ranges = {"tempo": request.tempo, "duration": request.duration, "year": request.year}
    given = [request.text, request.key, request.mood, request.genre, *ranges.values()]
    if any(given):
        found = library.search(request.text, request.key, request.mood, request.genre, ranges)
    else:
        found = library.songs()
    options = {"key": request.key, "mood": request.mood, "genre": request.genre, **ranges}
    words = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    command = commands.line("search", *([request.text] if request.text else []), *words, *_library_option(studio))
    return SongRows([_row(studio, song) for song in found], command)


def similar(studio: Studio, request: SimilarRequest) -> SimilarRows:
    """Find songs that are like one of the library, or like a file or a stretch of it, and say why."""
    library = studio.need_library()
    if (request.id is None) == (request.song is None):
        raise UsageError("name one song: id or song")
    source: int | Path
    if request.song is not None:
        source = shown = studio.folders.path(request.song)
    else:
        assert request.id is not None
        source, shown = request.id, _song(studio, request.id).path
    found = library.similar(source, request.start, request.stop, request.by, request.n)
    ends = (("--from", request.start), ("--to", request.stop))
    words = [word for flag, value in ends if value is not None for word in (flag, f"{value:g}")]
    by = ("--by", request.by) if request.by else ()
    command = commands.line("similar", shown, *words, *by, "-n", str(request.n), *_library_option(studio))
    rows = [
        SimilarRow(_row(studio, one.song), round(one.similarity, 4), list(one.reasons), _part(one)) for one in found
    ]
    return SimilarRows(rows, command)


def _part(one: Similar) -> list[float] | None:
    return None if one.part is None else [round(seconds, 3) for seconds in one.part]


def segments(studio: Studio, request: SongIdRequest) -> Segments:
    """Return the pieces of a song by which parts of songs are compared."""
    seconds = _song(studio, request.id).duration
    if seconds is None:
        return Segments([])
    return Segments([Segment(start, seconds if stop is None else stop) for start, stop in spans(seconds)])


def _song(studio: Studio, song_id: int) -> Song:
    found = studio.need_library().song(song_id)
    if found is None:
        raise NotFoundError(f"song {song_id} is not in the library any more; reload the page")
    return found


def playlist(studio: Studio, request: PlaylistRequest) -> SongRows:
    """Make a playlist: a path between two songs, or songs around seeds."""
    library = studio.need_library()
    found = library.playlist(request.seeds, request.start, request.end, request.n, request.no_repeat_artist)
    words: list[str | Path] = []
    for flag, one in (("--from", request.start), ("--to", request.end), *(("--seed", seed) for seed in request.seeds)):
        if one is not None:
            words += [flag, _song(studio, one).path]
    once = ("--no-repeat-artist",) if request.no_repeat_artist else ()
    command = commands.line("playlist", *words, "-n", str(request.n), *once, *_library_option(studio))
    return SongRows([_row(studio, song) for song in found], command, found.notes)


def playlist_export(studio: Studio, request: PlaylistExportRequest) -> Response:
    """Return a playlist file to download."""
    if request.format not in PLAYLIST_FORMATS:
        raise UsageError(f"a playlist is one of {', '.join(PLAYLIST_FORMATS)}, not {request.format!r}")
    path = studio.renders.new(f".{request.format}")
    studio.need_library().write(request.ids, path)
    return download(studio.renders.file(path, f"playlist.{request.format}"))


def layout(studio: Studio, request: MapRequest) -> MapPoints:
    """Return places of all songs: the library's map, or two measured values."""
    library = studio.need_library()
    x_name, y_name = request.x or "valence", request.y or "arousal"
    if MAP in (x_name, y_name) or not (request.x or request.y):
        found = library.positions()
        low, high = (found.xy.min(axis=0), found.xy.max(axis=0)) if len(found.xy) else (np.zeros(2), np.ones(2))
        unit = (found.xy - low) / np.where(high > low, high - low, 1)
        across, up = _digits(unit[:, 0]), _digits(unit[:, 1])
        return MapPoints(found.ids, across, up, MAP, MAP, [], [], found.cluster, found.clusters)
    ids, x, y = library.layout(x_name, y_name)
    (xs, x_range), (ys, y_range) = scaled(x, x_name), scaled(y, y_name)
    return MapPoints(ids, _digits(xs), _digits(ys), x_name, y_name, x_range, y_range)


def _digits(values: np.ndarray) -> list[float]:
    rounded: list[float] = np.round(values, 4).tolist()
    return rounded


def duplicates(studio: Studio, request: Nothing) -> Accepted:
    """Start looking for songs that are the same audio."""
    library = studio.need_library()

    def work(report: Report) -> dict[str, Any]:
        found = library.duplicates(report)
        pairs = {(pair.first, pair.second): pair for pair in found.pairs}
        return {
            "groups": [[_row(studio, song) for song in group] for group in found.groups],
            "pairs": [pair.to_dict() for pair in pairs.values()],
            "partial": [
                {"first": _row(studio, a), "second": _row(studio, b), "match": pair.to_dict()}
                for a, b, pair in found.partial
            ],
            "command": commands.line("duplicates", *_library_option(studio)),
        }

    return Accepted(studio.jobs.start("duplicates", "Find duplicates", work).id)


def align(studio: Studio, request: AlignRequest) -> Alignment:
    """Align two copies to the sample."""
    first, second = (_song(studio, one).path for one in (request.first, request.second))
    coarse = Match(0.0, 0.0, 0.0, request.offset, request.speed, request.start, request.stop)
    with warned.collected():
        found = aligned(first, second, coarse)
    return Alignment(found.offset, found.speed)


def update(studio: Studio, request: Nothing) -> Accepted:
    """Start scanning the library's folders again and analysing what is new."""
    library = studio.need_library()

    def work(report: Report) -> dict[str, Any]:
        return {**library.update(report), "command": commands.line("library", "update", *_library_option(studio))}

    return Accepted(studio.jobs.start("update", "Analyse new songs", work).id)


ENDPOINTS = (
    Endpoint("GET", "/library", Nothing, LibraryInfo, info),
    Endpoint("GET", "/library/songs", SearchRequest, SongRows, search),
    Endpoint("GET", "/library/similar", SimilarRequest, SimilarRows, similar),
    Endpoint("GET", "/library/segments", SongIdRequest, Segments, segments),
    Endpoint("GET", "/library/align", AlignRequest, Alignment, align),
    Endpoint("GET", "/library/map", MapRequest, MapPoints, layout),
    Endpoint("POST", "/library/playlist", PlaylistRequest, SongRows, playlist),
    Endpoint("POST", "/library/export", PlaylistExportRequest, None, playlist_export),
    Endpoint("POST", "/library/duplicates", Nothing, Accepted, duplicates),
    Endpoint("POST", "/library/update", Nothing, Accepted, update),
)
