"""The page of duplicates: groups of the same recording with the evidence, to be compared by ear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from celesta._files import printable
from celesta.errors import CelestaError
from celesta.library import Duplicates, Song
from celesta.library.evidence import Excerpts, excerpts
from celesta.library.matching import Match
from celesta.report.page import Link, Page, relative_url
from celesta.report.player import Track, clock

PLAYERS = 30
"""Groups and pairs with a player; the others have their table only, so that the page stays small."""
VERSIONS = 8
"""Songs of a group that its player plays."""
SECONDS = 10.0
_FASTER = 0.002  # difference of speed that is named
_HEAD = ("song", "length", "in common", "share", "bits that differ", "samples", "offset", "speed", "file")
Progress = Callable[[int, int], None]


def duplicates_page(
    found: Duplicates, target: str | Path, progress: Progress = lambda done, total: None, players: int = PLAYERS
) -> Path:
    """Write the page of duplicates and return its path.

    Each group has a table and a player that switches between its songs at the same place of the music. The page holds
    excerpts of the audio; links lead to the files.

    Args:
        found: what :meth:`celesta.Library.duplicates` returned.
        target: the page.
        progress: called with the number of groups and pairs done, and of all.
        players: at most so many players.

    Raises:
        UsageError: the page cannot be written.
    """
    target = Path(target)
    page = Page("Duplicates", _lead(found))
    total = len(found.groups) + len(found.partial)
    page.section("The same recording")
    page.text(
        "Most of the shorter song aligns with the longer one. Nothing was merged or deleted. Bits that differ are those"
        " of the fingerprints: below 32 % counts as the same audio, different music has about 50 %. Samples:"
        " correlation of the waveforms, .9 and more for copies; a lower one can mean another mix or master: listen."
    )
    for number, group in enumerate(found.groups, start=1):
        progress(number - 1, total)
        matches = [found.match(group[0], song) for song in group[1:]]
        _add(page, f"{number}. {group[0].name}", group, matches, target, number <= players)
    if not found.groups:
        page.text("None was found.")
    if found.partial:
        page.section("A part in common")
        page.text(
            "Another edit, an excerpt, a medley, or songs that are alike only in part. They are in no group together."
        )
    for number, (first, second, pair) in enumerate(found.partial, start=1):
        progress(len(found.groups) + number - 1, total)
        shown = number + len(found.groups) <= players
        _add(page, f"{first.name} and {second.name}", [first, second], [pair.match], target, shown)
    if total > players:
        page.note(f"Players: the first {players} of {total}.")
    if found.files:
        page.section("Identical files")
        page.text("The encoded audio of these files is the same, byte for byte; names and tags may differ.")
        rows: list[list[str | Link]] = [
            [song.name, _file(path, target)] for song, paths in found.files for path in paths
        ]
        page.table(["song", "file"], rows, "Identical files")
    progress(total, total)
    return page.write(target)


def _lead(found: Duplicates) -> str:
    songs = sum(len(group) for group in found.groups)
    counts = [
        f"{_count(len(found.groups), 'group')} with {songs} songs",
        f"{_count(len(found.partial), 'pair')} with a part in common",
        f"{_count(len(found.files), 'song')} with identical files",
    ]
    return f"{', '.join(counts)}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _add(
    page: Page, title: str, songs: Sequence[Song], matches: Sequence[Match | None], target: Path, with_player: bool
) -> None:
    """A heading, a table and a player of songs that align with the first one."""
    page.begin_card()
    page.heading(title)
    cut, problems = _excerpts(songs, matches) if with_player else ({}, [])
    rows: list[list[str | Link]] = [_row(songs[0], None, None, target)]
    rows += [_row(song, m, cut.get(song.id), target) for song, m in zip(songs[1:], matches, strict=True)]
    page.table(_HEAD, rows, f"Table: {title}")
    if cut:
        page.player(_tracks(songs, matches, cut), f"Player: {title}", compact=True)
    for problem in problems:
        page.note(problem)
    page.end_card()


def _excerpts(songs: Sequence[Song], matches: Sequence[Match | None]) -> tuple[dict[int, Excerpts], list[str]]:
    """What can be read of the songs that align with the first one, at the stretch that the first pair has in common."""
    cut: dict[int, Excerpts] = {}
    problems = []
    known = [(song, match) for song, match in zip(songs[1:], matches, strict=True) if match is not None]
    start = max((match.start for _, match in known), default=0.0)
    stop = min((match.stop for _, match in known), default=0.0)
    for song, match in known[: VERSIONS - 1]:
        common = match if stop - start < 1 else _within(match, start, stop)
        try:
            cut[song.id] = excerpts(songs[0].path, song.path, common, SECONDS)
        except CelestaError as error:
            problems.append(str(error))
    first = next(iter(cut.values()), None)
    same_place = {one: made for one, made in cut.items() if first and abs(made.start - first.start) < 1e-6}
    return same_place, problems


def _within(match: Match, start: float, stop: float) -> Match:
    return Match(match.overlap, match.share, match.error, match.offset, match.speed, start, stop)


def _tracks(songs: Sequence[Song], matches: Sequence[Match | None], cut: dict[int, Excerpts]) -> list[Track]:
    first = next(iter(cut.values()))
    tracks = [Track(printable(songs[0].path.name), first.first, f"from {clock(first.start)}")]
    for song, match in zip(songs[1:], matches, strict=True):
        if match is not None and song.id in cut and cut[song.id].second.samples.shape[1]:
            place = f"from {clock(max(0.0, match.place(first.start)))}"
            tracks.append(Track(printable(song.path.name), cut[song.id].second, place))
    return tracks


def _row(song: Song, match: Match | None, cut: Excerpts | None, target: Path) -> list[str | Link]:
    length = clock(song.duration or 0.0)
    file = _file(song.path, target)
    if match is None:
        return [song.name, length, "", "", "", "", "", "", file]
    speed = match.speed if cut is None else cut.speed
    offset = round(match.offset, 1) + 0.0  # not -0.0
    return [
        song.name,
        length,
        clock(match.overlap),
        f"{match.share:.0%}",
        f"{match.error:.0%}",
        "" if cut is None or cut.correlation is None else f"{cut.correlation:.2f}",
        f"{offset:+.1f} s",
        f"{100 * (1 / speed - 1):+.1f} %" if abs(speed - 1) > _FASTER else "same",
        file,
    ]


def _file(path: Path, target: Path) -> Link:
    return Link(printable(path), relative_url(path, target))
