"""Library files of earlier versions open, and lose nothing."""

import sqlite3

import pytest

from celesta.library.schema import APPLICATION_ID, MIGRATIONS, VERSION
from celesta.library.store import Store


def tables(path):
    with sqlite3.connect(path) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_file_of_each_earlier_version_becomes_one_of_the_newest(tmp_path, version):
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        for number in range(version):
            connection.executescript(MIGRATIONS[number])
        connection.execute("INSERT INTO recordings (id, payload, added) VALUES (7, 'flac-md5:1', 0)")
        connection.execute("INSERT INTO files (path, recording, size, mtime_ns, inode) VALUES (x'41', 7, 1, 2, 3)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with Store(path) as store:
        assert store.rows("PRAGMA user_version") == [(VERSION,)]
        assert store.rows("SELECT payload FROM recordings JOIN files ON recording = recordings.id") == [("flac-md5:1",)]
        assert store.check() == "ok"
    new = tmp_path / "new.db"
    Store(new).close()
    assert tables(path) == tables(new)
    assert {"segments", "positions"} <= tables(path)
