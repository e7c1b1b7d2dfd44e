"""Beats and tempo on click tracks whose beats are known."""

from __future__ import annotations

import numpy as np
import pytest

from celesta.audio import Audio
from celesta.variations.analysis import analyse

RATE = 22_050


def clicks(times: np.ndarray, seconds: float, rate: int = RATE) -> np.ndarray:
    """Short noise bursts at given times, over quiet noise."""
    rng = np.random.default_rng(0)
    x = (0.001 * rng.standard_normal(int(seconds * rate))).astype(np.float32)
    burst = (0.5 * rng.standard_normal(400) * np.exp(-np.arange(400) / 80)).astype(np.float32)
    for at in np.round(times * rate).astype(int):
        part = x[at : at + burst.size]
        part += burst[: part.size]
    return x


def f_measure(found: np.ndarray, true: np.ndarray, within: float = 0.07) -> float:
    """The share of beats found, as mir_eval counts: each one once, within 70 ms."""
    hits = sum(np.abs(found - t).min() <= within for t in true)
    return 2 * hits / (len(found) + len(true))


@pytest.mark.parametrize("bpm", [72, 100, 128, 150])
def test_beats_are_those_of_a_click_track(bpm: float) -> None:
    true = np.arange(0.5, 25, 60 / bpm)
    analysis = analyse(Audio(clicks(true, 25.5)[None], RATE))
    assert analysis.clear
    assert analysis.tempo == pytest.approx(bpm, rel=0.02)
    found = analysis.beats / RATE
    inside = found[(found > 0.4) & (found < 25)]
    assert f_measure(inside, true) > 0.97
    assert np.median([np.abs(true - t).min() for t in inside]) < 0.012


def test_beats_follow_a_change_of_tempo() -> None:
    bpm = np.linspace(100, 125, 60)
    true = 0.5 + np.concatenate([[0], np.cumsum(60 / bpm)])
    found = analyse(Audio(clicks(true, true[-1] + 1)[None], RATE)).beats / RATE
    assert f_measure(found[(found > 0.4) & (found < true[-1] + 0.1)], true) > 0.9


def test_bars_begin_at_the_accent() -> None:
    rng = np.random.default_rng(1)
    n, period = 40, 0.5
    x = clicks(0.5 + period * np.arange(n), n * period + 1)
    t = np.arange(int(period * RATE)) / RATE
    for beat in range(n):
        hz = 55 * 2 ** (rng.integers(0, 12) / 12) if beat % 4 == 0 else 0
        at = int((0.5 + period * beat) * RATE)
        x[at : at + t.size] += (0.3 * np.sin(2 * np.pi * hz * t) * np.exp(-4 * t)).astype(np.float32)
    analysis = analyse(Audio(x[None], RATE))
    first = analysis.beats[analysis.downbeat] / RATE
    assert analysis.metre == 4
    assert ((first - 0.5) / period + 2) % 4 == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("kind", ["silence", "noise", "short", "one sample"])
def test_no_beat_is_clear_where_there_is_none(kind: str) -> None:
    rng = np.random.default_rng(2)
    n = {"short": 3000, "one sample": 1}.get(kind, 5 * RATE)
    x = np.zeros(n, np.float32) if kind == "silence" else 0.1 * rng.standard_normal(n).astype(np.float32)
    analysis = analyse(Audio(x[None], RATE))
    assert not analysis.clear
    assert analysis.beats[0] == 0
    assert analysis.mel.shape[1] == 40
    assert np.isfinite(analysis.mel).all()
