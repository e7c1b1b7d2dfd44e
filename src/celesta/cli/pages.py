"""The pages that a verb makes of songs: one for each, in the folders of the sources, and one that lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from celesta._files import printable
from celesta.cli import console
from celesta.cli.files import free

if TYPE_CHECKING:
    from celesta.report.index import SongPage


class SongPages:
    """Pages of songs below an output folder, each with a FLAC file of the same name.

    The results of a song are done only where all of its files are there; what an interrupted run has left is made
    again.

    Args:
        output: the folder.
        found: each song with its path inside its source.
        columns: number of columns of the page that lists the songs.
        force: overwrite pages that are there.
        skip: skip songs whose results are done; otherwise they are refused.
        suffixes: of the files of a song other than its page.

    Attributes:
        made: the pages that are there.
    """

    def __init__(
        self,
        output: Path,
        found: Sequence[tuple[Path, Path]],
        columns: int,
        *,
        force: bool,
        skip: bool,
        suffixes: Sequence[str] = (".flac",),
    ) -> None:
        self.made: list[SongPage] = []
        self._output, self._columns, self._force, self._skip = output, columns, force, skip
        self._suffixes = (".html", *suffixes)
        self._inner = dict(found)
        self._taken: set[Path] = set()

    @property
    def songs(self) -> list[Path]:
        """The songs to work on."""
        return list(self._inner)

    def target(self, song: Path, name: str, model: str) -> Path | None:
        """Return the path of a song's page; None where the song is skipped, which is said.

        All files of the song may then be written, even where ``force`` is not set.

        Args:
            song: one of the songs.
            name: of the page, without its suffix.
            model: name that the list of songs shows.

        Raises:
            UsageError: the results are done, and are neither skipped nor overwritten.
        """
        folder, number, stem = self._output / self._inner[song].parent, 1, name
        while folder / f"{stem}.html" in self._taken:  # songs of the same name from several folders
            number += 1
            stem = f"{name}.{number}"
        page, *others = files = [folder / f"{stem}{suffix}" for suffix in self._suffixes]
        self._taken.add(page)
        missing = [file for file in files if not file.exists()]
        if self._force or len(missing) == len(files):
            return page
        if missing:
            console.note(f"{printable(missing[0])}: is missing, so an earlier run was interrupted; it is made again")
            return page
        if not self._skip:
            free(page, self._force)
        from celesta.report.index import SongPage

        console.note(f"{printable(page)}: exists already, skipped")
        self.made.append(SongPage(song, page, others[0], [model, *[""] * (self._columns - 1)]))
        return None

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
