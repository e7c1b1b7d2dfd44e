import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celesta.codec import windowing


def blocks(x, size):
    return (x[:, i : i + size] for i in range(0, x.shape[1], size))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 700), st.integers(1, 333), st.sampled_from([(100, 0, 20), (100, 30, 0), (64, 64, 0), (50, 0, 0)]))
def test_windows_do_not_depend_on_blocks_and_join_to_the_sound(n, size, shape):
    window, context, overlap = shape
    x = np.random.default_rng(n).normal(size=(2, n)).astype(np.float32)
    made = list(windowing.cut(blocks(x, size), window, context, overlap))
    whole = list(windowing.cut([x], window, context, overlap))
    assert len(made) == len(whole) == windowing.count_windows(n, window, overlap)
    for a, b in zip(made, whole, strict=True):
        assert (a.left, a.right) == (b.left, b.right)
        assert np.array_equal(a.samples, b.samples)
        assert a.samples.shape == (2, a.left + window + a.right)
    inner = [w.samples[:, w.left : w.left + window] for w in made]
    back = np.concatenate(list(windowing.limit(windowing.join(inner, overlap), n)), axis=1)
    assert back.shape == x.shape
    np.testing.assert_allclose(back, x, atol=1e-6)


def test_context_is_the_neighbours_sound_and_absent_at_the_ends():
    x = np.arange(250, dtype=np.float32)[None]
    first, second, third = windowing.cut([x], 100, 10, 0)
    assert (first.left, first.right, second.left, second.right, third.left, third.right) == (0, 10, 10, 10, 10, 0)
    assert np.array_equal(first.samples[0], np.arange(110))
    assert np.array_equal(second.samples[0], np.arange(90, 210))
    assert np.array_equal(third.samples[0, :60], np.arange(190, 250))
    assert not third.samples[0, 60:].any()


def test_crossfade_leaves_out_the_outer_eighth():
    fade = windowing.crossfade(64)
    assert not fade[:8].any()
    assert (fade[-8:] == 1).all()
    assert (np.diff(fade) >= 0).all()
    np.testing.assert_allclose(fade + fade[::-1], 1, atol=1e-6)


def test_limit_stops_asking():
    def endless():
        while True:
            yield np.zeros((1, 10))

    assert sum(b.shape[1] for b in windowing.limit(endless(), 25)) == 25


@pytest.mark.parametrize("n", [1, 99, 100, 101, 180, 181])
def test_count(n):
    assert windowing.count_windows(n, 100, 20) == len(list(windowing.cut([np.zeros((1, n), np.float32)], 100, 0, 20)))
