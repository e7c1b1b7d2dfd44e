"""Transitions: exact length, original samples before and behind, beats together, levels matched."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from test_tempo import RATE, clicks

from celesta.audio import Audio
from celesta.dsp.stretching import stretch
from celesta.dsp.tempo import track_beats
from celesta.errors import UsageError
from celesta.report.demo import CLIPS
from celesta.variations.analysis import FLUX_RATE, analyse
from celesta.variations.bridge import bridge, plan_bridge
from celesta.variations.material import Material


def beat(bpm: float, seconds: float = 24.0, level: float = 1.0) -> Audio:
    return Audio(level * clicks(np.arange(0.5, seconds - 0.1, 60 / bpm), seconds)[None], RATE)


def test_both_songs_are_untouched_before_and_behind() -> None:
    with Material(CLIPS / "rock.ogg") as a, Material(CLIPS / "house.ogg") as b:
        plan = plan_bridge(a, b, 4.0)
        x = np.concatenate(list(plan.blocks(a, b)), axis=1)
        assert plan.n_samples == 4 * 44_100
        assert np.array_equal(x[:, : plan.leave], a.read(0, plan.leave))
        behind = x[:, plan.leave + plan.n_samples :]
        assert np.array_equal(behind, b.read(plan.enter, b.n_samples))
        again = plan_bridge(a, b, 4.0)
        assert np.array_equal(plan.samples, again.samples)


@pytest.mark.parametrize(("one", "other"), [(120.0, 120.0), (120.0, 128.0), (126.0, 110.0), (120.0, 64.0)])
def test_beats_go_together_and_the_tempo_changes_gradually(one: float, other: float) -> None:
    a, b = beat(one), beat(other)
    with Material(a) as first, Material(b) as second:
        plan = plan_bridge(first, second, 6.0)
        assert plan.stretched == (one != other)
        analysis = analyse(Audio(plan.samples, RATE))
    strong = np.sort(analysis.onsets) / RATE
    apart = np.diff(strong)
    slow, fast = 60 / max(one, other if other > 90 else 2 * other), 60 / min(one, other if other > 90 else 2 * other)
    fits = [(slow * 0.9 < d < fast * 1.1) or (2 * slow * 0.9 < d < 2 * fast * 1.1) for d in apart]
    assert np.mean(fits) > 0.8


def test_levels_are_matched() -> None:
    made = bridge(beat(120, level=1.0), beat(120, level=0.25), 6.0, around=3.0).samples[0]
    n = RATE
    level = [20 * np.log10(np.sqrt(np.mean(made[i : i + n] ** 2))) for i in range(0, len(made) - n, n)]
    assert level[0] - level[-1] == pytest.approx(12, abs=1.5)
    assert all(-5 < b - a < 2.5 for a, b in itertools.pairwise(level))


@pytest.mark.parametrize(
    ("seconds", "words"), [(20.0, "longer than half"), (0.0, "at least"), (float("nan"), "at least")]
)
def test_bad_lengths_are_refused(seconds: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        bridge(beat(120), beat(120), seconds)


def test_songs_without_a_beat_are_cross_faded_and_it_says_so() -> None:
    noise = Audio(0.1 * np.random.default_rng(0).standard_normal((2, 12 * RATE)).astype(np.float32), RATE)
    with Material(noise) as a, Material(noise) as b:
        plan = plan_bridge(a, b, 2.0)
    assert not plan.stretched
    assert "no clear beat" in plan.notes[0]
    assert plan.samples.shape == (2, 2 * RATE)


def test_stretching_keeps_the_pitch() -> None:
    t = np.arange(2 * RATE) / RATE
    x = np.sin(2 * np.pi * 440 * t, dtype=np.float32)[None]
    y = stretch(x, RATE, round(1.1 * x.shape[1]))
    assert y.shape[1] == round(1.1 * x.shape[1])
    middle = y[0, RATE // 2 : RATE // 2 + 16_384] * np.hanning(16_384)
    peak = np.argmax(np.abs(np.fft.rfft(middle))) * RATE / 16_384
    assert peak == pytest.approx(440, abs=1.5)
    assert stretch(x, RATE, x.shape[1]) is x
    with pytest.raises(UsageError):
        stretch(x, RATE, 1)


def test_beats_of_a_stretched_click_track_are_stretched() -> None:
    x = beat(120).samples
    y = stretch(x, RATE, round(x.shape[1] * 1.2))
    analysis = analyse(Audio(y, RATE))
    assert track_beats(analysis.flux, FLUX_RATE).tempo == pytest.approx(100, rel=0.02)
