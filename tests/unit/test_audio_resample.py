from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celesta import audio
from celesta.errors import AudioError

RATES = (8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000)
rates = st.one_of(st.sampled_from(RATES), st.integers(8_000, 192_000))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 20_000), a=rates, b=rates, channels=st.integers(1, 8), cuts=st.lists(st.floats(0, 1), max_size=6)
)
def test_resampling_has_the_exact_length_and_ignores_the_cuts(n, a, b, channels, cuts):
    sound = np.random.default_rng(n).uniform(-1, 1, (channels, n)).astype(np.float32)
    whole = audio.resample(sound, a, b)
    assert whole.shape == (channels, -(-n * b // a)) == (channels, audio.resampled_length(n, a, b))
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    stream = audio.Resampler(a, b, channels)
    parts = [stream.push(part) for part in np.split(sound, sorted(int(c * n) for c in cuts), axis=1)]
    assert np.array_equal(np.concatenate([*parts, stream.finish()], axis=1), whole)


def test_resampling_of_a_long_sound_has_the_exact_length():
    block = np.zeros((1, 1_000_000), dtype=np.float32)
    for a, b in ((44_101, 22_050), (8_000, 8_001), (191_999, 8_000)):
        stream = audio.Resampler(a, b, 1)
        total = sum(stream.push(block).shape[1] for _ in range(40)) + stream.finish().shape[1]
        assert total == audio.resampled_length(40_000_000, a, b)


def test_resampling_keeps_the_sound_and_its_place_and_lets_nothing_alias():
    seconds = np.arange(88_200) / 44_100
    halves = np.arange(44_100) / 22_050
    out = audio.resample(np.sin(2 * np.pi * 1_000 * seconds)[None].astype(np.float32), 44_100, 22_050)
    assert np.abs(out[0] - np.sin(2 * np.pi * 1_000 * halves))[1_000:-1_000].max() < 1e-5
    high = audio.resample(np.sin(2 * np.pi * 15_000 * seconds)[None].astype(np.float32), 44_100, 22_050)
    assert np.abs(high[0, 1_000:-1_000]).max() < 1e-4


def test_equal_rates_change_nothing(music):
    sound = music(1_000, 2)
    assert np.array_equal(audio.resample(sound, 44_100, 44_100), sound)


@pytest.mark.parametrize("rate", [0, 7_999, 192_001, 44_100.5, float("nan"), True])
def test_rates_outside_the_limits(tmp_path, music, rate):
    with pytest.raises(AudioError, match="Hz"):
        audio.resample(music(10), 44_100, rate)
    with pytest.raises(AudioError, match="Hz"):
        audio.write(tmp_path / "a.wav", music(10), rate)
    audio.write(tmp_path / "b.wav", music(10), 44_100)
    with pytest.raises(AudioError, match="Hz"):
        audio.read(tmp_path / "b.wav", sample_rate=rate)
