import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import celesta
from celesta.audio import Audio
from celesta.errors import LatentError, UsageError
from celesta.variations import basic
from celesta.variations.basic import Step


@pytest.fixture(scope="module")
def z():
    x = np.random.default_rng(0).normal(0, 0.2, (2, 250_000)).clip(-1, 1).astype(np.float32)
    return celesta.load("linear-16").encode(Audio(x, 22_050))


def test_identities_change_no_bit(z):
    codec = celesta.load("linear-16")
    plain = codec.decode(z).samples
    same = basic.apply(z, [Step("gain", 1), Step("noise", 0), Step("smooth", 1)])
    assert np.array_equal(codec.decode(same).samples, plain)


def test_gain_on_a_linear_model_is_volume(z):
    codec = celesta.load("linear-16")
    np.testing.assert_allclose(
        codec.decode(basic.gain(z, 1.5)).samples, 1.5 * codec.decode(z).samples, rtol=1e-4, atol=1e-5
    )


def test_noise_is_seeded_and_in_units_of_each_rows_spread(z):
    a, b, c = (basic.noise(z, 0.1, seed) for seed in (7, 7, 8))
    assert np.array_equal(a.base, b.base)
    assert not np.array_equal(a.base, c.base)
    added = (a.base - z.base).std(axis=(0, 3)) / z.base.std(axis=(0, 3))
    np.testing.assert_allclose(added, 0.1, rtol=0.15)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40))
def test_smoothing_keeps_the_frames_and_crosses_window_borders(width):
    x = np.random.default_rng(0).normal(0, 0.2, (1, 250_000)).clip(-1, 1).astype(np.float32)
    z = celesta.load("linear-4").encode(Audio(x, 22_050))
    s = basic.smooth(z, width)
    assert s.base.shape == z.base.shape
    line, smoothed = z.timeline()[0][0, 0], s.timeline()[0][0, 0]
    for t in (0, 1, z.frames - 1, z.frames, len(line) - 1):
        begin, end = max(0, t - width // 2), min(len(line), t - width // 2 + width)
        np.testing.assert_allclose(smoothed[t], line[begin:end].mean(), rtol=1e-4, atol=1e-6)


def test_morph_ends_at_both(z):
    other = basic.gain(z, 0.25)
    assert basic.morph(z, other, 0) is z
    np.testing.assert_allclose(basic.morph(z, other, 1).base, other.base, rtol=1e-6)
    np.testing.assert_allclose(basic.morph(z, other, 0.5).base, 0.625 * z.base, rtol=1e-5)


def test_wrong_arguments(z):
    for bad in (
        lambda: basic.gain(z, np.inf),
        lambda: basic.noise(z, -1),
        lambda: basic.smooth(z, 0),
        lambda: basic.smooth(z, 1.5),
        lambda: basic.morph(z, z, 2),
        lambda: Step("reverse", 1),
    ):
        with pytest.raises(UsageError):
            bad()
    sparse = celesta.load("sparse-16").encode(Audio(np.ones((1, 5_000), np.float32), 22_050))
    with pytest.raises(LatentError):
        basic.smooth(sparse, 3)
