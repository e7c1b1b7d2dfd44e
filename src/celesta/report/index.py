"""The page that lists songs of which each has a page of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from celesta.report.page import Link, Page, relative_url


@dataclass(frozen=True)
class SongPage:
    """A song that was encoded and decoded, and its page.

    Attributes:
        source: the song.
        page: its page.
        flac: the decoded song.
        row: cells of the index's columns.
    """

    source: Path
    page: Path
    flac: Path
    row: list[str]


def index_page(title: str, lead: str, head: Sequence[str], songs: Sequence[SongPage], target: Path) -> Path:
    """Write a page that lists songs, with links to their pages and audio; return its path."""
    page = Page(title, lead)
    rows: list[list[str | Link]] = []
    for song in songs:
        folder = Path(os.path.relpath(song.page.parent, target.parent))
        links = [
            Link(str(folder / song.source.name), relative_url(song.page, target)),
            Link("FLAC", relative_url(song.flac, target)),
        ]
        rows.append([*links, *song.row])
    page.table(["song", "audio", *head], rows, label="Songs")
    return page.write(target)
