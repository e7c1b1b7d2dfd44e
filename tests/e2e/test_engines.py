"""Analysis on engines: the same rows as in one process, also when a worker is killed in the middle."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

import celesta
from celesta._engine import Engine, Lost
from celesta.errors import CelestaError, LibraryError, UsageError
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


def test_dask_with_a_lost_worker(music: Path, expected: dict[str, list[Any]], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    killed: list[int] = []
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
        celesta.Library(tmp_path / "library.db") as library,
    ):
        pids = client.run(os.getpid)
        assert len(set(pids.values()) - {os.getpid()}) == 2
        watching = kill_when(lambda: next((pids[w] for w, jobs in client.processing().items() if jobs), None), killed)
        result = library.add(music, engine="dask")
        watching.join()
    assert len(killed) == 1
    assert (result.analysis.analysed, result.analysis.failed, result.analysis.elsewhere) == (SONGS - 1, 1, 0)
    assert rows(tmp_path / "library.db") == expected


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


def end_at_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number * number


def test_an_input_that_ends_its_workers_is_named_and_the_others_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celesta._engine._ATTEMPTS", 1)
    with Engine("loky", 2) as engine:
        found = dict(engine.run(end_at_three, range(2, 5)))
    assert isinstance(found.pop(3), Lost)
    assert found == {2: 4, 4: 16}


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
    monkeypatch.setattr(remote, "analysis_version", lambda: next(versions))
    exists = iter([*([seen] if version == "1" else []), True])
    monkeypatch.setattr(remote.os.path, "exists", lambda path: next(exists))
    finished: list[Any] = []

    class Claims:
        def take(self) -> Job | None:
            return jobs.pop() if jobs else None

    with pytest.raises(LibraryError, match=message):
        remote.analyse_elsewhere(Here(), Claims(), lambda *one: finished.append(one))  # type: ignore[arg-type]
    assert finished == []
