"""The verb `celesta studio` as a first-time user types it, and the command lines that the page shows."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from studio_client import Client
from typer.testing import CliRunner

from celesta.cli.main import app
from celesta.studio.commands import ffmpeg

RUNNER = CliRunner()


class Address:
    """What a client needs of a server."""

    def __init__(self, url):
        self.address, self.token = re.fullmatch(r"http://(.*)/\?token=(.*)", url).groups()


@contextlib.contextmanager
def studios(*calls):
    """Studios in processes of their own, all started at once: `(words, folder, environment)` each; their clients."""
    command = [sys.executable, "-m", "celesta.cli.main", "studio", "--no-browser", "--json"]
    started = [
        subprocess.Popen([*command, *map(str, words)], stdout=subprocess.PIPE, text=True, cwd=folder,
                         env={**os.environ, **environment})
        for words, folder, environment in calls
    ]  # fmt: skip
    try:
        urls = [json.loads(one.stdout.readline())["url"] for one in started]
        yield [Client(found, found.token) for found in map(Address, urls)]
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait(20)
            one.stdout.close()


def test_files_libraries_and_nothing_open(songs, library_file, tmp_path):
    (tmp_path / "empty").mkdir()
    nowhere = {"CELESTA_LIBRARY": str(tmp_path / "none.db"), "CELESTA_CACHE": str(tmp_path / "cache")}
    known = {**nowhere, "CELESTA_LIBRARY": str(library_file)}
    calls = (
        ([songs / "long.wav"], tmp_path, nowhere),
        ([library_file], tmp_path, nowhere),
        ([], tmp_path / "empty", nowhere),
        ([], tmp_path / "empty", known),
    )
    with studios(*calls) as (file, library, clips, own):
        listed = file.json(file.get("/files"))["entries"]
        assert [one["name"] for one in listed] == ["long.wav"]
        assert file.json(file.get("/song", song=listed[0]["ref"]))["seconds"] == pytest.approx(16)
        assert "rock.ogg" in [one["name"] for one in clips.json(clips.get("/files", folder="0"))["entries"]]
        for one in (library, own):
            rows = one.json(one.get("/library/songs"))["songs"]
            assert all(one.json(one.get("/song", song=row["ref"]))["library_id"] == row["id"] for row in rows)
            assert len(rows) == 5
        answer = file.get("/library")
        assert "celesta library add FOLDER" in file.json(answer, 404)["error"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--host", "0.0.0.0"], 2, "add --allow-remote"),
        (["--host", "192.0.2.1", "--allow-remote"], 2, "cannot be bound"),
        (["missing.wav"], 2, "missing.wav: no such file or folder"),
        (["--library", "missing.db"], 1, "missing.db"),
        (["text.db"], 2, "text.db: is neither audio"),
    ],
)
def test_wrong_calls_end_in_one_line_that_says_what_to_do(tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    Path("text.db").write_text("no library")
    result = RUNNER.invoke(app, ["studio", "--no-browser", *words])
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


# ---- the command lines that the page shows


def run(line):
    """Run a line that the page showed, in this process."""
    for one in line.split(" && "):
        program, *words = shlex.split(one)
        assert program == "celesta"
        result = RUNNER.invoke(app, words)
        assert result.exit_code == 0, f"{one}\n{result.output}"


def test_commands_of_songs_run(studio, songs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    song = {"song": "0/short.flac"}
    run(studio.json(studio.get("/song", **song))["command"])
    steps = [{"name": "gain", "settings": {"factor": 0.5}}, {"name": "noise", "settings": {"sigma": 0.1, "seed": 3}}]
    preview = {**song, "start": 1, "stop": 2, "model": "linear-64", "steps": steps}
    run(studio.json(studio.post("/vary/command", **preview))["text"])
    assert list((tmp_path / "variation").glob("short*.flac"))
    structure = studio.result(studio.post("/structure", **song))["result"]
    (tmp_path / "short.flac").write_bytes((songs / "short.flac").read_bytes())  # it writes next to the song
    run(structure["command"].replace(str(songs), str(tmp_path)))
    assert "Structure" in (tmp_path / "short.extended.html").read_text()


def test_commands_of_comparisons_run(studio, tmp_path, monkeypatch, need_weights):
    model = studio.json(studio.get("/state"))["default_model"]
    need_weights(model)
    monkeypatch.chdir(tmp_path)
    stretch = {"song": "0/short.flac", "start": 0, "stop": 2}
    choices = [{"model": "linear-8"}, {"model": "linear-8", "bits": 8}, {"model": model, "kbps": 12}]
    made = studio.result(studio.post("/compare", **stretch, choices=choices))["result"]
    for one in made["versions"]:
        run(one["command"])
    names = {"short-linear-8.cel", "short-linear-8-8bit.cel", f"short-{model}-12.cel"}
    assert names <= {one.name for one in tmp_path.iterdir()}
    run(made["command"] + " --no-rate-distortion --seconds 2")
    assert (tmp_path / "comparison" / "compare.html").exists()


def test_commands_of_libraries_run(library_studio, tmp_path, monkeypatch):
    _, client = library_studio
    monkeypatch.chdir(tmp_path)
    found = client.json(client.get("/library/songs"))
    run(found["command"])
    first, second = (one["id"] for one in found["songs"][:2])
    run(client.json(client.get("/library/songs", text="deep -drums", tempo="1..400"))["command"])
    run(client.json(client.get("/library/similar", id=first))["command"])
    run(client.json(client.post("/library/playlist", seeds=[first], n=2))["command"])
    run(client.json(client.post("/library/playlist", start=first, end=second, n=3))["command"])
    run(client.result(client.post("/library/duplicates"))["result"]["command"])
    run(client.result(client.post("/library/update"))["result"]["command"])


def test_the_line_of_ffmpeg_is_one(tmp_path):
    song = tmp_path / "a b.wav"
    wanted = ["ffmpeg", "-i", str(song), "-c:a", "libopus", "-b:a", "12k", "a b-12.opus"]
    assert shlex.split(ffmpeg(song, ["-c:a", "libopus"], 12.0, ".opus")) == wanted
