"""Gaps: what is outside stays, what is inside comes from the song and is near the truth."""

from __future__ import annotations

import numpy as np
import pytest

from celesta.audio import Audio
from celesta.dsp import metrics
from celesta.dsp.prediction import burg, extrapolate
from celesta.errors import UsageError
from celesta.report.demo import CLIPS
from celesta.variations.gaps import Gap, predicted
from celesta.variations.material import Material
from celesta.variations.repair import fill_gaps, find_dropouts, repair


@pytest.fixture(scope="module")
def rock() -> Audio:
    with Material(CLIPS / "rock.ogg") as song:
        return song.whole()


def holed(song: Audio, *gaps: Gap) -> Audio:
    x = song.samples.copy()
    for gap in gaps:
        x[:, gap.start : gap.stop] = 0
    return Audio(x, song.sample_rate)


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.5, 2.0])
def test_outside_the_gap_no_sample_changes(rock: Audio, seconds: float) -> None:
    gap = Gap(300_001, 300_001 + round(seconds * 44_100))
    damaged = holed(rock, gap)
    made = repair(damaged, gap.start / 44_100, gap.stop / 44_100).samples
    assert made.shape == rock.samples.shape
    outside = np.ones(made.shape[1], bool)
    outside[gap.start : gap.stop] = False
    assert np.array_equal(made[:, outside], rock.samples[:, outside])
    inside = made[:, gap.start : gap.stop]
    assert np.isfinite(inside).all()
    assert inside.any()


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_a_fill_is_nearer_to_the_truth_than_prediction_and_silence(rock: Audio, seconds: float) -> None:
    gap = Gap(300_000, 300_000 + round(seconds * 44_100))
    damaged = holed(rock, gap)
    with Material(damaged) as song:
        fill = fill_gaps(song, [gap])[0]
        control = predicted(song, gap)
    truth = rock.samples[:, gap.start : gap.stop]
    distances = [metrics.mel_distance(truth, x, 44_100) for x in (fill.samples, control, np.zeros_like(truth))]
    assert distances[0] < 0.5 * min(distances[1:])
    assert (fill.join is not None) == (seconds >= 1)  # a long gap is filled from two stretches
    if fill.join is not None and fill.second is not None and fill.source is not None:
        half = 441  # samples of the cross-fade on either side
        for at, source in ((gap.start + 1000, fill.source + 1000), (fill.join + half, fill.second + half)):
            made = fill.samples[:, at - gap.start : at - gap.start + 5000]
            want = damaged.samples[:, source : source + 5000] * np.float32(10 ** (fill.gain_db / 20))
            assert np.allclose(made, want, atol=1e-6)


def test_borders_have_no_click(rock: Audio) -> None:
    gap = Gap(300_000, 310_000)
    made = repair(holed(rock, gap), gap.start / 44_100, gap.stop / 44_100).samples
    steps = np.abs(np.diff(rock.samples, axis=1)).max()
    for at in (gap.start, gap.stop):
        assert np.abs(made[:, at] - made[:, at - 1]).max() < 0.5 * steps


def test_dropouts_are_found_and_filled(rock: Audio) -> None:
    gaps = [Gap(200_000, 201_000), Gap(400_000, 404_410)]
    damaged = holed(rock, *gaps)
    assert find_dropouts(damaged) == gaps
    made = repair(damaged).samples
    assert not np.array_equal(made[:, 400_000:404_410], damaged.samples[:, 400_000:404_410])
    assert find_dropouts(Audio(made, 44_100)) == []


def test_silence_that_belongs_to_the_music_is_no_dropout() -> None:
    t = np.arange(44_100) / 22_050
    x = (0.3 * np.sin(2 * np.pi * 220 * t) * np.clip(1 - t, 0, 1)).astype(np.float32)[None]
    assert find_dropouts(Audio(np.concatenate([x, x[:, ::-1]], axis=1), 22_050)) == []


@pytest.mark.parametrize(
    ("start", "stop", "words"),
    [
        (5.0, 5.0, "ends after"),
        (-1.0, 2.0, "ends after"),
        (99.0, 100.0, "song ends"),
        (1.0, 14.0, "longer than what is left"),
    ],
)
def test_gaps_that_cannot_be_filled_are_refused(rock: Audio, start: float, stop: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        repair(rock, start, stop)


def test_prediction_continues_tones() -> None:
    t = np.arange(3_000)
    x = (0.5 * np.sin(0.05 * t) + 0.2 * np.sin(0.31 * t + 1))[None].astype(np.float32)
    made = extrapolate(x[:, :2_600], 200)
    assert np.abs(made - x[:, 2_600:2_800]).max() < 0.02
    assert burg(np.zeros(100))[0] == 1
    assert not extrapolate(np.zeros((2, 100), np.float32), 10).any()
