"""The objective of the codec with a band envelope: what crops may use, what the loss reaches, places with targets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from celesta.errors import DataError, UsageError
from celesta.models.nested2 import Nested2
from celesta.models.registry import create
from celesta.training import envelope_objective
from celesta.training.config import TrainConfig
from celesta.training.envelope_objective import Enveloped, Places
from celesta.training.shards import Shards

SECONDS, RATE, CROP = 8, 44_100, 16_384


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pieces of stereo noise whose level moves."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    n = SECONDS * RATE
    for name in ("train", "valid"):
        x = rng.normal(size=(2 * n, 2)) * 3_000 * (1 + 0.8 * np.sin(np.arange(2 * n) / 9_000))[:, None]
        x.astype("<i2").tofile(folder / f"{name}.pcm")
        pieces = [{"start": i * n, "frames": n} for i in range(2)]
        (folder / f"{name}.json").write_text(json.dumps({"pieces": pieces}), encoding="utf-8")
    targets = rng.normal(size=(6, 200)).astype(np.float16)
    save_file({"start": np.arange(6) * 30_000, "target": targets}, folder / "distil.safetensors")
    return folder


@pytest.fixture(scope="module")
def model() -> Nested2:
    torch.manual_seed(0)
    made = create("nested2")
    assert isinstance(made, Nested2)
    return made


def config(shards: Path, crop: int = CROP) -> TrainConfig:
    return TrainConfig(
        "nested2", (str(shards),), batch=4, crop=crop, compile=False, precision="float32", device="cpu", threads=1
    )


@pytest.fixture(scope="module")
def task(model: Nested2, shards: Path) -> Enveloped:
    return Enveloped(model, config(shards), Shards(shards, "train"))


def test_the_loss_reaches_every_weight(task: Enveloped, model: Nested2, shards: Path) -> None:
    model.train()
    model.zero_grad()
    for step in range(3):
        loss = task.loss(task.batch(Shards(shards, "train"), step), step)
        assert torch.isfinite(loss)
        loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name
    assert set(task.terms) == {"mel", "snr", "rate", "distil"}
    assert task.terms["distil"] > 0.5  # random targets of variance 1


def test_batches_are_a_function_of_the_step(task: Enveloped, shards: Path) -> None:
    corpus = Shards(shards, "train")
    first, again, other = task.batch(corpus, 7), task.batch(corpus, 7), task.batch(corpus, 8)
    assert first.shape == (4, 1, CROP)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.abs().max() <= 1
    assert task.targets.shape == (2, 200)


def test_crops_use_coefficients_as_files_code_them(task: Enveloped, model: Nested2) -> None:
    c = model.mdct(0.1 * torch.randn(6, CROP, generator=torch.Generator().manual_seed(0)))
    chosen = task.choose(c, np.random.default_rng(0), mean=20.0)
    kept = chosen.detail != 0
    assert 10 < kept.float().sum() / (6 * c.shape[1]) < 40
    assert torch.equal(torch.sign(chosen.detail[kept]), torch.sign(c[kept]))
    # A step away at most, and what is left out is smaller than what is kept nearby.
    assert ((chosen.detail - c)[kept].abs() <= chosen.detail[kept].abs()).all()
    assert (chosen.rest <= chosen.envelope + 1).all()
    none = task.choose(c, np.random.default_rng(0), mean=0.0)
    assert not none.detail.any()
    assert torch.equal(none.rest, none.envelope)
    drawn = [task.choose(c, np.random.default_rng(seed)).detail.any(-1).any(-1) for seed in range(10)]
    without = 1 - torch.stack(drawn).float().mean()
    assert 0.05 < without < 0.35


def test_few_base_channels_next_to_a_detail() -> None:
    rng = np.random.default_rng(0)
    counts = envelope_objective._channels(rng, np.array([True] * 500 + [False] * 500), 24)[:, 0].sum(-1)
    assert 0.4 < (counts[:500] == envelope_objective.FEW).float().mean() < 0.6
    assert (counts[500:] == 24).float().mean() > 0.5
    assert counts.min() == 0


def test_held_out_error_is_finite_at_each_size(task: Enveloped, model: Nested2) -> None:
    model.eval()
    window = 0.1 * torch.randn(1, 1, 8 * 4_096, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        errors = [task.held_out(window, number) for number in range(4)]
    assert np.isfinite(errors).all()
    assert errors[3] < errors[0]


def test_places_are_of_these_shards(shards: Path, tmp_path: Path) -> None:
    corpus = Shards(shards, "train")
    places = Places(shards / "distil.safetensors", corpus)
    assert np.abs(places.targets.mean(0)).max() < 1e-3
    x, target = places.draw(np.random.default_rng(0), CROP, RATE)
    assert x.shape == (CROP,)
    assert target.shape == (200,)
    far = {"start": np.array([0, 10**9]), "target": np.zeros((2, 200), np.float16)}
    save_file(far, tmp_path / "far.safetensors")
    with pytest.raises(DataError, match="other shards"):
        Places(tmp_path / "far.safetensors", corpus)


def test_crops_are_whole_groups_of_frames(model: Nested2, shards: Path) -> None:
    with pytest.raises(UsageError, match="4096"):
        Enveloped(model, config(shards, crop=5_000), Shards(shards, "train"))
