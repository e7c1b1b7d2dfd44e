"""The MDCT against its definition, as an orthogonal matrix, and through autograd."""

from __future__ import annotations

import math

import pytest
import torch

from celesta.models.mdct import Mdct, fit_length


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize("bands", [2, 8, 64, 512])
def test_inner_frames_follow_the_definition(bands: int) -> None:
    """X[k] = sqrt(2/N) sum w[n] x[n] cos(pi/N (n + 1/2 + N/2) (k + 1/2)), sine window of 2N."""
    n = torch.arange(2 * bands, dtype=torch.float64)
    k = torch.arange(bands, dtype=torch.float64)
    window = torch.sin(math.pi / (2 * bands) * (n + 0.5))
    basis = math.sqrt(2 / bands) * torch.cos(math.pi / bands * (n[:, None] + 0.5 + bands / 2) * (k + 0.5))
    x = noise(2, 6 * bands)
    # Frame f spans from half a frame before its block to half a frame behind it.
    expected = x[:, bands // 2 :].unfold(-1, 2 * bands, bands) * window @ basis
    actual = Mdct(bands)(x.float())[:, 1:5].double()
    assert torch.allclose(actual, expected[:, :4], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_is_an_orthogonal_matrix(frames: int) -> None:
    mdct = Mdct(16).double()
    matrix = mdct(torch.eye(16 * frames, dtype=torch.float64)).reshape(16 * frames, -1)
    identity = torch.eye(16 * frames, dtype=torch.float64)
    # The window's numbers are held in single precision.
    assert torch.allclose(matrix @ matrix.T, identity, atol=1e-6)
    assert torch.allclose(mdct.inverse(matrix.reshape(16 * frames, frames, 16), 16 * frames), identity, atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 255, 511, 512, 513, 1024, 110_250])
def test_reconstructs_every_sample(length: int) -> None:
    mdct, x = Mdct(512), noise(3, length).float()
    c = mdct(x)
    assert c.shape == (3, -(-length // 512), 512)
    assert torch.allclose(mdct.inverse(c, length), x, atol=5e-6)
    assert torch.allclose(c.square().sum(), x.square().sum(), rtol=1e-5)


def test_one_frame_alone_has_aliasing_that_its_neighbours_cancel() -> None:
    mdct, x = Mdct(64), noise(1, 64 * 5).float()
    c = mdct(x)
    without = c.clone()
    without[:, 3] = 0
    damaged = mdct.inverse(without, 64 * 5) - x
    assert damaged[0, : 64 * 3 - 32].abs().max() < 1e-5
    assert damaged[0, 64 * 3 - 32 : 64 * 3].abs().max() > 0.01


def test_batch_does_not_change_a_bit() -> None:
    mdct, x = Mdct(512), noise(5, 5 * 512).float()
    assert torch.equal(mdct(x)[3], mdct(x[3:4])[0])


def test_a_sine_lies_in_its_band() -> None:
    t = torch.arange(512 * 8, dtype=torch.float64)
    c = Mdct(512)(torch.sin(math.pi / 512 * 100.5 * t)[None].float())
    assert set(c[0, 1:-1].abs().argmax(-1).tolist()) <= {99, 100, 101}
    near = c[0, 1:-1, 90:112].square().sum() / c[0, 1:-1].square().sum()
    assert near > 0.999


def test_gradients_are_those_of_the_transform() -> None:
    mdct = Mdct(8).double()
    x = noise(2, 21).requires_grad_()
    assert torch.autograd.gradcheck(mdct, (x,))
    c = noise(2, 3, 8).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: mdct.inverse(c, 19), (c,))


def test_has_no_state() -> None:
    assert not Mdct(512).state_dict()
    assert not list(Mdct(512).parameters())


@pytest.mark.parametrize("bands", [0, -2, 3])
def test_refuses_odd_sizes(bands: int) -> None:
    with pytest.raises(ValueError, match="even"):
        Mdct(bands)


def test_fit_length_cuts_and_fills() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0]])
    assert fit_length(x, 2).tolist() == [[1.0, 2.0]]
    assert fit_length(x, 5).tolist() == [[1.0, 2.0, 3.0, 0.0, 0.0]]
