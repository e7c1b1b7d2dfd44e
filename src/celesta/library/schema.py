"""The tables of a library file and the migrations from each earlier version."""

from __future__ import annotations

import sqlite3

from celesta.errors import LibraryError

VERSION = 3
APPLICATION_ID = 0x43454C42
"""``CELB`` in ASCII: marks the SQLite file as a library of Celesta (``PRAGMA application_id``)."""

_VERSION_1 = """
CREATE TABLE roots (
    path BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE recordings (
    id INTEGER PRIMARY KEY,
    payload TEXT NOT NULL UNIQUE,
    added REAL NOT NULL,
    duration REAL,
    analysed REAL,
    analysis TEXT,
    claimed_by TEXT,
    claimed_at REAL
) STRICT;
CREATE INDEX waiting_recordings ON recordings (id) WHERE analysed IS NULL;

CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    recording INTEGER REFERENCES recordings (id) ON DELETE SET NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    missing_since REAL
) STRICT;
CREATE INDEX files_of_recording ON files (recording);

CREATE TABLE tags (
    recording INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (recording, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE vectors (
    recording INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    weights TEXT NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (recording, name)
) STRICT;

CREATE TABLE descriptors (
    recording INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (recording, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX descriptor_values ON descriptors (name, value);

CREATE TABLE predictions (
    recording INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    predictor TEXT NOT NULL,
    label TEXT NOT NULL,
    probability REAL NOT NULL,
    PRIMARY KEY (recording, predictor, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX prediction_labels ON predictions (label, probability);

CREATE TABLE fingerprints (
    recording INTEGER PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
    method TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE errors (
    path BLOB PRIMARY KEY,
    happened REAL NOT NULL,
    stage TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;

CREATE VIRTUAL TABLE song_text USING fts5 (
    title, artist, album, genre, path, other, tokenize = "unicode61 remove_diacritics 2"
);
"""

# Segments: one row a song, its segments one after the other. Positions: of songs on the map, which stay once set.
_VERSION_2 = """
CREATE TABLE segments (
    recording INTEGER PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
    version TEXT NOT NULL,
    hop REAL NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE positions (
    recording INTEGER PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
    layout TEXT NOT NULL,
    x REAL NOT NULL,
    y REAL NOT NULL,
    cluster INTEGER NOT NULL,
    landmark INTEGER NOT NULL
) STRICT;
"""

# Settings: what was chosen when the library was made, such as the licence of the weights.
_VERSION_3 = """
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: dict[int, str] = {0: _VERSION_1, 1: _VERSION_2, 2: _VERSION_3}
"""SQL that takes a file from the version of the key to the next one."""


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Bring a library file to the newest version, each step in one transaction.

    Args:
        connection: in autocommit mode.
        name: of the file, for messages.

    Raises:
        LibraryError: the file is of a newer version, or an SQLite file of another program.
    """
    version = _number(connection, "user_version")
    program = _number(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if program != APPLICATION_ID and (tables or program):
        raise LibraryError(f"{name}: an SQLite file of another program; choose another file with --library")
    if version > VERSION:
        raise LibraryError(
            f"{name}: a library of version {version}; this Celesta reads up to version {VERSION}. Update Celesta"
        )
    while version < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        try:
            now = _number(connection, "user_version")  # another process may have migrated meanwhile
            if now == version:
                for statement in _statements(MIGRATIONS[version]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        version = _number(connection, "user_version")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _statements(script: str) -> list[str]:
    """The statements of a script; unlike ``executescript`` this leaves the open transaction alone."""
    return [statement for statement in script.split(";\n") if statement.strip()]
