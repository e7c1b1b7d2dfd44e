"""Work that is interrupted goes on where it was; names that are no text in the verbs of training and evaluation."""

import json
import os
import signal
import subprocess
import sys

import pytest
from test_cli_process import NAME, RUN, SHOWN

from celesta.audio import Audio, write

SONGS = 4


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, music):
    """Two classes of short songs; one name is not UTF-8 and holds a terminal's escape sequence, one label neither."""
    folder = tmp_path_factory.mktemp("labelled") / "music"
    label = os.fsdecode(b"x\xe9")
    for seed, (group, name) in enumerate(((label, "a.wav"), (label, NAME), ("y", "c.wav"), ("y", "d.wav"))):
        (folder / group).mkdir(parents=True, exist_ok=True)
        write(folder / group / name, Audio(music(33_075, sample_rate=22_050, seed=seed), 22_050))
    return folder


@pytest.fixture(scope="module")
def model(labelled, call):
    path, cache = labelled.parent / "m.safetensors", labelled.parent / "cache"
    call("classify", "train", "--data", labelled, "-f", "handcrafted", "--cache", cache, "-o", path)
    return path


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_predictions_that_are_interrupted_lose_one_song_at_most(how, code, model, tmp_path, music, start):
    """Part 1 of issue 14: every song that was printed is saved, and the next call predicts the others only."""
    (tmp_path / "songs").mkdir()
    for seed in range(SONGS):
        write(tmp_path / "songs" / f"{seed}.wav", Audio(music(60 * 22_050, sample_rate=22_050, seed=seed), 22_050))
    words = ("classify", "predict", "songs", "-m", model, "-o", "out", "--json")
    process = start(*words, cwd=tmp_path)
    printed = [process.stdout.readline()]
    process.send_signal(how)
    rest, stderr = process.communicate(timeout=120)
    printed += rest.splitlines()
    assert process.returncode == code, stderr
    assert b"Traceback" not in stderr
    saved = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    names = [json.loads(line)["path"] for line in saved]
    assert [json.loads(line)["path"] for line in printed] == names[: len(printed)]
    assert 1 <= len(names) < SONGS
    assert len(names) - len(printed) <= 1
    again = start(*words, cwd=tmp_path)
    stdout, stderr = again.communicate(timeout=120)
    assert again.returncode == 0, stderr
    assert [json.loads(line)["path"] for line in stdout.splitlines()] == [f"songs/{i}.wav" for i in range(SONGS)]
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert lines[: len(saved)] == saved
    assert len(lines) == SONGS
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["predictions.html", "predictions.jsonl"]


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LANG": "en_US.UTF-8", "LC_ALL": "", "PYTHONIOENCODING": "utf-8:strict"},
        {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
    ],
)
def test_a_name_that_is_no_text_in_training_and_evaluation(env, labelled, model, tmp_path, need_weights):
    """Item 4: evaluate and truncate in every locale; train, study and the library in the one that holds least."""
    need_weights("nested2")
    song = labelled / os.fsdecode(b"x\xe9") / NAME
    cache = ("--cache", labelled.parent / "cache")
    cel, library = tmp_path / f"{NAME[:-4]}.cel", ("--library", tmp_path / f"{NAME}.db")
    study = ("-f", "handcrafted", "--seeds", "1", "--no-classifier", "--workers", "1")
    calls = [
        ("classify", "evaluate", model, "--data", labelled, *cache),
        ("encode", song, "--kbps", "12", "-o", cel),
        ("truncate", cel, "--kbps", "8", "-o", tmp_path / f"s{NAME[:-4]}.cel"),
        ("train", "-m", "pca-8", "--data", labelled, "-o", tmp_path / f"{NAME}.run", "--steps", "1", "--no-compile"),
        ("study", "--data", labelled, *study, *cache, "-o", tmp_path / f"{NAME}.study"),
        ("library", "add", labelled, "--workers", "1", *library),
        ("similar", song, *library),
    ]
    calls = calls if env["LANG"] == "C" else calls[:3]
    text = b"\n\n".join(b"\n".join(os.fsencode(str(part)) for part in one) for one in calls)
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=text,
        capture_output=True,
        env={**os.environ, "CELESTA_CACHE": str(labelled.parent / "cache"), **env},
        timeout=300,
        check=False,
    )
    stdout, stderr = (stream.decode("ascii", "backslashreplace") for stream in (done.stdout, done.stderr))
    assert "Traceback" not in stderr, stderr
    assert [line for line in stdout.splitlines() if line.startswith("== ")] == [f"== {c[0]} 0" for c in calls], stderr
    assert SHOWN[:-4] in stdout
    assert b"\xe9" not in done.stdout + done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    for file in tmp_path.rglob("*.json"):
        json.loads(file.read_text(encoding="utf-8"))
    for page in tmp_path.rglob("*.html"):
        page.read_text(encoding="utf-8")
