"""Small files of training runs: a run goes on from one nearly as from its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from celesta.audio import Audio, write
from celesta.errors import TrainingError
from celesta.models import weights
from celesta.training import run as runs
from celesta.training.compact_state import pack, unpack
from celesta.training.config import TrainConfig, read_config


@pytest.fixture
def trained(tmp_path: Path, music: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CELESTA_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "music"
    folder.mkdir()
    for i in range(2):
        write(folder / f"{i}.wav", Audio(music(30_000, sample_rate=22_050, seed=i), 22_050))
    config = TrainConfig(
        "cel-3",
        (str(folder),),
        steps=4,
        batch=1,
        crop=256,
        compile=False,
        valid_windows=1,
        average=0.9,
        device="cpu",
        threads=1,
        schedule="trapezoid",
    )
    runs.start(tmp_path / "run", config)
    return tmp_path / "run"


def test_there_and_back(trained: Path, tmp_path: Path) -> None:
    assert pack(trained, tmp_path / "a.safetensors") == 4
    size = (tmp_path / "a.safetensors").stat().st_size
    assert size < 0.25 * (trained / "last.safetensors").stat().st_size
    assert unpack(tmp_path / "a.safetensors", tmp_path / "again") == 4
    before, after = (weights.read(run / "last.safetensors").tensors for run in (trained, tmp_path / "again"))
    assert before.keys() <= after.keys()
    for name, value in before.items():
        if name.startswith("model."):
            torch.testing.assert_close(after[name], value, rtol=1e-3, atol=1e-6)
        if name.endswith("exp_avg_sq"):
            some = value > 1e-18
            assert (torch.log2(after[name][some] / value[some]).abs() <= 0.126).all()
    assert read_config(tmp_path / "again" / "train.toml") == read_config(trained / "train.toml")


def test_the_run_goes_on(trained: Path, tmp_path: Path) -> None:
    pack(trained, tmp_path / "a.safetensors")
    unpack(tmp_path / "a.safetensors", tmp_path / "again", data=str(tmp_path / "music"))
    facts = runs.go_on(tmp_path / "again", steps=6)
    assert facts["step"] == 6
    assert (tmp_path / "again" / "best.safetensors").is_file()


def test_what_is_no_state_is_refused(trained: Path, tmp_path: Path) -> None:
    pack(trained, tmp_path / "a.safetensors")
    with pytest.raises(TrainingError, match="already holds a run"):
        unpack(tmp_path / "a.safetensors", trained)
    with pytest.raises(TrainingError, match="not a compact training state"):
        unpack(trained / "last.safetensors", tmp_path / "b")
    with pytest.raises(TrainingError):
        pack(tmp_path / "nothing", tmp_path / "b.safetensors")
    (trained / "last.safetensors").unlink()
    with pytest.raises(TrainingError, match="no checkpoint"):
        pack(trained, tmp_path / "b.safetensors")
