"""The inputs on which Celesta failed, ../shared/cases/make.py, through the verbs that take files.

A study takes as long as all of these; test_cases.py runs one on names of the same kinds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import Case
from test_cases import check_messages

from celesta import audio

Call = Callable[..., Any]
REPOSITORY = Path(__file__).resolve().parents[2]
ODD = os.fsdecode(b"labelled/x/b\xe9.wav")
FOUND = {
    "a.wav": Case(176_400),
    "b.wav": Case(352_800),
    "s.wav": Case(33_075, channels=1),
    "a.mp3": Case(176_400),
    "b.mp3": Case(352_800),
    "joined.mp3": Case(529_200),
    "loud.wav": Case(529_200),
    "loud.mp3": Case(529_200),
    "xing0.mp3": Case(529_200),
    "a.flac": Case(176_400),
    "a.oga": Case(176_400),
    "id3v1.flac": Case(176_400),
    "six.wav": Case(192_000, channels=6),
    "six.opus": Case(192_000, channels=6),
    "six.ogg": Case(192_000, channels=6),
    "a.mp2": Case(-1),
    "tags.flac": Case(1_323_000),
    "labelled/x/a.wav": Case(33_075, channels=1),
    ODD: Case(33_075, channels=1),
    "labelled/y/c.wav": Case(33_075, channels=1),
}
"""Each file: none is damaged, so no line is written about any of them."""
SLOW = ("tags.flac", "loud.wav", "loud.mp3", "b.wav", "b.mp3", "six.wav", "a.wav", "a.mp3")
"""Left out where a verb takes seconds for each song."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = os.environ.get("CELESTA_DATA")
    shared = Path(data).parent if data else REPOSITORY.parent / "shared"
    script = shared / "cases" / "make.py"
    if not script.is_file():
        pytest.skip(f"{script} is missing (it lies next to the folder that CELESTA_DATA names)")
    missing = [name for name in ("lame", "flac", "ffmpeg") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{script.name} needs {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("shared") / "in"
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {str(p.relative_to(folder)) for p in audio.find_audio(folder)} == set(FOUND)
    return folder


@pytest.fixture(scope="module")
def few(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The short ones."""
    folder = tmp_path_factory.mktemp("few") / "in"
    for name in FOUND.keys() - set(SLOW):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(made / name, folder / name)
    return folder


def test_encode_decode_verify_info(made: Path, tmp_path: Path, call: Call) -> None:
    """Items 4, 5, 8, 10, 11: every sample, exact length, no word about whole files."""
    out = tmp_path / "cels"
    done = call("encode", made, "-m", "linear-8", "-o", out, "--json", "--strict")
    check_messages(done.stderr, FOUND)
    assert len(done.stdout.splitlines()) == len(FOUND)
    assert call("verify", out).stdout.count(": OK") == len(FOUND)
    records = {r["source"]: r for r in map(json.loads, call("info", out, "--json").stdout.splitlines())}
    assert len(records) == len(FOUND)
    for name, case in FOUND.items():
        (mine,) = [r for r in records.values() if r["made_from"] == audio_name(name) and matches(r, case)][:1]
        assert mine["channels"] == case.channels
    call("decode", out, "-o", tmp_path / "wav", "--format", "wav", "--strict")
    lengths = sorted(audio.info(file).n_samples for file in audio.find_audio(tmp_path / "wav"))
    assert lengths == sorted(r["n_samples"] for r in records.values())
    check_messages(call("info", made).stderr, FOUND)


def audio_name(name: str) -> str:
    return os.fsencode(Path(name).name).decode("utf-8", "backslashreplace")


def matches(record: dict[str, Any], case: Case) -> bool:
    return case.n_samples in (-1, record["n_samples"])


def test_channels_keep_their_places(made: Path, tmp_path: Path, call: Call) -> None:
    """Item 10: six sines of rising level, 60 Hz in the LFE, read from Opus and Vorbis and written as Opus."""
    want = levels(made / "six.wav")
    assert np.all(np.diff(want) > 0.02)
    call("encode", made / "six.wav", "-m", "sparse-256", "--dtype", "float32", "-o", tmp_path / "six.cel")
    call("decode", tmp_path / "six.cel", "-o", tmp_path / "back.opus")
    for file in (made / "six.opus", made / "six.ogg", tmp_path / "back.opus"):
        assert np.abs(levels(file) - want).max() < 0.05, file  # Vorbis is that far off in the LFE
        assert np.all(np.diff(levels(file)) > 0.02), file


def levels(path: Path) -> np.ndarray:
    """Root mean square of each channel, as Celesta reads them."""
    x = audio.read(path).samples
    return np.sqrt((x[:, 9_600:-9_600].astype(float) ** 2).mean(axis=1))


def test_damaged_counts_and_tags_change_nothing(made: Path, tmp_path: Path, call: Call, need_weights: Call) -> None:
    """Items 5, 6, 11: the same audio whatever stands around it; tags leave the bitrate to the audio."""
    for one, other in (("loud.mp3", "xing0.mp3"), ("a.flac", "id3v1.flac"), ("a.flac", "a.oga")):
        assert np.array_equal(audio.read(made / one).samples, audio.read(made / other).samples), other
    joined = audio.read(made / "joined.mp3").samples
    assert np.abs(joined[:, :176_400] - audio.read(made / "a.wav").samples).std() < 0.05
    assert np.abs(joined[:, 176_400:] - audio.read(made / "b.wav").samples).std() < 0.05
    need_weights("nested2")
    done = call("encode", made / "tags.flac", "--kbps", 3, "-o", tmp_path / "t.cel", "--json")
    assert 2.9 < json.loads(done.stdout)["kbps"] <= 3
    assert "left out" in done.stderr or "shortened" in done.stderr


def test_pages(made: Path, tmp_path: Path, call: Call) -> None:
    """Items 4, 9, 10: pages and FLAC files of reconstruct, transform and compare."""
    sources = (made / "labelled", made / "six.ogg")
    for verb, more in (("reconstruct", ()), ("transform", ("--gain", 0.5, "--from", 0, "--to", 1))):
        done = call(verb, *sources[: 1 + bool(more)], "-m", "linear-8", *more, "-o", tmp_path / verb)
        check_messages(done.stderr, {})
        assert len(list((tmp_path / verb).rglob("*.flac"))) == 3 + bool(more)
    words = ("compare", "linear-8", "--data", sources[0], "--no-rate-distortion", "--seconds", 1)
    done = call(*words, "-o", tmp_path / "compare")
    check_messages(done.stderr, {})
    assert len(json.loads((tmp_path / "compare" / "compare.json").read_text())["scores"]) == 3


def test_classifiers_clusters_training(made: Path, few: Path, tmp_path: Path, call: Call) -> None:
    """Items 4, 13, 23, 25: names and lists that are not UTF-8."""
    cache = ("-f", "handcrafted", "--cache", tmp_path / "cache")
    done = call("cluster", "--data", few, *cache, "-o", tmp_path / "k")
    check_messages(done.stderr, {})
    assert len(json.loads((tmp_path / "k" / "clusters.json").read_text())["songs"]) == len(FOUND) - len(SLOW)
    latin = ("cluster", "--data", made / "latin1.csv", *cache, "-o", tmp_path / "c")
    assert "line 2: not UTF-8; name the encoding with --encoding" in call(*latin, code=1).stderr
    assert "at least 3" in call(*latin, "--encoding", "latin-1", code=1).stderr
    model = tmp_path / "m.safetensors"
    labelled = tmp_path / "labelled"
    shutil.copytree(made / "labelled", labelled)
    shutil.copy(made / "a.flac", labelled / "y")
    call("classify", "train", "--data", labelled, *cache, "-o", model)
    assert "4 of 4 songs were used" in call("classify", "evaluate", model, "--data", labelled, *cache[2:]).stderr
    done = call("classify", "predict", few, "-m", model, "-o", tmp_path / "p", "--json")
    check_messages(done.stderr, {})
    assert all(json.loads(line)["probabilities"] for line in done.stdout.splitlines())
    run = ("train", "-m", "pca-8", "--data", few, "-o", tmp_path / "run", "--steps", 1, "--no-compile")
    check_messages(call(*run).stderr, {})


def test_a_library(made: Path, tmp_path: Path, call: Call) -> None:
    """Items 4, 11: the copies of a song are one recording, whatever their tags."""
    music = tmp_path / "music"
    shutil.copytree(made / "labelled", music)
    for name in ("a.flac", "id3v1.flac", "a.mp2"):
        shutil.copy(made / name, music)
    library = ("--library", tmp_path / "l.db")
    call("library", "add", music, "--workers", 1, *library)
    status = json.loads(call("library", "status", "--json", *library).stdout)
    assert (status["files"], status["songs"], status["failed"]) == (6, 3, 0)
    assert "a.mp2" in call("similar", music / "a.flac", *library).stdout
    odd = music / "x" / Path(ODD).name
    assert "id3v1.flac" in call("similar", odd, *library).stdout
    assert "a.mp2" in call("playlist", "--seed", odd, "-n", 3, *library).stdout
    assert "identical files of id3v1" in call("duplicates", *library).stdout
