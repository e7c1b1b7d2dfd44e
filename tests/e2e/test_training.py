"""Training through the command line: kill it anywhere, resume, and the curve is the same to the bit."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from celesta.audio import Audio, write
from celesta.cli.main import app

STEPS = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory, music):
    root = tmp_path_factory.mktemp("training")
    (root / "music").mkdir()
    for i in range(3):
        write(root / "music" / f"{i}.wav", Audio(music(60_000, sample_rate=22_050, seed=i), 22_050))
    (root / "music" / "00-broken.flac").write_bytes(b"fLaC" + b"\x00" * 50)
    return root


def celesta(folder, *args, wait=True):
    environment = {**os.environ, "CELESTA_CACHE": str(folder / "cache"), "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-m", "celesta.cli.main", *args],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if not wait:
        return process
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def start(run):
    return [
        *("train", "-m", "cel-3", "--data", "music", "-o", run, "--steps", str(STEPS), "--batch", "2", "--crop", "256"),
        *("--no-compile", "--valid-every", "100", "--checkpoint-every", "50", "--threads", "1"),
    ]


@pytest.fixture(scope="module")
def straight(folder):
    code, out, err = celesta(folder, *start("straight"))
    assert code == 0, err
    assert "skipped" in err
    assert "broken.flac" in err
    assert f"{STEPS} steps" in out
    return folder / "straight"


def test_a_run_leaves_log_curves_and_weights(straight, folder):
    names = {p.name for p in straight.iterdir()}
    assert names == {
        "train.toml",
        "environment.json",
        "log.jsonl",
        "last.safetensors",
        "best.safetensors",
        "curves.png",
    }
    assert (straight / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert len((straight / "log.jsonl").read_text().splitlines()) == STEPS // 50
    code, _, err = celesta(folder, "encode", "music/0.wav", "-m", "straight", "-o", "0.cel")
    assert code == 0, err


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_resuming_gives_the_same_curve_to_the_bit(straight, folder, how):
    run = f"broken-{how.name}"
    process = celesta(folder, *start(run), wait=False)
    log = folder / run / "log.jsonl"
    deadline = time.monotonic() + 90
    while not (log.exists() and log.stat().st_size):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == (75 if how == signal.SIGTERM else -signal.SIGKILL)
    assert str(STEPS) not in log.read_text().splitlines()[-1].split(",")[0]
    code, _, err = celesta(folder, "train", "--resume", run)
    assert code == 0, err
    assert log.read_text() == (straight / "log.jsonl").read_text()
    resumed, whole = (load_file(path / "best.safetensors") for path in (folder / run, straight))
    assert resumed.keys() == whole.keys()
    assert all(np.array_equal(resumed[name], whole[name]) for name in whole)


def test_a_run_begins_with_the_weights_of_another(straight, folder):
    """The first 50 steps of it are better than the first 50 of the run whose weights it took."""
    args = start("further")
    args[args.index("--steps") + 1] = "50"
    code, _, err = celesta(folder, *args, "--begin", "straight")
    assert code == 0, err
    first = [json.loads((run / "log.jsonl").read_text().splitlines()[0]) for run in (straight, folder / "further")]
    assert first[1]["loss"] < first[0]["loss"]


def test_wrong_use_is_one_line(straight, folder, monkeypatch):
    monkeypatch.chdir(folder)
    for args, text in (
        ([*start("other"), "--begin", "linear-8"], "cannot begin"),
        (start("straight"), "already holds a run"),
        (["train", "-m", "cel-9", "--data", "music", "-o", "new"], "did you mean"),
        (["train", "-m", "cel-3", "--data", "gone", "-o", "new2"], "no such file"),
        (["train", "--resume", "music"], "training run"),
        ([*start("strict"), "--strict"], "broken.flac"),
        (["train"], "--resume RUN"),
        (["train", "--resume", "straight", "--batch", "4"], "not --batch"),
        (["train", "--resume", "straight", "--steps", "50"], "done 150 steps already"),
    ):
        done = CliRunner().invoke(app, args)
        err = done.stderr
        assert done.exit_code in (1, 2), err
        lines = [line for line in err.strip().splitlines() if "elapsed" not in line]  # progress
        assert len(lines) == 1, err
        assert text in lines[0]
