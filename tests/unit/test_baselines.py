"""What the baselines keep: the lowest, the largest, the strongest; truncation; fitting PCA."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load, save

from celesta.errors import DataError, LatentError, ModelError
from celesta.models.base import Parts
from celesta.models.baselines import (
    LinearBaseline,
    LinearConfig,
    PcaBaseline,
    PcaConfig,
    SparseBaseline,
    SparseConfig,
)
from celesta.models.weights import in_half


def sine(hertz: float, length: int = 22_050) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * hertz / 22_050 * torch.arange(length)).reshape(1, 1, -1)


def music(seed: int, length: int = 40_960) -> torch.Tensor:
    """Noise whose spectrum falls with the frequency."""
    noise = torch.randn(1, 1, length, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.conv1d(noise, torch.ones(1, 1, 15) / 15, padding=7)
    return (0.2 * noise + smooth).clamp(-1, 1) * 0.5


def error(x: torch.Tensor, x_hat: torch.Tensor) -> float:
    return float((x - x_hat).square().mean() / x.square().mean())


@pytest.fixture(scope="module")
def fitted() -> tuple[PcaBaseline, torch.Tensor]:
    model = PcaBaseline(PcaConfig(size=32))
    shares = model.fit(music(seed) for seed in range(4))
    return model, shares


def test_linear_is_a_low_pass() -> None:
    model = LinearBaseline(LinearConfig(size=128))
    assert error(sine(1000), model(sine(1000))) < 1e-3
    assert error(sine(8000), model(sine(8000))) > 0.98


def test_linear_keeps_exactly_the_power_of_its_coefficients() -> None:
    x = music(1, 512 * 20)
    base = LinearBaseline(LinearConfig(size=512)).encode(x).base
    x_hat = LinearBaseline(LinearConfig(size=100))(x)
    assert float((x - x_hat).square().sum()) == pytest.approx(float(base[:, 100:].square().sum()), rel=1e-4)


def test_linear_of_fewer_channels_is_the_smaller_model() -> None:
    x = music(2)
    base = LinearBaseline(LinearConfig(size=64)).encode(x).base[:, :10]
    x_hat = LinearBaseline(LinearConfig(size=64)).decode(Parts.dense(base), x.shape[-1])
    assert torch.equal(x_hat, LinearBaseline(LinearConfig(size=10))(x))


def test_sparse_keeps_the_largest_of_each_frame_in_order() -> None:
    x = music(3)
    model = SparseBaseline(SparseConfig(size=20))
    parts = model.encode(x)
    c = LinearBaseline(LinearConfig(size=512)).encode(x).base
    expected = c.abs().sort(dim=1, descending=True).values[:, :10]
    assert torch.equal(parts.values.abs(), expected)
    assert torch.equal(c.gather(1, parts.places), parts.values)
    kept = float(parts.values.square().sum() / c.square().sum())
    assert error(x, model(x)) == pytest.approx(1 - kept, abs=1e-3)


def test_sparse_of_fewer_rows_is_the_smaller_model() -> None:
    x = music(4)
    model = SparseBaseline(SparseConfig(size=40))
    parts = model.encode(x)
    fewer = Parts(parts.base, parts.places[:, :5], parts.values[:, :5])
    assert torch.equal(model.decode(fewer, x.shape[-1]), SparseBaseline(SparseConfig(size=10))(x))


@pytest.mark.parametrize("place", [-1, 512, 65_535])
def test_sparse_refuses_places_that_are_no_bands(place: int) -> None:
    model = SparseBaseline(SparseConfig(size=4))
    parts = model.encode(music(5, 2048))
    parts.places[0, 1, 2] = place
    with pytest.raises(LatentError, match="place"):
        model.decode(parts, 2048)


@pytest.mark.parametrize("model", [LinearBaseline(LinearConfig(size=4)), PcaBaseline(PcaConfig(size=1))])
def test_too_many_channels_are_refused(model: LinearBaseline | PcaBaseline) -> None:
    with pytest.raises(LatentError, match="5 rows"):
        model.decode(Parts.dense(torch.zeros(1, 5, 3)), 100)


def test_at_the_same_floats_sparse_beats_linear_on_a_high_tone() -> None:
    x = sine(5000) + 0.1 * sine(100)
    assert error(x, SparseBaseline(SparseConfig(size=32))(x)) < 0.05
    assert error(x, LinearBaseline(LinearConfig(size=32))(x)) > 0.9


def test_unfitted_pca_is_linear() -> None:
    x = music(6)
    assert torch.allclose(PcaBaseline(PcaConfig(size=24))(x), LinearBaseline(LinearConfig(size=24))(x), atol=1e-6)


def test_pca_rows_are_orthonormal_and_ordered_by_power(fitted: tuple[PcaBaseline, torch.Tensor]) -> None:
    model, shares = fitted
    assert model.components.shape == (128, 2048)
    assert torch.allclose(model.components @ model.components.T, torch.eye(128), atol=1e-5)
    assert (shares.diff() <= 1e-9).all()
    assert 0 < shares.sum() < 1


def test_pca_shares_are_the_power_of_the_latents(fitted: tuple[PcaBaseline, torch.Tensor]) -> None:
    model, shares = fitted
    levelled = [music(seed) / music(seed).square().mean().sqrt() for seed in range(4)]
    latents = torch.cat([model.encode(x).base for x in levelled], dim=-1)
    power = sum(float(x.square().sum()) for x in levelled)
    assert torch.allclose(latents.square().sum(dim=(0, 2)) / power, shares, rtol=1e-3)


def test_pca_beats_linear_on_what_it_was_fitted_to(fitted: tuple[PcaBaseline, torch.Tensor]) -> None:
    x = music(0)
    assert error(x, fitted[0](x)) < 0.9 * error(x, LinearBaseline(LinearConfig(size=32))(x))


def test_pca_fit_is_the_same_again_and_blind_to_level(fitted: tuple[PcaBaseline, torch.Tensor]) -> None:
    quieter = PcaBaseline(PcaConfig(size=32))
    quieter.fit(0.25 * music(seed) for seed in range(4))
    assert torch.allclose(quieter.components[:8], fitted[0].components[:8], atol=1e-3)
    again = PcaBaseline(PcaConfig(size=32))
    again.fit(music(seed) for seed in range(4))
    assert torch.equal(again.components, fitted[0].components)


def test_pca_weights_fit_in_a_mebibyte_and_truncate(fitted: tuple[PcaBaseline, torch.Tensor]) -> None:
    assert len(save(in_half(PcaBaseline(PcaConfig(size=64)).state_dict()))) < 1_050_000
    state = load(save(in_half(fitted[0].state_dict())))
    x, small = music(0), PcaBaseline(PcaConfig(size=8))
    small.load_state_dict(state)
    assert small.components.dtype == torch.float32
    assert torch.allclose(small.components, fitted[0].components[:32], atol=1e-3)
    fewer = Parts.dense(fitted[0].encode(x).base[:, :32])
    assert error(fitted[0].decode(fewer, x.shape[-1]), small(x)) < 1e-5


def test_pca_weights_of_a_smaller_fit_are_refused(fitted: tuple[PcaBaseline, torch.Tensor]) -> None:
    with pytest.raises(ModelError, match="pca-33"):
        PcaBaseline(PcaConfig(size=33)).load_state_dict(in_half(fitted[0].state_dict()))


@pytest.mark.parametrize("sounds", [[], [torch.zeros(1, 1, 4096)], [torch.full((1, 1, 4096), float("nan"))]])
def test_pca_refuses_to_learn_from_nothing(sounds: list[torch.Tensor]) -> None:
    model = PcaBaseline(PcaConfig(size=1))
    before = model.components.clone()
    with pytest.raises(DataError, match="silent"):
        model.fit(sounds)
    assert torch.equal(model.components, before)
