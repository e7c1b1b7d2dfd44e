"""Training as a library call: state of the process, failed starts, resuming, settings."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from celesta import datasets
from celesta.audio import Audio, write
from celesta.errors import CelestaError, DataError, TrainingError, UsageError
from celesta.training import loop
from celesta.training import run as runs
from celesta.training.config import TrainConfig, read_config


@pytest.fixture
def data(tmp_path, music, monkeypatch):
    monkeypatch.setenv("CELESTA_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "music"
    folder.mkdir()
    for i in range(2):
        write(folder / f"{i}.wav", Audio(music(30_000, sample_rate=22_050, seed=i), 22_050))
    return folder


def quick(data, **changes):
    settings = {"steps": 2, "batch": 1, "crop": 256, "compile": False, "valid_windows": 1}
    settings |= {"device": "cpu", "threads": 1}
    return TrainConfig("cel-3", (str(data),), **(settings | changes))


def state():
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    return handlers, torch.get_num_threads(), torch.get_rng_state().tolist()


def test_handlers_threads_and_random_numbers_are_as_before(data, tmp_path):
    """Item 3."""
    before = state()
    facts = runs.start(tmp_path / "run", quick(data, threads=torch.get_num_threads() + 1))
    assert facts["step"] == 2
    assert state() == before


def test_they_are_as_before_also_after_an_error(data, tmp_path, monkeypatch):
    """Item 3."""
    before = state()
    config = quick(data, learning_rate=1e30, steps=50, threads=torch.get_num_threads() + 1)
    with pytest.raises(TrainingError, match="not finite"):
        runs.start(tmp_path / "run", config)
    assert state() == before
    with pytest.raises(loop.Interrupted):
        runs.start(tmp_path / "signal", quick(data, steps=200), watch=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert state() == before


def test_a_signal_outside_the_main_thread_is_not_ours():
    with loop.stop_signals() as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        assert stopped()
    with loop.stop_signals() as stopped:
        assert not stopped()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"data": ("gone",)}, DataError),
        ({"begin": "linear-8"}, TrainingError),
        ({"loss": "nonsense"}, UsageError),
        ({"learning_rate": 1e30, "steps": 50}, TrainingError),
        ({"device": "cuda:77"}, UsageError),
    ],
)
def test_a_start_that_fails_leaves_nothing_and_can_be_corrected(data, tmp_path, changes, error):
    """Item 25."""
    run = tmp_path / "new" / "run"
    with pytest.raises(error):
        runs.start(run, dataclasses.replace(quick(data), **changes))
    assert not run.parent.exists()
    runs.start(run, quick(data))
    assert (run / "best.safetensors").is_file()


def test_a_failed_start_keeps_what_was_in_the_folder(data, tmp_path):
    """Item 25."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "notes.txt").write_text("mine")
    (data / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(CelestaError, match=r"broken\.wav"):
        runs.start(run, quick(data), strict=True)
    assert [path.name for path in run.iterdir()] == ["notes.txt"]


def test_a_start_that_was_killed_before_its_first_checkpoint_can_be_repeated(data, tmp_path):
    """Item 25."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "train.toml").write_text(quick(data, steps=7).to_toml())
    runs.start(run, quick(data))
    assert read_config(run / "train.toml").steps == 2
    with pytest.raises(UsageError, match="already holds a run"):
        runs.start(run, quick(data))


def test_resuming_extends_a_run_and_does_not_shorten_it(data, tmp_path):
    """Item 25."""
    run = tmp_path / "run"
    runs.start(run, quick(data))
    assert runs.go_on(run)["step"] == 2
    assert runs.go_on(run, steps=4)["step"] == 4
    assert read_config(run / "train.toml").steps == 4
    with pytest.raises(UsageError, match="done 4 steps already"):
        runs.go_on(run, steps=3)
    assert [line.split(",")[0] for line in (run / "log.jsonl").read_text().splitlines()] == ['{"step": 2', '{"step": 4']


def test_a_validation_track_that_cannot_be_read_is_replaced(data, tmp_path):
    """Training was refused although there was other music; where there is not, the error names the file."""
    (broken,) = datasets.by_split(datasets.load([data]), "valid")
    broken.path.write_bytes(b"RIFF")
    with pytest.raises(DataError, match=rf"{broken.path.name}: cannot be read.*at least two audio files"):
        runs.start(tmp_path / "run", quick(data))
    songs = [track.path for track in datasets.load([data]) if track.path != broken.path]
    (data / "00.wav").write_bytes(songs[0].read_bytes())
    with pytest.raises(CelestaError, match=broken.path.name):
        runs.start(tmp_path / "run", quick(data), strict=True)
    skipped = []
    with pytest.warns(UserWarning, match=rf"{broken.path.name}: the only validation track .* is used for validation"):
        runs.start(tmp_path / "run", quick(data), skipped=lambda file, reason: skipped.append(file))
    assert skipped == [str(broken.path)]
    with pytest.warns(UserWarning, match="is used for validation"):
        assert runs.go_on(tmp_path / "run", steps=3)["step"] == 3


def test_a_run_is_continued_from_any_folder(data, tmp_path, monkeypatch):
    """Item 25: paths in the settings do not depend on the working folder."""
    monkeypatch.chdir(data.parent)
    runs.start("run", quick("music"))
    monkeypatch.chdir("/")
    assert runs.go_on(tmp_path / "run", steps=3)["step"] == 3
    assert read_config(tmp_path / "run" / "train.toml").data == (str(data),)


def test_a_folder_whose_name_is_not_utf8(data, tmp_path):
    """Item 4."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xe9"))
    data.rename(odd)
    runs.start(tmp_path / "run", quick(odd))
    assert runs.go_on(tmp_path / "run", steps=3)["step"] == 3


def test_what_begins_is_reported_before_it_takes_time(data, tmp_path):
    """Item 24."""
    seen = []
    runs.start(
        tmp_path / "run",
        quick(data),
        doing=seen.append,
        decoded=lambda done, total: seen.append(f"{done}/{total}"),
        watch=lambda p: seen.append((p.step, p.steps)),
    )
    assert seen == ["decoding", "1/1", "1/1", "training", "validating", (2, 2)]


def test_progress_comes_every_second_whatever_a_step_takes(data, tmp_path, monkeypatch):
    """Item 24."""
    monkeypatch.setattr(loop, "WATCH_EVERY", 0.0)
    steps = []
    runs.start(tmp_path / "run", quick(data, steps=5), watch=lambda p: steps.append(p.step))
    assert steps == [1, 2, 3, 4, 5]


def test_every_setting_is_described_and_its_range_is_checked():
    for field in dataclasses.fields(TrainConfig):
        if field.name in ("model", "data"):
            continue
        assert field.metadata["help"].endswith("."), field.name
        wrong = [field.metadata["min"] - 1] if "min" in field.metadata else []
        wrong += [field.metadata["max"] + 1] if "max" in field.metadata else []
        wrong += ["other"] if "choices" in field.metadata else []
        for value in wrong:
            with pytest.raises(UsageError, match=field.name):
                TrainConfig("cel-3", ("x",), **{field.name: value})
    with pytest.raises(UsageError, match="learning_rate"):
        TrainConfig("cel-3", ("x",), learning_rate=float("nan"))


def test_settings_survive_toml(tmp_path):
    config = TrainConfig("cel-3", ('a "quoted" é', "b"), begin="runs/x", average=0.5)
    (tmp_path / "train.toml").write_text(config.to_toml(), encoding="utf-8")
    assert read_config(tmp_path / "train.toml") == config


def test_settings_are_read_without_torch():
    """The command line makes its options from the settings, and must start quickly."""
    code = "import sys, celesta.training.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_interrupted_run_has_the_same_curve_to_the_bit(data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    config = quick(data, steps=8, average=0.5, valid_every=4)
    runs.start(tmp_path / "straight", config)

    def stop(progress):
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(loop.Interrupted) as caught:
        runs.start(tmp_path / "broken", config, watch=stop)
    assert caught.value.step == 2
    runs.go_on(tmp_path / "broken")
    logs = [(tmp_path / name / "log.jsonl").read_text() for name in ("straight", "broken")]
    assert logs[0] == logs[1]
    assert len(logs[0].splitlines()) == 4
