"""Mosaics: a song finds its own grains; grains have places; variety, level and transposition do what they say."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

import celesta
from celesta.audio import Audio
from celesta.dsp import metrics
from celesta.errors import UsageError
from celesta.report.demo import CLIPS
from celesta.variations.analysis import analyse
from celesta.variations.grains import level_curve
from celesta.variations.mosaic import mosaic, mosaic_file, segments


@pytest.fixture(scope="module")
def clips() -> dict[str, Audio]:
    return {name: celesta.read(CLIPS / f"{name}.ogg", duration=8) for name in ("rock", "house", "reggae")}


@pytest.mark.parametrize("variety", [0, 16])
def test_a_song_is_rebuilt_from_itself(clips: dict[str, Audio], variety: int) -> None:
    made = mosaic(clips["rock"], [clips["house"], clips["rock"]], variety=variety)
    assert metrics.si_sdr(clips["rock"].samples, made.samples) >= 20
    assert {grain.source for grain in made.grains} == {1}
    assert repr(made) == f"Mosaic({len(made.grains)} grains from 1 of 2 sources, 44100 Hz)"  # it was a wall of numbers


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


def test_a_daw_that_reads_the_list_plays_the_mosaic(clips: dict[str, Audio], tmp_path: Path) -> None:
    """The clips of the edit decision list, cut from their files and faded, are the mosaic without its level changes."""
    for name, x in clips.items():
        celesta.write(tmp_path / f"{name}.wav", x.samples, 44_100)
    output = tmp_path / "mosaic.wav"
    made = mosaic_file(
        tmp_path / "rock.wav", [tmp_path / "house.wav", tmp_path / "reggae.wav"], output, start=2.0, stop=5.0,
        follow=False,
    )  # fmt: skip
    x = celesta.read(output).samples
    assert x.shape == (2, 3 * 44_100)
    head, *rows = made.edl().splitlines()
    assert head.startswith('"ID";"Track";"StartTime";"Length"')
    assert len(rows) == len(made.grains)
    played = np.zeros_like(x)
    ends = [0.0, 0.0]
    for row in rows:
        cells = [cell.strip() for cell in row.split(";")]
        assert len(cells) == len(head.split(";"))
        track, (at, length, start, into, out) = int(cells[1]), (float(cells[k]) for k in (2, 3, 13, 15, 16))
        assert at >= ends[track] - 1e-3
        ends[track] = at + length
        begin, size, taken = (round(44.1 * value) for value in (at, length, start))
        source = celesta.read(cells[11].strip('"')).samples[:, taken : taken + size]
        ramp = np.ones(source.shape[1], np.float32)
        for k, seconds in ((0, into), (1, out)):
            width = round(44.1 * seconds)
            slope = (np.arange(width) + 0.5) / max(width, 1)
            if k == 0:
                ramp[:width] *= slope
            elif width:
                ramp[-width:] *= slope[::-1]
        stop = min(begin + source.shape[1], x.shape[1])
        played[:, begin:stop] += (float(cells[17]) * ramp * source)[:, : stop - begin]
    assert metrics.si_sdr(x, played) > 15


def test_a_mosaic_in_a_file_is_the_one_in_memory(clips: dict[str, Audio], tmp_path: Path) -> None:
    made = mosaic(clips["rock"], [clips["house"]])
    other = mosaic_file(clips["rock"], [clips["house"]], tmp_path / "made.wav")
    assert other.grains == made.grains
    assert np.abs(celesta.read(tmp_path / "made.wav").samples - np.clip(made.samples, -1, 1)).max() < 1e-6


def test_levels_follow_from_moment_to_moment() -> None:
    t = np.arange(22_050) / 22_050
    wanted = np.sin(2 * np.pi * 440 * t) * np.where((10 * t) % 1 < 0.5, 0.5, 0.05)
    x = 0.2 * np.sin(2 * np.pi * 300 * t)
    made = x * level_curve(wanted, x, 22_050)
    rows = [np.sqrt(np.mean(signal.reshape(-1, 441) ** 2, axis=1)) for signal in (wanted, made)]
    assert np.corrcoef(rows[0], rows[1])[0, 1] > 0.95
    assert (level_curve(x, x, 22_050) == 1).all()


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
