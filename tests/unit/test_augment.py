"""Training crops changed: softer, mixed, band-limited; never louder than full scale, the same from the same seed."""

import numpy as np

from celesta.training.augment import augment, band_limited


def test_crops_stay_within_full_scale_and_repeat(music):
    crops = np.concatenate([music(20_000, 1, 44_100, seed) for seed in range(6)])
    made = [augment(crops, 44_100, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert all(x.dtype == np.float32 and x.shape == crops.shape and np.abs(x).max() <= 1.0001 for x in made)


def test_some_crops_stay_as_they_are(music):
    crops = np.concatenate([music(20_000, 1, 44_100, seed) for seed in range(6)])
    made = augment(np.tile(crops, (20, 1)), 44_100, np.random.default_rng(0))
    same = np.mean([np.array_equal(a, b) for a, b in zip(made, np.tile(crops, (20, 1)), strict=True)])
    assert 0.2 < same < 0.6  # nine tenths of three fifths of seven tenths


def test_band_limit_cuts_where_it_says():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(44_100).astype(np.float32)
    power = np.abs(np.fft.rfft(band_limited(x, 44_100, 10_000))) ** 2
    before = np.abs(np.fft.rfft(x)) ** 2
    assert power[10_500:].sum() < 1e-6 * before[10_500:].sum()
    assert np.allclose(power[:9_990], before[:9_990], rtol=1e-2, atol=1e-2)
