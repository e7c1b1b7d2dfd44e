"""A library's files: identity survives moves and tags, rows are never lost, faults are one line."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile

from celesta.errors import LibraryError, UsageError
from celesta.library.payload import flac_is_whole, payload_id
from celesta.library.scan import scan
from celesta.library.schema import VERSION
from celesta.library.store import Store

FORMATS = ("flac", "mp3", "ogg", "opus", "wav", "aiff")


def song(path: Path, seed: int = 0, seconds: float = 0.5) -> Path:
    rng = np.random.default_rng(seed)
    samples = 0.1 * rng.standard_normal((round(48_000 * seconds), 2))
    if path.suffix == ".opus":
        soundfile.write(path, samples, 48_000, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, samples, 48_000)
    return path


def tag(path: Path, title: str) -> None:
    file = mutagen.File(path, easy=path.suffix not in (".wav", ".aiff"))
    if file.tags is None:
        file.add_tags()
    if path.suffix in (".wav", ".aiff"):
        file.tags.add(mutagen.id3.TIT2(encoding=3, text=[title]))
    else:
        file["title"] = title
    file.save()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    with Store(tmp_path / "library.db") as opened:
        yield opened


@pytest.mark.parametrize("suffix", FORMATS)
def test_tags_and_names_leave_the_identity_alone(tmp_path: Path, suffix: str) -> None:
    path = song(tmp_path / f"a.{suffix}")
    before = payload_id(path)
    assert before.startswith(suffix.replace("opus", "ogg") + ":")
    for title in ("short", "a much longer title " * 200, "x"):
        tag(path, title)
        assert payload_id(path) == before
    assert payload_id(path.rename(tmp_path / f"b.{suffix}")) == before
    assert payload_id(song(tmp_path / f"other.{suffix}", seed=1)) != before


def test_trailing_tags_of_an_mp3(tmp_path: Path) -> None:
    path = song(tmp_path / "a.mp3")
    plain = path.read_bytes()
    id3v1 = b"TAG" + b"Title".ljust(125, b"\0")
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
    lyrics = b"LYRICSBEGIN" + b"words" + b"000016" + b"LYRICS200"
    for tail in (id3v1, ape, ape + id3v1, lyrics + id3v1):
        path.write_bytes(plain + tail)
        assert payload_id(path) == payload_id(song(tmp_path / "b.mp3"))


@pytest.mark.parametrize(
    "data", [b"", b"f", b"fLaC", b"OggS", b"RIFF", b"FORM", b"ID3\4\0\0\0\0\0\x7f", b"\xff\xfb" * 9]
)
def test_fragments_have_an_identity_too(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(data)
    found = payload_id(path)
    assert found
    path.rename(tmp_path / "b.mp3")
    assert payload_id(tmp_path / "b.mp3") == found


def test_scanning_again_finds_nothing_to_do(store: Store, tmp_path: Path) -> None:
    music = tmp_path / "music"
    (music / "album").mkdir(parents=True)
    song(music / "a.flac")
    song(music / "album" / "b.mp3", seed=1)
    first = scan(store, [music])
    assert (first.new, first.attached, first.unchanged, first.missing) == (2, 0, 0, 0)
    again = scan(store, [music])
    assert (again.new, again.attached, again.unchanged, again.missing) == (0, 0, 2, 0)


def test_a_moved_and_tagged_folder_is_attached(store: Store, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for i in range(6):
        song(old / f"{i}.{FORMATS[i]}", seed=i)
    scan(store, [old])
    new = tmp_path / "new"
    shutil.move(old, new)
    for i in range(0, 6, 2):
        tag(new / f"{i}.{FORMATS[i]}", f"title {i}")
    result = scan(store, [tmp_path])
    assert (result.new, result.attached, result.moved, result.missing) == (0, 6, 6, 0)
    assert store.rows("SELECT count(*) FROM recordings") == [(6,)]
    assert store.rows("SELECT count(*) FROM files WHERE missing_since IS NULL") == [(6,)]
    shutil.move(new, old)
    back = scan(store, [tmp_path])
    assert (back.new, back.attached, back.moved, back.missing) == (0, 6, 6, 0)
    assert store.rows("SELECT count(*) FROM files") == [(12,)]


@pytest.mark.parametrize("last", [False, True])
def test_files_that_move_between_folders_are_not_missing(store: Store, tmp_path: Path, last: bool) -> None:
    """Whichever folder is scanned first. Of a copy that is deleted the path is missing; a tagged file moved nowhere."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    for i in range(3):
        song(old / f"{i}.flac", seed=i)
    shutil.copy(old / "0.flac", old / "copy.flac")
    shutil.copy(old / "1.flac", old / "other copy.flac")
    roots = [new, old] if last else [old, new]
    scan(store, roots)
    (old / "1.flac").rename(new / "2.flac")
    (old / "copy.flac").unlink()
    tag(old / "0.flac", "title")
    result = scan(store, roots)
    assert (result.new, result.attached, result.moved, result.missing) == (0, 2, 1, 1)
    for file in old.iterdir():
        file.rename(new / f"moved {file.name}")
    old.rmdir()
    result = scan(store, roots)
    assert (result.new, result.attached, result.moved, result.missing, result.skipped) == (0, 3, 3, 0, [])
    shutil.move(new, tmp_path / "unmounted")
    assert [path for path, _ in scan(store, roots).skipped] == [new]


def test_changed_audio_is_another_recording(store: Store, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    song(music / "a.flac")
    scan(store, [music])
    song(music / "a.flac", seed=5)
    assert scan(store, [music]).new == 1
    assert store.rows("SELECT count(*) FROM recordings") == [(2,)]


@pytest.mark.parametrize("damage", ["hole", "cut"])
@pytest.mark.parametrize("order", ["intact first", "damaged first", "at once", "at once, intact first"])
def test_a_damaged_flac_file_is_no_copy_of_the_intact_one(
    store: Store, tmp_path: Path, damage: str, order: str
) -> None:
    """Both name the same MD5 in their heads. Copies, moved files and tagged files are attached as before."""
    music = tmp_path / "music"
    music.mkdir()
    data = song(tmp_path / "x.flac", seconds=1.5).read_bytes()
    bad = data[: len(data) // 2] + (bytes(50) + data[len(data) // 2 + 50 :] if damage == "hole" else b"")
    names = ["b.flac", "a.flac"] if order == "at once" else ["a.flac", "b.flac"]
    for name, content in zip(names, (data, bad), strict=True):
        (music / name).write_bytes(content)
    good, broken = (music / name for name in names)
    paths = {"intact first": [good, broken], "damaged first": [broken, good]}.get(order, [music])
    results = [scan(store, [path]) for path in paths]
    assert sum(one.new for one in results) == 2
    assert sum(one.attached for one in results) == 0
    shutil.copy(good, music / "copy.flac")
    shutil.copy(broken, music / "broken copy.flac")
    tag(good, "other title")
    os.utime(broken)
    broken.rename(music / "moved.flac")
    again = scan(store, [music])
    assert (again.new, again.attached) == (0, 4)
    groups = store.rows("SELECT group_concat(path, ' ') FROM (SELECT * FROM files ORDER BY path) WHERE missing_since"
                        " IS NULL GROUP BY recording ORDER BY 1")  # fmt: skip
    assert len(groups) == 2
    assert sorted(len(os.fsdecode(paths).split(".flac")) - 1 for (paths,) in groups) == [2, 2]


@pytest.mark.parametrize(("subtype", "channels"), [("PCM_S8", 1), ("PCM_16", 6), ("PCM_24", 2)])
def test_flac_files_are_whole_when_they_decode_to_their_md5(tmp_path: Path, subtype: str, channels: int) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (30_000, channels))
    samples[:2] = [[-1.0] * channels, [1.0] * channels]
    path = tmp_path / "a.flac"
    soundfile.write(path, samples, 44_100, subtype=subtype)
    data = path.read_bytes()
    behind = (b"TAG" + bytes(125), bytes(3_000))
    for tail in (b"", *behind):
        path.write_bytes(data + tail)
        assert flac_is_whole(path)
    tag(path, "title")
    assert flac_is_whole(path)
    path.write_bytes(data[:26] + bytes(16) + data[42:])  # no MD5
    assert flac_is_whole(path)
    path.write_bytes(data[:26] + bytes([data[26] ^ 1]) + data[27:])
    assert not flac_is_whole(path)


def test_loops_hidden_files_odd_names_and_unreadable_folders(store: Store, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    song(music / "a.flac")
    os.symlink(music, music / "loop")
    shutil.copy(music / "a.flac", music / "._a.flac")
    shutil.copy(song(tmp_path / "x.flac", seed=3), os.fsencode(music) + b"/b\xe9.flac")
    (music / "cover.jpg").write_bytes(b"x")
    (music / "list.m3u8").write_text("a.flac\n")
    (music / "folder.mp3").mkdir()
    os.symlink("self.flac", music / "self.flac")
    os.mkfifo(music / "pipe.mp3")
    os.symlink(tmp_path / "nowhere.flac", music / "broken.flac")
    result = scan(store, [music])
    assert (result.new, result.attached) == (2, 0)
    assert "x5" not in str(result.to_dict())


def test_a_folder_that_cannot_be_listed_loses_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = tmp_path / "music"
    (music / "album").mkdir(parents=True)
    song(music / "album" / "a.flac")
    scan(store, [music])
    listing = os.scandir

    def refusing(path: bytes) -> object:
        if os.fsencode(path).endswith(b"album"):
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    monkeypatch.setattr(os, "scandir", refusing)
    result = scan(store, [music])
    assert result.missing == 0
    assert result.skipped == [(music / "album", "Permission denied")]
    monkeypatch.undo()
    shutil.move(music, tmp_path / "elsewhere")
    assert "is its disk mounted" in scan(store, [music]).skipped[0][1]
    music.mkdir()  # the mount point of a disk that is not there
    result = scan(store, [music])
    assert result.missing == 0
    assert "is its disk mounted" in result.skipped[0][1]


def test_files_that_are_no_library(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("hello" * 1000)
    with pytest.raises(LibraryError, match="not an SQLite file"):
        Store(tmp_path / "text.db")
    with sqlite3.connect(tmp_path / "foreign.db") as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(LibraryError, match="another program"):
        Store(tmp_path / "foreign.db")
    Store(tmp_path / "new.db").close()
    with sqlite3.connect(tmp_path / "new.db") as newer:
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(LibraryError, match="Update Celesta"):
        Store(tmp_path / "new.db")
    with pytest.raises(LibraryError, match="no such library"):
        Store(tmp_path / "gone.db", create=False)
    (tmp_path / "empty.db").touch()
    with pytest.raises(LibraryError, match="no such library"):
        Store(tmp_path / "empty.db", create=False)


def test_a_full_disk_is_one_line_and_loses_nothing(store: Store, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for i in range(3):
        song(music / f"{i}.flac", seed=i)
    scan(store, [music])
    ((pages,),) = store.rows("PRAGMA page_count")
    store.execute(f"PRAGMA max_page_count = {pages}")  # SQLite answers as on a full disk
    for i in range(3, 300):
        shutil.copy(music / "0.flac", music / f"{i}.flac")
    with pytest.raises(LibraryError, match="check the free space"):
        scan(store, [music])
    store.execute("PRAGMA max_page_count = 1000000")
    assert store.check() == "ok"
    assert store.rows("SELECT count(*) FROM files") == [(3,)]
    assert scan(store, [music]).attached == 297


SCAN = """
import resource, signal, sys
from celesta.errors import LibraryError, UsageError
from celesta.library.scan import scan
from celesta.library.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    with Store(sys.argv[1]) as store:
        scan(store, [sys.argv[2]])
except LibraryError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX systems do")
def test_where_files_may_not_grow_nothing_is_lost(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    first = song(music / "0.flac", seconds=0.05)
    database = tmp_path / "library.db"
    with Store(database) as store:
        scan(store, [music])
    for i in range(1, 900):
        os.link(first, music / f"{i:03d} {'long name' * 20}.flac")
    size = str(database.stat().st_size + 60_000)
    done = subprocess.run([sys.executable, "-c", SCAN, database, music, size], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"{re.escape(str(database))}: cannot be written .*check the free space of the disk\n", done.stderr
    )
    with Store(database) as store:
        assert store.check() == "ok"
        assert store.rows("SELECT count(*) FROM recordings") == [(1,)]
        scan(store, [music])
        assert store.rows("SELECT count(*) FROM files") == [(900,)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes its user in a child process")
def test_a_read_only_library_is_one_line_and_stays_as_it_is() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        database = folder / "library.db"
        Store(database).close()
        folder.chmod(0o555)
        database.chmod(0o444)
        before = database.read_bytes()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # root may write everything, so the child is nobody
            said = "no error"
            try:
                if os.geteuid() == 0:
                    os.setuid(65_534)
                with Store(database) as store:
                    store.execute("INSERT INTO roots (path) VALUES (x'00')")
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
            finally:
                os.write(writing, said.encode())
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        said = os.read(reading, 10_000).decode()
        os.close(reading)
        assert said.startswith(f"LibraryError: {database}: ")
        assert "read-only" in said or "may it be written" in said
        assert "\n" not in said
        assert database.read_bytes() == before
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_damaged_library_is_one_line(store: Store, tmp_path: Path) -> None:
    for i in range(200):
        store.execute("INSERT INTO recordings (payload, added) VALUES (?, 0)", (f"x:{i}" * 50,))
    store.close()
    path = tmp_path / "library.db"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = b"\xa5" * (4096 * 3)
    path.write_bytes(data)

    def read_all() -> None:
        with Store(path) as broken:
            for table in ("recordings ORDER BY payload", "files", "tags", "vectors", "errors"):
                broken.rows(f"SELECT * FROM {table}")

    with pytest.raises(LibraryError, match="the file is damaged; restore a backup"):
        read_all()


def test_backup_and_integrity(store: Store, tmp_path: Path) -> None:
    store.execute("INSERT INTO recordings (payload, added) VALUES ('a:1', 0)")
    store.backup(tmp_path / "copy.db")
    with Store(tmp_path / "copy.db") as copy:
        assert copy.rows("SELECT payload FROM recordings") == [("a:1",)]
        assert copy.check() == "ok"
    with pytest.raises(UsageError, match="exists already"):
        store.backup(tmp_path / "copy.db")


def test_an_error_inside_a_transaction_takes_it_back(store: Store) -> None:
    def stopped() -> None:
        with store.transaction():
            store.execute("INSERT INTO recordings (payload, added) VALUES ('a:1', 0)")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stopped()
    assert store.rows("SELECT count(*) FROM recordings") == [(0,)]
