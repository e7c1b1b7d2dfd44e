"""Open a library file: SQLite in WAL mode, one clear error for each thing that can be wrong with the file."""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from celesta._files import atomic, printable
from celesta.errors import LibraryError, UsageError
from celesta.library.schema import migrate
from celesta.models.licences import ALL_WEIGHTS, check_use

ENVIRONMENT = "CELESTA_LIBRARY"
BUSY_SECONDS = 60.0
"""How long a writer waits for another process's transaction."""


def default_path() -> Path:
    """Return the library file that is used where none is named.

    ``$CELESTA_LIBRARY`` if set, else ``library.db`` in the user's data folder.

    Example:
        >>> default_path().suffix
        '.db'
    """
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_data_dir("celesta", appauthor=False)) / "library.db"


def command_for(library: Path, words: str) -> str:
    """Return the command line of a verb, with the option that names the library where it is not the default one.

    Args:
        library: path of the library file.
        words: the verb with its arguments.

    Example:
        >>> command_for(Path("my music.db"), "library status")
        "celesta library status --library 'my music.db'"
    """
    named = "" if library == default_path() else f" --library {shlex.quote(printable(library))}"
    return f"celesta {words}{named}"


class Store:
    """A connection to a library file.

    The file is opened in WAL mode: several processes may read and write it at once, and a process that is killed at
    any moment loses at most its open transaction.

    Args:
        path: the file; made with its folder if it does not exist.
        create: whether a missing file is made.
        licence: one of :data:`celesta.models.licences.USES` for a library without songs, research if it is None; a
            library with songs has its own.

    Attributes:
        path: as given.
        name: of the file, for messages.
        licence: of the library.

    Raises:
        UsageError: there is no such licence.
        LibraryError: the file is damaged, read-only, of another program or of a newer version, or its folder cannot
            be written; or the library has songs and another licence.
    """

    def __init__(self, path: str | Path, *, create: bool = True, licence: str | None = None) -> None:
        check_use(licence)
        self.path = Path(path)
        self.name = printable(self.path)
        if not create and (not self.path.exists() or (self.path.is_file() and not self.path.stat().st_size)):
            raise LibraryError(f"{self.name}: no such library; make it with: {self.command('library add FOLDER')}")
        with self.errors():
            if create:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            with self.errors():
                self._prepare()
                self.licence = self._licensed(licence)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA foreign_keys = ON")
        migrate(self._connection, self.name)

    def _licensed(self, wanted: str | None) -> str:
        """Return the library's licence; one that is wanted is stored where there are no songs yet."""
        execute = self._connection.execute
        found = execute("SELECT value FROM settings WHERE name = 'licence'").fetchone()
        known = found[0] if found else ALL_WEIGHTS
        if wanted in (None, known):
            return str(known)
        if execute("SELECT 1 FROM recordings LIMIT 1").fetchone():
            raise LibraryError(
                f"{self.name}: its songs were analysed with --licence {known}; choose another file with --library"
            )
        execute("INSERT OR REPLACE INTO settings (name, value) VALUES ('licence', ?)", (wanted,))
        return str(wanted)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; open transactions are rolled back."""
        self._connection.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn SQLite's and the system's errors into one clear line each."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise LibraryError(f"{self.name}: {_reason(error, self.command('library add FOLDER'))}") from None
        except OSError as error:
            raise LibraryError(f"{self.name}: cannot be written ({error.strerror or error})") from None

    def command(self, words: str) -> str:
        """Return the command line of a verb for this library, to be shown as a remedy."""
        return command_for(self.path, words)

    @property
    def changes(self) -> int:
        """Number of rows that this connection has changed."""
        return self._connection.total_changes

    def rows(self, sql: str, values: tuple[object, ...] | dict[str, object] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return all of its rows."""
        with self.errors():
            return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run one statement; outside of :meth:`transaction` it commits by itself."""
        with self.errors():
            return self._connection.execute(sql, values)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Store]:
        """Commit what the block does as a whole, or nothing of it if it raises."""
        with self.errors():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self
            with self.errors():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def check(self) -> str:
        """Return ``ok``, or what SQLite's integrity check found."""
        rows = self.rows("PRAGMA integrity_check") + self.rows("PRAGMA foreign_key_check")
        return "; ".join(" ".join(map(str, row)) for row in rows)

    def backup(self, target: str | Path) -> None:
        """Copy the library to another file while it is in use (SQLite's online backup).

        Raises:
            UsageError: the target exists.
            LibraryError: it cannot be written.
        """
        target = Path(target)
        if target.exists():
            raise UsageError(f"{printable(target)}: exists already; choose another name for the backup")
        with self.errors(), atomic(target, LibraryError) as temporary:
            copy = sqlite3.connect(temporary)
            try:
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()


def now() -> float:
    """Seconds since 1970, as the library stores times."""
    return time.time()


def _reason(error: sqlite3.DatabaseError, remake: str) -> str:
    text = str(error)
    if "not a database" in text:
        return "not an SQLite file; choose another file with --library"
    if "malformed" in text or "corrupt" in text:
        return f"the file is damaged; restore a backup, or delete it and run: {remake}"
    if "readonly" in text:
        return "the file or its folder is read-only; change its permissions or choose another with --library"
    if "full" in text or "disk I/O" in text:
        return f"cannot be written ({text}); check the free space of the disk"
    if "unable to open" in text:
        return "cannot be opened; does its folder exist, and may it be written?"
    if "locked" in text or "busy" in text:
        return f"another process has used it for more than {BUSY_SECONDS:.0f} s; try again"
    return text
