"""The pages that a verb makes of songs: one for each, in the folders of the sources, and one that lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from celesta.cli import console
from celesta.cli.files import free

if TYPE_CHECKING:
    from celesta.report.index import SongPage


class SongPages:
    """Pages of songs below an output folder, each with a FLAC file of the same name.

    Args:
        output: the folder.
        found: each song with its path inside its source.
        columns: number of columns of the page that lists the songs.
        force: overwrite pages that are there.
        skip: skip songs whose page and audio are there; otherwise they are refused.

    Attributes:
        made: the pages that are there.
    """

    def __init__(
        self, output: Path, found: Sequence[tuple[Path, Path]], columns: int, *, force: bool, skip: bool
    ) -> None:
        self.made: list[SongPage] = []
        self._output, self._columns, self._force, self._skip = output, columns, force, skip
        self._inner = dict(found)
        self._taken: set[Path] = set()

    @property
    def songs(self) -> list[Path]:
        """The songs to work on."""
        return list(self._inner)

    def target(self, song: Path, name: str, model: str) -> Path | None:
        """Return the path of a song's page; None where the song is skipped, which is said.

        Args:
            song: one of the songs.
            name: of the page, without its suffix.
            model: name that the list of songs shows.

        Raises:
            UsageError: page or audio are there, and are neither skipped nor overwritten.
        """
        folder, number = self._output / self._inner[song].parent, 1
        page, audio = folder / f"{name}.html", folder / f"{name}.flac"
        while page in self._taken:  # songs of the same name from several folders
            number += 1
            page, audio = folder / f"{name}.{number}.html", folder / f"{name}.{number}.flac"
        self._taken.add(page)
        if self._skip and not self._force and page.exists() and audio.exists():
            from celesta.report.index import SongPage

            console.note(f"{page}: exists already, skipped")
            self.made.append(SongPage(song, page, audio, [model, *[""] * (self._columns - 1)]))
            return None
        free(page, self._force)
        free(audio, self._force)
        return page

    @contextmanager
    def listed(self, write: Callable[[Sequence[SongPage], Path], Path]) -> Iterator[None]:
        """List several songs on a page of their own when the block ends, however it ends.

        Args:
            write: writes the page of some songs to a path.
        """
        try:
            yield
        finally:
            if len(self.made) > 1:
                console.note(f"index: {write(self.made, self._output / 'index.html')}")
