"""Comparisons of models: one sample rate for all, no influence of the order, intervals."""

import dataclasses

import numpy as np
import pytest

import celesta
from celesta.audio import Audio, write
from celesta.evaluation import comparison, rate_distortion
from celesta.evaluation.comparison import compare
from celesta.evaluation.reconstruction import COMPARISON_RATE, reconstruct
from celesta.probes.statistics import mean_interval

SPEEDS = ("encode_speed", "decode_speed")


@pytest.fixture
def folder(tmp_path, music):
    for number, rate in enumerate((44_100, 22_050)):
        write(tmp_path / f"{number}.wav", Audio(music(2 * rate, channels=2, sample_rate=rate, seed=number), rate))
    return tmp_path


def without_speed(row):
    return {key: value for key, value in dataclasses.asdict(row).items() if key not in SPEEDS}


def test_results_do_not_depend_on_the_order_of_the_models(folder, monkeypatch, need_weights):
    """Item 1: models at 44.1 kHz and 22.05 kHz, both ways round, and alone."""
    need_weights("nested")
    monkeypatch.setattr(comparison, "RATE_SECONDS", 1.0)
    monkeypatch.setattr(rate_distortion, "CODED_KBPS", (12,))
    monkeypatch.setattr(rate_distortion, "peer_curves", lambda clips: [])
    monkeypatch.setattr(comparison, "peer_curves", lambda clips: [])
    found = {}
    for models in (("nested", "linear-64"), ("linear-64", "nested"), ("linear-64",)):
        result = compare(models, folder, seconds=1)
        assert [row.model for row in result.rows] == [*models] * 2
        for model in models:
            scores = [without_speed(row) for row in result.rows if row.model == model]
            points = [point for point in result.curves if point.model == model]
            assert found.setdefault(model, (scores, points)) == (scores, points)
    assert {point.setting for point in found["linear-64"][1]} == set(rate_distortion.ABSOLUTE_STEPS)


def test_every_model_is_scored_at_the_rate_that_is_stated(folder):
    """Item 1: no table mixes rates."""
    result = compare(["linear-64", "sparse-64"], folder, seconds=1, rate_distortion=False)
    assert {row.sample_rate for row in result.rows} == {result.about["sample rate"]} == {COMPARISON_RATE}
    assert {(e.x.sample_rate, e.x_hat.sample_rate) for e in result.examples} == {(44_100, 44_100)}
    lower = compare(["linear-64"], folder, seconds=1, rate_distortion=False, sample_rate=22_050)
    assert lower.about["sample rate"] == 22_050
    assert {example.x_hat.sample_rate for example in lower.examples} == {22_050}


def test_what_a_model_cannot_represent_counts_as_an_error(music):
    """A model at 22.05 kHz loses the upper half of the band of audio at 44.1 kHz."""
    seconds = np.arange(44_100) / 44_100
    high = Audio((0.3 * np.sin(2 * np.pi * 15_000 * seconds))[None].astype(np.float32), 44_100)
    made = reconstruct(celesta.load("linear-512"), high)
    assert made.scores.mse == pytest.approx(0.3**2 / 2, rel=0.05)
    assert made.x.samples.shape == made.x_hat.samples.shape


def test_failures_are_named_and_the_rest_is_compared(folder):
    (folder / "bad.wav").write_bytes(b"RIFF")
    result = compare(["linear-64"], folder, seconds=1, rate_distortion=False)
    assert list(result.failures) == [str(folder / "bad.wav")]
    assert len(result.rows) == result.about["files"] == 2


def test_interval_holds_the_mean():
    values = np.random.default_rng(0).normal(3, 1, 200)
    mean, low, high = mean_interval(values)
    assert mean == pytest.approx(values.mean())
    assert mean - 0.25 < low < mean < high < mean + 0.25
    assert mean_interval([2.0]) == (2.0, 2.0, 2.0)
