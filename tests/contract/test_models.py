"""One contract for every registered model: shapes, exact lengths, silence, determinism, gradients, attributes."""

from __future__ import annotations

import copy
from functools import lru_cache

import pytest
import torch

from celesta.errors import LatentError, ModelError
from celesta.models.base import Model, Parts, parameter_count
from celesta.models.registry import FORMER, Role, create, shipped

CEL = tuple(one.name for one in shipped(Role.REPORT))
SIZES = ("linear-1", "linear-512", "sparse-2", "sparse-1024", "pca-1", "pca-32", "pca-512")
BASELINES = tuple(one.name for one in shipped() if one.sized) + SIZES
EVERY = tuple(one.name for one in (*shipped(), *FORMER)) + SIZES
PERFECT = ("linear-512", "sparse-1024", "pca-512")
REPORT_SHAPES = {"cel-lr": (512, 6890), "cel-silu": (512, 6890), "cel-2": (512, 13781), "cel-3": (256, 861)}
SHORT = (1, 2, 3, 127, 128, 129, 511, 512, 513, 2047, 2048, 2049, 6889)


def sound(length: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(batch, 1, length, generator=torch.Generator().manual_seed(seed))
    return (0.3 * noise).clamp(-1, 1)


def fresh(name: str) -> Model:
    """A copy that a test may change."""
    return copy.deepcopy(model_of(name)).train()


@lru_cache
@torch.no_grad()
def model_of(name: str) -> Model:
    """Random weights, with running statistics of the batch normalisation that let the sound through."""
    torch.manual_seed(1)
    model = create(name).train()
    if any(isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d) for module in model.modules()):
        for seed in range(30):
            model(sound(2048, batch=2, seed=seed))
    return model.eval()


@torch.no_grad()
def check_length(name: str, length: int) -> None:
    model = model_of(name)
    x = sound(length)
    parts = model.encode(x)
    frames = parts.base.shape[-1]
    # A rest of less than a frame is padded to a frame or left to the last one.
    assert max(1, length // model.hop_length) <= frames <= -(-length // model.hop_length)
    assert parts.base.shape == (1, model.latent_dim, frames)
    assert parts.places.shape == parts.values.shape == (1, model.detail_size, frames)
    assert parts.base.dtype == parts.values.dtype == torch.float32
    assert parts.places.dtype == torch.int64
    x_hat = model.decode(parts, length)
    assert x_hat.shape == x.shape
    assert x_hat.dtype == torch.float32
    assert torch.isfinite(x_hat).all()


@pytest.mark.parametrize("length", SHORT)
@pytest.mark.parametrize("name", EVERY)
def test_short_lengths_are_exact(name: str, length: int) -> None:
    check_length(name, length)


@pytest.mark.parametrize("more", [0, -1, 1])
@pytest.mark.parametrize("name", [name for name in EVERY if name not in CEL[:3]])
def test_lengths_near_a_window_are_exact(name: str, more: int) -> None:
    if more and parameter_count(model_of(name)) > 1_000_000:
        pytest.skip("slow")
    check_length(name, model_of(name).window + more)


@pytest.mark.parametrize("name", CEL)
@torch.no_grad()
def test_latent_of_a_window_has_the_reports_shape(name: str) -> None:
    model = model_of(name)
    assert tuple(model.encode(sound(110_250)).base.shape[1:]) == REPORT_SHAPES[name]
    assert (model.latent_dim, model.window_frames) == REPORT_SHAPES[name]


@pytest.mark.parametrize("name", EVERY)
def test_attributes_agree(name: str) -> None:
    """Item 21: rate and window are the model's own choice; what must hold is that they agree with each other."""
    model = model_of(name)
    assert 8_000 <= model.sample_rate <= 192_000
    assert model.channels == 1
    assert 0.5 <= model.window / model.sample_rate <= 30, "a window is the unit of memory, of seeking and of damage"
    assert 0 <= model.overlap < model.window
    assert model.window_frames >= 1
    assert model.latent_dim + model.detail_size > 0
    assert model.frame_rate == model.sample_rate / model.hop_length
    assert model.context == 0 or model.overlap == 0
    assert model.context % model.hop_length == 0
    if model.overlap == 0:
        assert model.window % model.hop_length == 0
    assert isinstance(model.config, model.Config)


@pytest.mark.parametrize("name", EVERY)
def test_capabilities_are_true(name: str) -> None:
    model = fresh(name).eval()
    able = model.capabilities
    assert able.has_weights == (parameter_count(model) > 0)
    assert able.has_detail == (model.detail_size > 0)
    assert not (able.needs_fitting and able.has_weights)
    if not able.needs_fitting:
        with pytest.raises(ModelError, match="cannot be fitted"):
            model.fit([sound(4096)])
    if model.latent_dim > 1:
        parts = model.encode(sound(4096))
        fewer = parts._replace(base=parts.base[:, :-1])
        if able.decodes_fewer_channels:
            assert torch.isfinite(model.decode(fewer, 4096)).all()
        else:
            with pytest.raises((RuntimeError, LatentError)):
                model.decode(fewer, 4096)
    if able.orthonormal:
        x = sound(8 * model.hop_length)
        parts = model.encode(x)
        power = parts.base.square().sum() + parts.values.square().sum()
        assert torch.isclose(model.decode(parts, x.shape[-1]).square().sum(), power, rtol=1e-3)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_holds_the_numbers_its_name_says(name: str) -> None:
    size = int(name.split("-")[1])
    assert model_of(name).floats_per_second == pytest.approx(size * 22_050 / 512)
    assert model_of(name).context >= model_of(name).hop_length


@pytest.mark.parametrize("name", EVERY)
@torch.no_grad()
def test_silence_gives_finite_sound(name: str) -> None:
    model = model_of(name)
    parts = model.encode(torch.zeros(1, 1, 5000))
    x_hat = model.decode(parts, 5000)
    assert torch.isfinite(parts.base).all()
    assert torch.isfinite(x_hat).all()
    if not model.capabilities.has_weights:
        assert not x_hat.any()


@pytest.mark.parametrize("name", EVERY)
@torch.no_grad()
def test_the_same_sound_gives_the_same_bits(name: str) -> None:
    model = model_of(name)
    x = sound(6889, batch=2)
    first, second = model.encode(x), model.encode(x.clone())
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(model.decode(first, 6889), model.decode(second, 6889))


@pytest.mark.parametrize("name", EVERY)
@torch.no_grad()
def test_the_rest_of_the_batch_does_not_matter(name: str) -> None:
    model = model_of(name)
    x = sound(6889, batch=3)
    alone, together = model.encode(x[1:2]), model.encode(x)
    assert torch.allclose(alone.base, together.base[1:2], atol=1e-5)
    assert torch.equal(alone.places, together.places[1:2])
    x_hat = model.decode(together, 6889)
    assert torch.allclose(model.decode(alone, 6889), x_hat[1:2], atol=1e-5)
    assert (x_hat[0] - x_hat[1]).std() > 1e-3


@pytest.mark.parametrize("name", EVERY)
def test_gradients_reach_the_sound_and_every_weight(name: str) -> None:
    model = fresh(name).train()
    x = sound(4096, batch=2).requires_grad_()
    target = sound(4096, batch=2, seed=9)
    (model(x) - target).square().mean().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0
    for key, parameter in model.named_parameters():
        if key.startswith("teacher."):  # only the training objective uses it
            continue
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", EVERY)
def test_numbers_of_a_new_model_are_finite(name: str) -> None:
    model = model_of(name)
    assert all(torch.isfinite(t).all() for t in model.state_dict().values())


@pytest.mark.parametrize("name", EVERY)
@torch.no_grad()
def test_preparing_changes_nothing_that_can_be_heard(name: str) -> None:
    model = fresh(name).eval()
    x = sound(6889)
    before = model(x)
    assert before.std() > 1e-3
    model.prepare()
    assert torch.allclose(model(x), before, atol=1e-5)


@pytest.mark.parametrize("length", [*SHORT, 110_079, 110_080, 110_081])
@pytest.mark.parametrize("name", PERFECT)
@torch.no_grad()
def test_baselines_of_full_size_reconstruct_perfectly(name: str, length: int) -> None:
    x = sound(length)
    assert torch.allclose(model_of(name)(x), x, atol=3e-6)


@pytest.mark.parametrize("name", ["linear-32", "sparse-32", "pca-32", *PERFECT])
@torch.no_grad()
def test_windows_with_context_join_to_the_whole(name: str) -> None:
    """Frames of windows seen with their true neighbours are those of the whole sound, and decode without a seam."""
    model = model_of(name)
    hop, window = model.hop_length, 6 * model.hop_length
    x = sound(3 * window)
    whole = model.encode(x)
    pieces = []
    for start in range(0, x.shape[-1], window):
        first, last = max(0, start - model.context), min(x.shape[-1], start + window + model.context)
        parts = model.encode(x[..., first:last])
        skip = (start - first) // hop
        pieces.append(Parts(*(p[..., skip : skip + window // hop] for p in parts)))
    joined = Parts(*(torch.cat(p, dim=-1) for p in zip(*pieces, strict=True)))
    assert torch.allclose(joined.base, whole.base, atol=1e-5)
    assert torch.allclose(joined.values, whole.values, atol=1e-5)
    assert torch.equal(joined.places, whole.places)
    assert torch.allclose(model.decode(joined, x.shape[-1]), model(x), atol=1e-5)
    frames, context = window // hop, model.context // hop
    seen = Parts(*(p[..., frames - context : 2 * frames + context] for p in whole))
    middle = model.decode(seen, window + 2 * model.context)[..., model.context : model.context + window]
    assert torch.allclose(middle, model(x)[..., window : 2 * window], atol=1e-5)
