"""The decoder with a band envelope: what it adds has the coded power, and leaves what was kept as it is."""

from __future__ import annotations

import pytest
import torch

from celesta.errors import ModelError
from celesta.models import envelope as env
from celesta.models.nested2 import Nested2, Nested2Config
from celesta.models.registry import create


@pytest.fixture(scope="module")
def model() -> Nested2:
    torch.manual_seed(0)
    made = create("nested2").eval()
    assert isinstance(made, Nested2)
    return made


@pytest.fixture(scope="module")
def c() -> torch.Tensor:
    """Coefficients ``(1, 16, 1024)`` that fall with frequency."""
    noise = torch.randn(1, 16, 1024, generator=torch.Generator().manual_seed(1))
    return noise * 10 ** (-torch.arange(1024) / 600)


def filled(model: Nested2, c: torch.Tensor, threshold: float, **options: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Kept coefficients, and all after the decoder."""
    detail = torch.where(c.abs() > threshold, c, 0.0)
    base = torch.zeros(*c.shape[:2], model.config.base)
    rest = model.cells.rest(c, detail != 0)
    with torch.inference_mode():
        return detail, model.fill(base, base[..., :1], model.cells.envelope(c), rest, detail, 5, **options)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 1e9])
def test_added_power_is_the_coded_one(model: Nested2, c: torch.Tensor, threshold: float) -> None:
    detail, out = filled(model, c, threshold)
    kept = detail != 0
    assert torch.equal(out[kept], detail[kept])
    added = model.cells.sum(torch.where(kept, 0.0, out) ** 2)
    wanted = env.to_power(model.cells.rest(c, kept)) * model.cells.sum((~kept).float())
    some = wanted > 1e-6
    # A coefficient that is left out is no larger than those that are kept, which may cost some power.
    decibel = 10 * torch.log10(added[some] / wanted[some])
    assert decibel.max() < 0.1
    assert decibel.median() > -0.2


def test_nothing_added_is_larger_than_what_is_kept_in_its_cell(model: Nested2, c: torch.Tensor) -> None:
    detail, out = filled(model, c, 0.2)
    limit = model.least(detail, detail != 0)
    assert ((out.abs() <= limit + 1e-6) | (detail != 0)).all()


def test_the_second_of_two_channels_does_not_follow_the_first(model: Nested2, c: torch.Tensor) -> None:
    detail, first = filled(model, c, 0.5)
    _, second = filled(model, c, 0.5, decorrelated=True)
    kept = detail != 0
    assert torch.equal(second[kept], first[kept])
    assert torch.equal(second.abs(), first.abs())
    together = (first[~kept] * second[~kept]).sum() / (first[~kept] ** 2).sum()
    assert together.abs() < 0.05


def test_louder_coefficients_give_the_same_sound_louder(model: Nested2, c: torch.Tensor) -> None:
    """30 dB are ten steps of the envelope: only the absolute level that the network sees is another."""
    _, soft = filled(model, c / 10**1.5, 0.2 / 10**1.5)
    detail, loud = filled(model, c, 0.2)
    kept = detail != 0
    powers = [model.cells.sum(torch.where(kept, 0.0, x) ** 2) for x in (soft * 10**1.5, loud)]
    some = powers[1] > 1e-4
    assert (10 * torch.log10(powers[0][some] / powers[1][some])).abs().median() < 0.3


def test_a_latent_without_an_envelope_is_refused(model: Nested2) -> None:
    parts = model.encode(torch.zeros(1, 1, 5000))
    with pytest.raises(ModelError, match="band envelope"):
        model.decode(parts._replace(envelope=torch.zeros(0, 0, 0)), 5000)


@pytest.mark.parametrize("wrong", [{"bands": 512}, {"kernel": 4}, {"token": 3}, {"seen": 0}, {"base": 0}])
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="nested2"):
        Nested2Config(**wrong)
