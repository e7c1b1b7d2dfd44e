"""Rhythm, loudness and key on sounds made to have them."""

from __future__ import annotations

import numpy as np
import pytest

from celesta.dsp import metrics
from celesta.dsp.loudness import loudness_facts
from celesta.dsp.tempo import TEMPO_EDGES
from celesta.errors import UsageError
from celesta.features.rhythm import NAMES, descriptors, rhythm_facts
from celesta.features.tonal import PITCH_CLASSES, tonal_facts

RATE = 22_050


def clicks(bpm: float, seconds: float = 20.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = np.zeros(int(seconds * RATE), np.float32)
    burst = (0.5 * rng.standard_normal(400) * np.exp(-np.arange(400) / 80)).astype(np.float32)
    for start in np.arange(0.2, seconds - 0.1, 60 / bpm):
        at = round(start * RATE)
        x[at : at + burst.size] += burst
    return x


def chord(*hz: float, seconds: float = 4.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return np.sum([0.1 / h * np.sin(2 * np.pi * f * h * t) for f in hz for h in (1, 2, 3)], axis=0).astype(np.float32)


@pytest.mark.parametrize("bpm", [60, 90, 120, 174])
def test_clicks_peak_at_their_tempo(bpm: float) -> None:
    facts = rhythm_facts(clicks(bpm))
    assert facts.histogram.sum() == pytest.approx(1)
    best = int(np.argmax(facts.histogram))
    assert TEMPO_EDGES[best] * 0.97 <= bpm <= TEMPO_EDGES[best + 1] * 1.03
    assert facts.tempo == pytest.approx(bpm, rel=0.03)
    assert facts.clarity > 0.7
    assert facts.onset_rate == pytest.approx(bpm / 60, rel=0.06)


def test_noise_has_no_pulse() -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE).astype(np.float32)
    assert rhythm_facts(noise).clarity < 0.3 < rhythm_facts(clicks(120)).clarity


def test_onsets_are_those_of_the_metrics() -> None:
    for x in (clicks(100), clicks(137) + chord(220, seconds=20.0)):
        assert rhythm_facts(x).onset_rate == pytest.approx(metrics.onset_rate(x[None], RATE))


@pytest.mark.parametrize(
    ("hz", "tonic", "mode"),
    [
        ((261.63, 329.63, 392.00), "C", "major"),
        ((220.00, 261.63, 329.63), "A", "minor"),
        ((369.99, 466.16, 554.37), "F#", "major"),
    ],
)
def test_chords_have_their_key(hz: tuple[float, ...], tonic: str, mode: str) -> None:
    facts = tonal_facts(chord(*hz))
    assert (PITCH_CLASSES[facts.tonic], facts.mode) == (tonic, mode)
    assert max(facts.major, facts.minor) > 0.6


@pytest.mark.parametrize("semitones", [-0.3, 0.0, 0.2])
def test_tuning_is_found_and_allowed_for(semitones: float) -> None:
    facts = tonal_facts(chord(*(np.array([261.63, 329.63, 392.0]) * 2 ** (semitones / 12))))
    assert facts.tuning == pytest.approx(semitones, abs=0.04)
    assert (facts.tonic, facts.mode) == (0, "major")


def test_transposing_leaves_the_degrees() -> None:
    first = [NAMES.index(f"degree_{i}") for i in range(12)]
    c, e = (descriptors(chord(*(np.array([261.63, 329.63, 392.0]) * 2 ** (up / 12))), RATE) for up in (0, 4))
    assert np.allclose(c[first], e[first], atol=0.03)
    assert set(np.argsort(c[first])[-3:]) == {0, 4, 7}


def test_loudness_facts() -> None:
    t = np.arange(20 * RATE) / RATE
    x = (0.5 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    steady = loudness_facts(x)
    assert steady.loudness == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.1)
    assert steady.loudness_range == pytest.approx(0, abs=0.05)
    assert steady.crest == pytest.approx(3.01, abs=0.01)
    assert steady.dynamic_complexity == pytest.approx(0, abs=0.05)
    # EBU Tech 3342, case 1: 20 s each at -20 and -30 dB have a range of 10 LU.
    stepped = loudness_facts(np.concatenate([0.2 * x, 0.2 * x * 10**-0.5]))
    assert stepped.loudness_range == pytest.approx(10, abs=1)
    assert 3 < stepped.dynamic_complexity < 6


def test_vector_and_names() -> None:
    vector = descriptors(clicks(120) + chord(261.63, 329.63, 392.0, seconds=20.0), RATE)
    assert vector.shape == (len(NAMES),)
    assert len(set(NAMES)) == len(NAMES)
    assert vector.dtype == np.float32
    assert vector[NAMES.index("tempo_log2")] == pytest.approx(np.log2(120), abs=0.05)
    assert vector[NAMES.index("key_mode")] > 0


@pytest.mark.parametrize("n", [1, 100, 3000, 30_000])
def test_short_and_silent_sounds_are_finite(n: int) -> None:
    assert np.isfinite(descriptors(clicks(120)[4000 : 4000 + n], RATE)).all()
    silent = descriptors(np.zeros(n, np.float32), RATE)
    assert np.isfinite(silent).all()
    assert silent[NAMES.index("loudness")] == metrics.SILENCE_DB
    assert not silent[: NAMES.index("loudness")].any()


def test_level_does_not_change_rhythm_or_key() -> None:
    x = clicks(120) + chord(261.63, 329.63, 392.0, seconds=20.0)
    loud, quiet = descriptors(x, RATE), descriptors(x / 16, RATE)
    same = [i for i, name in enumerate(NAMES) if not name.startswith("loudness")]
    assert np.allclose(loud[same], quiet[same], atol=0.02)
    level = NAMES.index("loudness")
    assert loud[level] - quiet[level] == pytest.approx(24.08, abs=0.1)


def test_refuses_stereo() -> None:
    with pytest.raises(UsageError, match="one channel"):
        descriptors(np.zeros((2, 100)), RATE)
