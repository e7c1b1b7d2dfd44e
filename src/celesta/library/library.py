"""The library as one object, with the same words as the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from celesta._engine import Engine
from celesta._files import printable
from celesta._names import check_the_path
from celesta.errors import LibraryError
from celesta.latents import is_cel
from celesta.library.adding import AddProgress, Progress, analyse_waiting
from celesta.library.duplicates import Duplicates, find_duplicates
from celesta.library.queries import Queries
from celesta.library.results import AddResult, FileError, LibraryStatus, read_errors, read_roots, read_status
from celesta.library.scan import is_without_audio, scan
from celesta.library.store import Store, default_path


def _silent(_: AddProgress) -> None:
    pass


class Library(Queries):
    """A music library: one SQLite file that identifies songs by their audio.

    Several processes may use one library at once.

    Args:
        path: the library file; by default ``$CELESTA_LIBRARY``, else ``library.db`` in the user's data folder.
        create: whether a missing file is made.
        licence: ``commercial`` for a new library that uses only weights that may be used commercially: songs then have
            no genre and no mood, as their predictors are for research only; the taggers' words are there. ``research``
            for all weights, which is what None means for a new library.

    Raises:
        UsageError: there is no such licence.
        LibraryError: the file cannot be opened or is not a library, or its songs were analysed with another licence.

    Example:
        >>> import celesta
        >>> with celesta.Library("music.db") as library:
        ...     added = library.add("music", workers=1)
        ...     found = library.similar("song.mp3", n=2)
        >>> added.scan.new, sorted(one.song.path.name for one in found)
        (2, ['a.ogg', 'b.ogg'])
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, create: bool = True, licence: str | None = None
    ) -> None:
        super().__init__(Store(default_path() if path is None else Path(path), create=create, licence=licence))

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Library({self._store.name!r})"

    @property
    def path(self) -> Path:
        """Path of the library file."""
        return self._store.path

    @property
    def licence(self) -> str:
        """``commercial`` or ``research``: which weights the analysis uses."""
        return self._store.licence

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def add(
        self,
        *paths: str | os.PathLike[str],
        workers: int | None = None,
        retry: bool = False,
        engine: str = "loky",
        progress: Progress = _silent,
    ) -> AddResult:
        """Scan folders and files, and analyse every song of the library that waits for it.

        A song is stored as soon as it is analysed; after an interruption the same call goes on.

        Args:
            paths: folders or audio files; folders are scanned again by :meth:`update`. Of several, a
                latent or a folder without audio files is listed in the result and not registered.
            workers: processes that analyse; by default one for each processor, or as many as the engine has.
            retry: whether files that could not be analysed before are tried again.
            engine: ``loky`` for processes on this machine, or ``dask``, ``ray`` or ``spark`` for workers that see the
                music at the same paths; this process alone writes the library.
            progress: called often with an :class:`AddProgress`.

        Raises:
            LibraryError: a path does not exist, the only path is a latent or a folder without audio files, or the
                library cannot be written.
        """
        Engine(engine, workers)  # refused before the folders are listed, which may take minutes
        roots, refused = list[Path](), list[tuple[Path, str]]()
        for path in map(Path, paths):
            root = Path(os.path.abspath(path))
            if not root.exists():
                raise LibraryError(f"{printable(path)}: no such file or folder; {check_the_path(path)}")
            if is_without_audio(self._store, root):
                refused.append((path, "there are no audio files in this folder"))
            elif is_cel(path) and root.is_file():
                refused.append((path, "is a latent; add the song that it was made from"))
            else:
                roots.append(root)
        if len(paths) == len(refused) == 1:
            raise LibraryError(f"{printable(refused[0][0])}: {refused[0][1]}")
        for root in roots:
            self._store.execute("INSERT OR IGNORE INTO roots (path) VALUES (?)", (os.fsencode(root),))
        result = self._bring_up_to_date(roots, workers, retry, engine, progress)
        result.scan.skipped[:0] = refused
        return result

    def update(
        self,
        *,
        workers: int | None = None,
        retry: bool = False,
        engine: str = "loky",
        progress: Progress = _silent,
    ) -> AddResult:
        """Scan the folders that were added before, and analyse what waits; see :meth:`add`.

        A folder that is not there (an unmounted disk) is listed in the result, and its files are not marked missing.

        Args:
            workers: processes that analyse.
            retry: whether files that could not be analysed before are tried again.
            engine: ``loky``, ``dask``, ``ray`` or ``spark``.
            progress: called often with an :class:`AddProgress`.
        """
        Engine(engine, workers)  # refused before the folders are listed, which may take minutes
        return self._bring_up_to_date(self._roots(), workers, retry, engine, progress)

    def _bring_up_to_date(
        self, roots: Sequence[Path], workers: int | None, retry: bool, engine: str, progress: Progress
    ) -> AddResult:
        if retry:
            self._store.execute("DELETE FROM errors WHERE stage <> 'warning'")
        found = scan(self._store, roots, lambda done, total: progress(AddProgress("scan", done, total)))
        return AddResult(found, analyse_waiting(self._store, workers, progress, engine))

    def _roots(self) -> list[Path]:
        return read_roots(self._store)

    def prune(self) -> int:
        """Forget the recordings whose files have all vanished, and return how many there were."""
        with self._store.transaction() as store:
            store.execute("DELETE FROM files WHERE missing_since IS NOT NULL")
            gone = [
                one
                for (one,) in store.rows(
                    "SELECT id FROM recordings r WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.recording = r.id)"
                )
            ]
            for one in gone:
                store.execute("DELETE FROM song_text WHERE rowid = ?", (one,))
                store.execute("DELETE FROM recordings WHERE id = ?", (one,))
        return len(gone)

    def status(self) -> LibraryStatus:
        """Return what the library holds."""
        return read_status(self._store)

    def errors(self) -> list[FileError]:
        """Return the files that could not be read or analysed, and those with warnings."""
        return read_errors(self._store)

    def duplicates(self, *, progress: Callable[[int, int], None] = lambda done, total: None) -> Duplicates:
        """Find songs that are the same audio in several recordings; nothing is changed.

        Args:
            progress: called with the number of songs compared, and of all.
        """
        return find_duplicates(self._store, progress)

    def backup(self, target: str | os.PathLike[str]) -> Path:
        """Copy the library to another file while it is in use.

        Raises:
            UsageError: the target exists.
            LibraryError: it cannot be written.
        """
        self._store.backup(Path(target))
        return Path(target)

    def check(self) -> str:
        """Return ``ok``, or what SQLite's integrity check found."""
        return self._store.check()
