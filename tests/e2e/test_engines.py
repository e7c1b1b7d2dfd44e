"""Analysis on engines: the same rows as in one process, also when a worker is killed in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from typer.testing import CliRunner

import celesta
from celesta._engine import Engine, Lost
from celesta.cli.main import app
from celesta.codec import EncodedFile, Manifest, WrittenFile, encode_files
from celesta.errors import CelestaError, DataError, LibraryError, UsageError
from celesta.library import remote

CLIPS = sorted((Path(celesta.__file__).parent / "clips").glob("*.ogg"))
SONGS = 10


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "music"
    folder.mkdir()
    for i in range(SONGS - 1):
        samples, rate = soundfile.read(CLIPS[i % len(CLIPS)], start=44_100 * i, frames=80_000)
        soundfile.write(folder / f"{i}.wav", samples, rate)
    (folder / "broken.wav").write_bytes(b"RIFF" + bytes(100))
    return folder


@pytest.fixture(scope="module")
def expected(music: Path) -> dict[str, list[Any]]:
    database = music.parent / "here.db"
    with celesta.Library(database) as library:
        library.add(music, workers=1)
    return rows(database)


def rows(database: Path) -> dict[str, list[Any]]:
    """Everything that the analysis stores, by the identity of the audio."""
    queries = {
        "vectors": "payload, v.name, v.version, v.weights, v.data FROM vectors v",
        "descriptors": "payload, v.name, v.value FROM descriptors v",
        "predictions": "payload, v.predictor, v.label, v.probability FROM predictions v",
        "fingerprints": "payload, v.method, v.data FROM fingerprints v",
    }
    connection = sqlite3.connect(database)
    found = {
        name: connection.execute(f"SELECT {sql} JOIN recordings r ON r.id = v.recording ORDER BY 1, 2, 3").fetchall()
        for name, sql in queries.items()
    }
    found["recordings"] = connection.execute("SELECT payload, duration FROM recordings ORDER BY 1").fetchall()
    found["errors"] = connection.execute("SELECT path, stage, message FROM errors").fetchall()
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return found


def kill_when(found: Callable[[], int | None], killed: list[int]) -> threading.Thread:
    """Kill a worker as soon as one is busy."""

    def watch() -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and not killed:
            if pid := found():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            time.sleep(0.05)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """A client of two worker processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def kill_a_dask_worker(client: Any, killed: list[int]) -> threading.Thread:
    client.wait_for_workers(2)
    pids = client.run(os.getpid)
    assert len(set(pids.values()) - {os.getpid()}) == 2
    return kill_when(lambda: next((pids[w] for w, jobs in client.processing().items() if jobs), None), killed)


def test_dask_with_a_lost_worker(dask: Any, music: Path, expected: dict[str, list[Any]], tmp_path: Path) -> None:
    killed: list[int] = []
    with celesta.Library(tmp_path / "library.db") as library:
        watching = kill_a_dask_worker(dask, killed)
        result = library.add(music, engine="dask")
        watching.join()
    assert len(killed) == 1
    assert (result.analysis.analysed, result.analysis.failed, result.analysis.elsewhere) == (SONGS - 1, 1, 0)
    assert rows(tmp_path / "library.db") == expected


def test_a_folder_is_encoded_on_dask_with_a_lost_worker(dask: Any, music: Path, tmp_path: Path) -> None:
    songs = sorted(music.glob("*.wav"))
    targets = {song: tmp_path / f"{song.stem}.cel" for song in songs}
    killed: list[int] = []
    watching = kill_a_dask_worker(dask, killed)
    record = Manifest(tmp_path / "done.jsonl", {})
    made = list(encode_files(targets, "linear-64", engine="dask", manifest=record, bits=8))
    watching.join()
    assert len(killed) == 1
    assert [one.source for one in made] == songs
    assert [one.source.stem for one in made if one.written is None] == ["broken"]
    here = celesta.load("linear-64")
    for one in made:
        if one.written:
            here.encode_file(one.source, tmp_path / "here.cel", bits=8)
            assert one.target.read_bytes() == (tmp_path / "here.cel").read_bytes()
    assert {path.suffix for path in tmp_path.iterdir()} == {".cel", ".jsonl"}
    again = Manifest(tmp_path / "done.jsonl", {})
    assert [again.made_from(b, a) for a, b in targets.items()] == [True] * (SONGS - 1) + [None]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the worker by /proc")
def test_ray_with_a_lost_worker(
    music: Path, expected: dict[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    killed: list[int] = []

    def busy() -> int | None:
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if command.read_bytes().startswith(b"ray::PoolActor.run_batch"):
                    return int(command.parent.name)
            except OSError:
                continue
        return None

    with celesta.Library(tmp_path / "library.db") as library:
        watching = kill_when(busy, killed)
        result = library.add(music, engine="ray", workers=2)
        watching.join()
    assert len(killed) == 1
    assert (result.analysis.analysed, result.analysis.failed, result.analysis.elsewhere) == (SONGS - 1, 1, 0)
    assert rows(tmp_path / "library.db") == expected


@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark(music: Path, expected: dict[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark")
    pytest.importorskip("joblibspark")
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master local[2] pyspark-shell")
    with celesta.Library(tmp_path / "library.db") as library:
        result = library.add(music, engine="spark", workers=2)
    assert (result.analysis.analysed, result.analysis.failed, result.analysis.elsewhere) == (SONGS - 1, 1, 0)
    assert rows(tmp_path / "library.db") == expected


def end_at_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number * number


def test_an_input_that_ends_its_workers_is_named_and_the_others_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celesta._engine._ATTEMPTS", 1)
    with Engine("loky", 2) as engine:
        found = dict(engine.run(end_at_three, range(2, 4)))
    assert isinstance(found.pop(3), Lost)
    assert found == {2: 4}


def refuse(number: int) -> int:
    raise OSError("no such disk")


def test_workers_that_cannot_work_at_all_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celesta._engine._ATTEMPTS", 1)
    with Engine("loky", 2) as engine, pytest.raises(CelestaError, match="its workers fail: no such disk"):
        list(engine.run(refuse, range(3)))


def test_engines_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="choose one of loky, dask"):
        Engine("cluster")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install joblibspark"):
        Engine("spark")
    with celesta.Library(tmp_path / "library.db") as library, pytest.raises(UsageError, match="workers must be"):
        library.add(tmp_path, workers=0)


class Here:
    """An engine whose worker is this process."""

    name = "here"

    def run(self, function: Callable[[Any], Any], jobs: Any) -> Any:
        return ((job, function(job)) for job in jobs)


@pytest.mark.parametrize(
    ("seen", "version", "message"), [(False, "1", "does not see .*same path"), (True, "2", "another version")]
)
def test_workers_that_do_not_fit_stop_the_work_and_no_song_gets_an_error(
    music: Path, monkeypatch: pytest.MonkeyPatch, seen: bool, version: str, message: str
) -> None:
    from celesta.library.claims import Job

    jobs = [Job(1, os.fsencode(music / "0.wav"))]
    versions = iter(["1", version])
    monkeypatch.setattr(remote, "analysis_version", lambda licence: next(versions))
    exists = iter([*([seen] if version == "1" else []), True])
    monkeypatch.setattr(remote.os.path, "exists", lambda path: next(exists))
    finished: list[Any] = []

    class Claims:
        def take(self) -> Job | None:
            return jobs.pop() if jobs else None

    with pytest.raises(LibraryError, match=message):
        remote.analyse_elsewhere(Here(), Claims(), "research", lambda *one: finished.append(one))  # type: ignore[arg-type]
    assert finished == []


def test_a_manifest_goes_on_after_a_cut_off_line_and_knows_what_changed(tmp_path: Path) -> None:
    source, target = tmp_path / "b\udce9.wav", tmp_path / "b.cel"
    source.write_bytes(b"audio")
    target.write_bytes(b"12345678")
    made = EncodedFile(source, target, WrittenFile(target, 8, 1.0))
    Manifest(tmp_path / "m.jsonl", {"kbps": 12}).add(made)
    with (tmp_path / "m.jsonl").open("ab") as file:
        file.write(b'{"source": "/a.wav", "tar')
    again = Manifest(tmp_path / "m.jsonl", {"kbps": 12})
    assert again.made_from(target, source) is True
    again.add(EncodedFile(tmp_path / "c.wav", tmp_path / "c.cel", None, "c.wav: is no audio"))
    again.add(made)
    assert len((tmp_path / "m.jsonl").read_bytes().splitlines()) == 2
    assert Manifest(tmp_path / "other.jsonl", {"kbps": 12}).made_from(target, source) is None
    target.write_bytes(b"1234")
    assert again.made_from(target, source) is None
    target.write_bytes(b"12345678")
    source.write_bytes(b"other audio")
    assert again.made_from(target, source) is None


def test_files_that_are_no_manifest_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("buy milk\nand bread\n")
    with pytest.raises(DataError, match="line 1 is not of a manifest"):
        Manifest(tmp_path / "notes.txt", {})


def test_the_command_encodes_in_two_processes_and_goes_on_with_its_manifest(music: Path, tmp_path: Path) -> None:
    songs = tmp_path / "songs"
    songs.mkdir()
    for name in ("0.wav", "1.wav", "broken.wav"):
        shutil.copy(music / name, songs)
    words = ["encode", songs, "-o", tmp_path / "out", "-m", "linear-64", "--workers", 2, "--manifest", tmp_path / "m"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 1
    assert [line.split()[2] for line in result.stdout.splitlines()] == [f"{tmp_path}/out/{i}.cel" for i in (0, 1)]
    assert "broken.wav" in result.stderr
    (songs / "broken.wav").unlink()
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.count("exists already, skipped") == 2
    refused = CliRunner().invoke(app, ["encode", "-", "--engine", "dask"])
    assert refused.exit_code == 2
    assert "need files" in refused.stderr
