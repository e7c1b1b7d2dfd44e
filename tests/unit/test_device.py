"""Devices, precision, threads; models hold no tensor that stays behind when they move."""

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from celesta import _device
from celesta.cli.main import app
from celesta.errors import UsageError
from celesta.models import registry
from celesta.models.baselines import SparseBaseline
from celesta.training import objectives
from celesta.training.config import TrainConfig
from celesta.training.data import Corpus

NAMES = [entry.name for entry in registry.shipped()]


def test_auto_is_a_device_that_computes():
    device = _device.resolve("auto")
    assert float((torch.ones(2, device=device) + 1).sum()) == 4
    assert _device.resolve(device) is device
    assert _device.resolve("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cpu:", "meta"])
def test_unknown_devices_are_refused(name):
    with pytest.raises(UsageError, match="device must be one of auto, cpu, cuda, mps"):
        _device.resolve(name)


def test_a_device_that_is_not_here_is_refused():
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="'cuda' is not available here"):
            _device.resolve("cuda")
    with pytest.raises(UsageError, match="not available"):
        _device.resolve("cuda:99")


VERBS = {
    ("encode",): ("song.wav",),
    ("decode",): ("song.cel",),
    ("train",): ("-m", "cel-3", "--data", "music", "-o", "run"),
    ("cluster",): ("--data", "music"),
    ("classify", "train"): ("--data", "music"),
    ("classify", "evaluate"): ("genre", "--data", "music"),
    ("classify", "predict"): ("song.wav",),
    ("study",): ("--data", "music"),
}


def test_a_wrong_device_is_one_line_before_any_work(tmp_path, monkeypatch):
    """Of every verb that has --device; neither the music nor the models are looked at."""

    def verbs(command, path=()):
        for name, one in getattr(command, "commands", {}).items():
            yield from verbs(one, (*path, name))
        if any("--device" in option.opts for option in command.params):
            yield path

    assert set(verbs(typer.main.get_command(app))) == set(VERBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for verb, words in VERBS.items():
        for device, said in (
            ("abacus", "device must be one of auto, cpu, cuda, mps"),
            ("cuda:7", "not available here"),
        ):
            made = CliRunner().invoke(app, [*verb, *words, "--device", device])
            assert made.exit_code == 2, (verb, made.output)
            assert said in " ".join(made.output.split()), (verb, made.output)
            assert list(tmp_path.iterdir()) == []


def test_float32_is_float32_and_bfloat16_is_asked_for():
    x = torch.ones(2, 2)
    for precision, wanted in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with _device.autocast("cpu", precision):
            assert (x @ x).dtype == wanted
            assert _device.autocast_dtype(x.device) == wanted
    assert _device.dtype("auto") in (torch.float32, torch.bfloat16)
    with pytest.raises(UsageError, match="float32, bfloat16, auto"):
        _device.dtype("float16")


def test_threads_are_restored_also_after_an_error():
    """Item 3."""
    before = torch.get_num_threads()

    def fail():
        with _device.threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == before

    @_device.threads(before + 2)
    def inside():
        return torch.get_num_threads()

    assert [inside(), inside(), torch.get_num_threads()] == [before + 2, before + 2, before]
    with _device.threads(0):
        assert torch.get_num_threads() == before


def test_a_gpu_takes_one_process():
    assert _device.workers("cpu", 4) == 4
    assert _device.workers("cuda", 4) == 1


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_a_model_moves_as_a_whole(name, prepared):
    """On torch's meta device a tensor that stayed on the CPU is an error."""
    model = registry.create(name)
    if prepared:
        model.prepare()
    model.to("meta")
    x = torch.zeros(2, 1, 8 * model.hop_length, device="meta")
    parts = model.encode(x)
    assert {part.device.type for part in parts if part.numel()} == {"meta"}
    if isinstance(model, SparseBaseline):
        pytest.skip("its decoder checks values, which meta tensors do not have")
    x_hat = model.decode(parts, x.shape[-1], 3)
    assert (x_hat.device.type, x_hat.shape) == ("meta", x.shape)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_moves_after_it_was_prepared(name):
    """Everything that inference reads is in the module's state, so that a copy can be moved anywhere."""
    model = registry.create(name)
    model.prepare()
    held = {id(t) for t in (*model.parameters(), *model.buffers())}
    for module in model.modules():
        for value in vars(module).values():
            for one in value if isinstance(value, tuple | list) else (value,):
                assert not isinstance(one, torch.Tensor) or id(one) in held


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_a_gpu_computes_what_the_cpu_does(name):
    torch.manual_seed(0)
    model = registry.create(name)
    model.prepare()
    n = 16 * model.hop_length
    x = torch.from_numpy(np.random.default_rng(0).uniform(-0.5, 0.5, (1, 1, n)).astype(np.float32))
    here = model(x)
    there = model.to("cuda")(x.to("cuda")).cpu()
    assert torch.allclose(here, there, atol=1e-3)


@pytest.mark.parametrize("name", ["cel-3", "nested"])
def test_an_objective_computes_where_its_model_is(name):
    """Batches, random numbers, losses and band weights follow the model: on the meta device a stray tensor fails."""
    samples = np.random.default_rng(0).integers(-9_000, 9_000, 500_000).astype(np.int16)
    corpus = Corpus(samples, np.array([0, len(samples)]), ())
    model = registry.create(name).to("meta")
    config = TrainConfig(name, ("-",), batch=3, crop=8_192, compile=False)
    task = objectives.create(model, config, corpus)
    loss = task.loss(task.batch(corpus, 0).to(task.device), 0)
    loss.backward()
    assert loss.device.type == "meta"
    assert {p.grad.device.type for p in model.parameters() if p.grad is not None} == {"meta"}
