"""Whatever the length, the rate and the number of channels: the same length back, finite, and the same every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import celesta
from celesta.audio import Audio, resampled_length
from celesta.errors import AudioError

CODECS = {name: celesta.load(name) for name in ("linear-64", "sparse-64")}

lengths = st.integers(1, 20_000)
rates = st.one_of(st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000, 192_000]), st.integers(8_000, 192_000))
channels = st.integers(1, 2)
seeds = st.integers(0, 2**32 - 1)
models = st.sampled_from(sorted(CODECS))


def sound(n, rate, count, seed, peak=0.8):
    """Noise and a tone, of any size."""
    rng = np.random.default_rng(seed)
    tone = np.sin(np.arange(n) * rng.uniform(0.001, 3.0, (count, 1)))
    return Audio((peak * (0.7 * tone + 0.3 * rng.uniform(-1, 1, (count, n)))).astype(np.float32), rate)


@settings(max_examples=60, deadline=None)
@given(models, lengths, rates, channels, seeds)
def test_exact_length_finite_and_deterministic(model, n, rate, count, seed):
    codec, x = CODECS[model], sound(n, rate, count, seed)
    z = codec.encode(x)
    assert (z.channels, z.n_samples, z.source_rate) == (count, n, rate)
    back = codec.decode(z)
    assert back.sample_rate == rate
    assert back.samples.shape == (count, n)
    assert back.samples.dtype == np.float32
    assert np.isfinite(back.samples).all()
    again = celesta.load(model)
    y = again.encode(x)
    for part in ("base", "places", "values", "gain"):
        assert np.array_equal(getattr(z, part), getattr(y, part)), part
    assert np.array_equal(again.decode(y).samples, back.samples)


@settings(max_examples=25, deadline=None)
@given(models, lengths, st.integers(8_000, 192_000), st.integers(8_000, 192_000))
def test_another_rate_gives_its_exact_length(model, n, rate, wanted):
    codec = CODECS[model]
    back = codec.decode(codec.encode(sound(n, rate, 1, n)), sample_rate=wanted)
    assert back.sample_rate == wanted
    assert back.samples.shape == (1, resampled_length(n, rate, wanted))


@settings(max_examples=25, deadline=None)
@given(models, lengths, rates, seeds)
def test_channels_are_coded_each_by_itself(model, n, rate, seed):
    codec, x = CODECS[model], sound(n, rate, 2, seed)
    both = codec.encode(x)
    for c in range(2):
        alone = codec.encode(Audio(x.samples[c : c + 1], rate))
        for part in ("base", "places", "values", "gain"):
            assert np.array_equal(getattr(both, part)[:, c], getattr(alone, part)[:, 0]), part


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20_000), channels, seeds)
def test_what_is_kept_never_has_more_power_than_the_sound(n, count, seed):
    """The transform is orthonormal, and both baselines only leave coefficients out."""
    x = sound(n, 22_050, count, seed)
    power = float((x.samples.astype(np.float64) ** 2).sum())
    for codec in CODECS.values():
        z = codec.encode(x)
        kept = float((z.base.astype(np.float64) ** 2).sum() + (z.values.astype(np.float64) ** 2).sum())
        assert kept <= power * (1 + 1e-5) + 1e-9


@settings(max_examples=25, deadline=None)
@given(models, lengths, st.sampled_from([np.nan, np.inf, -np.inf]), seeds)
def test_one_bad_sample_anywhere_is_refused(model, n, bad, seed):
    x = sound(n, 44_100, 2, seed)
    x.samples[seed % 2, seed % n] = bad
    with pytest.raises(AudioError, match=r"NaN or infinite"):
        CODECS[model].encode(x)
