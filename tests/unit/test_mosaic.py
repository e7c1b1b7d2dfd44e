"""Mosaics: a song finds its own grains; grains have places; variety, level and transposition do what they say."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import celesta
from celesta.audio import Audio
from celesta.dsp import metrics
from celesta.errors import UsageError
from celesta.report.demo import CLIPS
from celesta.variations.analysis import analyse
from celesta.variations.mosaic import mosaic, segments


@pytest.fixture(scope="module")
def clips() -> dict[str, Audio]:
    return {name: celesta.read(CLIPS / f"{name}.ogg", duration=8) for name in ("rock", "house", "reggae")}


@pytest.mark.parametrize("variety", [0, 16])
def test_a_song_is_rebuilt_from_itself(clips: dict[str, Audio], variety: int) -> None:
    made = mosaic(clips["rock"], [clips["house"], clips["rock"]], variety=variety)
    assert metrics.si_sdr(clips["rock"].samples, made.samples) >= 20
    assert {grain.source for grain in made.grains} == {1}


def test_grains_cover_the_target_and_name_their_places(clips: dict[str, Audio]) -> None:
    made = mosaic(clips["rock"], [clips["house"], clips["reggae"]])
    n = clips["rock"].samples.shape[1]
    assert made.samples.shape == (2, n)
    assert np.isfinite(made.samples).all()
    at = 0
    for grain in made.grains:
        assert grain.at == at
        at += grain.n_samples
    assert at == n
    rows = list(csv.DictReader(io.StringIO(made.csv())))
    assert len(rows) == len(made.grains)
    assert float(rows[3]["from"]) == pytest.approx(made.grains[3].start / 44_100, abs=1e-5)
    again = mosaic(clips["rock"], [clips["house"], clips["reggae"]])
    assert np.array_equal(made.samples, again.samples)


def test_borders_lie_at_onsets(clips: dict[str, Audio]) -> None:
    analysis = analyse(clips["rock"])
    borders = segments(analysis)
    sizes = np.diff(borders) / 44_100
    assert sizes.min() > 0.08
    assert sizes.max() < 0.38
    strong = [np.abs(borders - onset).min() == 0 for onset in analysis.onsets]
    assert np.mean(strong) > 0.6


def test_variety_takes_no_place_twice(clips: dict[str, Audio]) -> None:
    made = mosaic(clips["rock"], [clips["house"], clips["reggae"]], variety=12, jump=0)
    for k, grain in enumerate(made.grains):
        for other in made.grains[max(0, k - 12) : k]:
            if not grain.follows and grain.source == other.source:
                assert abs(grain.start - other.start) > 0.1 * 44_100


def test_grains_follow_the_level_of_the_target(clips: dict[str, Audio]) -> None:
    x = clips["rock"].samples.copy()
    x[:, x.shape[1] // 2 :] *= 0.1
    made = mosaic(Audio(x, 44_100), [clips["house"]]).samples

    def step(signal: np.ndarray) -> float:
        loud, soft = (np.sqrt(np.mean(half**2)) for half in np.array_split(signal, 2, axis=1))
        return float(20 * np.log10(loud / soft))

    assert step(x) > 12
    assert step(made) == pytest.approx(step(x), abs=6)  # a grain is made at most 12 dB louder


def test_transposed_grains_fit_better() -> None:
    t = np.arange(6 * 22_050) / 22_050

    def scale(semitones: float) -> Audio:
        notes = np.repeat([0, 4, 7, 12, 7, 4], 22_050)
        hz = 220 * 2 ** ((notes + semitones) / 12)
        phase = 2 * np.pi * np.cumsum(hz) / 22_050
        x = 0.3 * (np.sin(phase) + 0.5 * np.sin(2 * phase)) * np.exp(-3 * np.mod(t, 0.5))
        return Audio(x[None].astype(np.float32), 22_050)

    made = mosaic(scale(2), [scale(0)], transpose=2, variety=0)
    assert np.mean([grain.semitones == 2 for grain in made.grains]) > 0.5


@pytest.mark.parametrize(
    ("sources", "options", "words"),
    [
        ([], {}, "at least one"),
        ([Audio(np.zeros((1, 9000), np.float32), 22_050)], {}, "silent"),
        ([], {"variety": -1}, "0..1000"),
    ],
)
def test_what_cannot_be_built_is_refused(
    clips: dict[str, Audio], sources: list[Audio], options: dict[str, int], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        mosaic(clips["rock"], sources, **options)


def test_short_sources_are_enough(clips: dict[str, Audio]) -> None:
    short = Audio(clips["house"].samples[:, :5_000], 44_100)
    made = mosaic(clips["rock"], [short])
    assert made.samples.shape == clips["rock"].samples.shape
