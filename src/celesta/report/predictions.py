"""The page of predictions: a table of all songs, their moods, and each song's classes as a whole and over time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.errors import CelestaError
from celesta.predict.moods import are_moods
from celesta.predict.predictor import SHIPPED
from celesta.predict.song import SongPrediction, Status
from celesta.report.page import Link, Page, relative_url
from celesta.report.player import clock

_BARS, _LINES = 10, 5  # classes shown for a whole song, and over time
_TAGS = 3  # classes named in the table where several may be right
_EXCLUSIVE = 1.01  # probabilities that add up to more belong to classes that do not exclude each other
_WIDTH = 400  # of a chart over time, in the units of its template


def write_page(songs: Sequence[SongPrediction], path: str | Path) -> Path:
    """Write one page for all songs and return its path.

    The page plays the songs from where they are, by relative links: moved without them it stays readable.
    """
    path = Path(path)
    title = f"Predictions for {songs[0].name if len(songs) == 1 else f'{len(songs)} songs'}"
    page = Page(title, "Genre, mood and tags of whole songs, and over time.")
    if any(name in SHIPPED for song in songs for name in song.classes):
        page.note("The predictors that ship were trained on GTZAN and 4QAED: unreliable for music unlike theirs.")
    described = [_song(song, f"song-{i}", path) for i, song in enumerate(songs, start=1)]
    names = list(dict.fromkeys(name for song in songs for name in song.classes))
    artists = any(one["artist"] for one in described)
    moods = [mood for song, one in zip(songs, described, strict=True) for mood in _mood(song, one)]
    head = ["title", *["artist"] * artists, "length", *names, *["valence", "arousal"] * bool(moods)]
    rows = []
    for song, one in zip(songs, described, strict=True):
        link = Link(one["title"], f"#{one['anchor']}")
        plane = [f"{value:+.2f}" for value in song.valence_arousal or ()] or ["", ""]
        rows.append([link, *[one["artist"]] * artists, one["clock"], *_best(song, names), *plane * bool(moods)])
    page.add(
        "songs.html",
        songs=described,
        moods=moods,
        table=page.table_values(head, rows, "All songs"),
    )
    return page.write(path)


def _song(song: SongPrediction, anchor: str, page: Path) -> dict[str, Any]:
    tags: dict[str, str] = {}
    if song.path is not None:
        with contextlib.suppress(CelestaError, OSError):
            tags = audio.info(song.path).tags
    best = [one for name in song.classes for one, _ in song.top(name, 1)]
    analysed = song.status is Status.ANALYSED
    return {
        "anchor": anchor,
        "title": tags.get("title") or song.name,
        "artist": tags.get("artist", ""),
        "summary": " · ".join(best) if analysed else str(song.status),
        "reason": "" if analysed else f"{song.status}: {song.reason}",
        "path": str(song.path or ""),
        "href": "" if song.path is None else relative_url(song.path, page),
        "duration": f"{song.duration:.3f}",
        "clock": clock(song.duration),
        "parts": [_part(song, name) for name in song.classes if name in song.probabilities],
    }


def _part(song: SongPrediction, name: str) -> dict[str, Any]:
    """Describe what one predictor gave: bars of the whole song and lines over time."""
    mood = song.valence_arousal if are_moods(song.classes[name]) else None
    return {
        "name": name,
        "note": f"valence {mood[0]:+.2f}, arousal {mood[1]:+.2f}" if mood else "",
        "bars": [{"name": one, "percent": round(100 * p)} for one, p in song.top(name, _BARS)],
        "lines": list(_lines(song, name)) if len(song.times) > 1 else [],
    }


def _lines(song: SongPrediction, name: str) -> Iterator[dict[str, str]]:
    """Draw the classes that are highest at some time as steps over the song; silent stretches are gaps."""
    values = song.over_time[name]
    edges = np.append(song.times, song.duration) / max(song.duration, 1e-9) * _WIDTH
    for column in np.argsort(np.nan_to_num(values).max(axis=0))[::-1][:_LINES]:
        path, gap = "", True
        for i, p in enumerate(values[:, column]):
            if np.isfinite(p):
                level = f"{99 - 98 * p:.0f}"
                path += f"M{edges[i]:.1f},{level}" if gap else f"V{level}"
                path += f"H{edges[i + 1]:.1f}"
            gap = not np.isfinite(p)
        yield {"name": song.classes[name][column], "path": path}


def _best(song: SongPrediction, names: Sequence[str]) -> list[str]:
    """Name the most probable class of each predictor, or the most probable ones where several may be right."""
    cells = []
    for name in names:
        several = name in song.probabilities and float(song.probabilities[name].sum()) > _EXCLUSIVE
        best = song.top(name, _TAGS if several else 1)
        cells.append(", ".join(f"{one} {p:.0%}" for one, p in best) or str(song.status))
    return cells


def _mood(song: SongPrediction, described: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Place a song in the plane of moods, in the units of the template."""
    if mood := song.valence_arousal:
        x, y = (f"{100 * value:.0f}" for value in (mood[0], -mood[1]))
        yield {"anchor": described["anchor"], "name": described["title"], "x": x, "y": y}
