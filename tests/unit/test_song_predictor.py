"""SongPredictor: whole songs, over time, songs without anything to analyse, many songs."""

import itertools
import json

import numpy as np
import pytest

import celesta
from celesta import audio
from celesta.audio import Audio, AudioWarning
from celesta.dsp.mono import MonoMix
from celesta.errors import AudioError
from celesta.predict import Predictor, SongPrediction, SongPredictor, Status
from celesta.predict.song import stretches

RATE = 22_050


@pytest.fixture(scope="module")
def predictor():
    """Two predictors of random weights: results need only be finite and stable here."""
    rng = np.random.default_rng(0)

    def made(features, size, classes):
        weights, bias = 0.05 * rng.standard_normal((size, len(classes))), np.zeros(len(classes))
        return Predictor(classes, features, True, np.zeros(size), np.full(size, 0.01), weights, bias)

    return SongPredictor({"style": made("handcrafted", 130, ("a", "b")), "mood": made("rhythm", 42, tuple("1234"))})


def test_a_file_and_audio_in_memory_give_the_same(predictor, music, tmp_path):
    samples = music(26 * RATE, 2, RATE)
    audio.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    one, other = predictor.predict(tmp_path / "a.wav"), predictor.predict(Audio(samples, RATE))
    assert one.status is other.status is Status.ANALYSED
    assert one.path == tmp_path / "a.wav"
    assert other.path is None
    for name in ("style", "mood"):
        assert np.allclose(one.probabilities[name], other.probabilities[name], atol=1e-6)
        assert one.probabilities[name].sum() == pytest.approx(1)
        assert one.over_time[name].shape == (3, len(one.classes[name]))
    assert one.times.tolist() == [0, 10, 20]
    assert one.duration == pytest.approx(26)
    assert one.top("style", 1)[0][1] == one.probabilities["style"].max()


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros((2, 5 * RATE), np.float32), "silent"),
        (np.full((1, 5 * RATE), 3e-5, np.float32), "silent"),
        (np.full((1, 1), 0.5, np.float32), "too short"),
        (np.full((2, 5 * RATE), -0.5, np.float32), "constant offset"),
        (0.5 * np.sin(np.arange(5 * RATE) / 9) * np.array([[1], [-1]]), "cancel"),
        (0.5 * np.sin(np.arange(5 * RATE) / 9) * np.array([[1], [-1.001]]), "cancel"),
    ],
)
def test_nothing_to_analyse_is_said(predictor, samples, reason, tmp_path):
    """Item 20: silence, one sample and left = -right got confident genres without a word."""
    audio.write(tmp_path / "a.wav", samples.astype(np.float32), RATE, subtype="FLOAT")
    for source in (tmp_path / "a.wav", Audio(samples.astype(np.float32), RATE)):
        with pytest.warns(AudioWarning, match=reason):
            song = predictor.predict(source)
        assert song.status is Status.NOTHING
        assert reason in song.reason
        assert song.probabilities == {} == song.over_time
        assert song.top("style") == []
        assert "nothing to analyse" in repr(song)
        json.dumps(song.to_dict(), allow_nan=False)


def test_quiet_music_and_wide_stereo_are_analysed(predictor, music):
    samples = music(5 * RATE, 2, RATE)
    for altered in (0.001 * samples, samples * np.array([[1], [-0.8]], np.float32), samples[:1]):
        assert predictor.predict(Audio(altered, RATE)).status is Status.ANALYSED


def test_a_silent_stretch_has_no_probabilities(predictor, music):
    """Item 20: a sibling; a silent minute inside a song got confident genres too."""
    samples = music(30 * RATE, 1, RATE)
    samples[:, 10 * RATE : 20 * RATE] = 0
    song = predictor.predict(Audio(samples, RATE))
    assert np.isnan(song.over_time["style"]).all(axis=1).tolist() == [False, True, False]
    assert song.to_dict()["over_time"]["style"][1] == [None, None]
    again = SongPrediction.from_dict(json.loads(json.dumps(song.to_dict(), allow_nan=False)))
    assert again.to_dict() == song.to_dict()
    assert np.isnan(again.over_time["style"][1]).all()


def test_many_songs_come_one_by_one_and_failures_are_recorded(predictor, music, tmp_path):
    audio.write(tmp_path / "a.wav", music(2 * RATE, 1, RATE), RATE)
    (tmp_path / "broken.mp3").write_bytes(b"no audio" * 100)
    coming = predictor.predict_many([tmp_path / "a.wav", tmp_path / "broken.mp3", tmp_path / "gone.wav"])
    assert next(coming).status is Status.ANALYSED
    rest = list(coming)
    assert [song.status for song in rest] == [Status.FAILED] * 2
    assert all(song.path.name in song.reason for song in rest)
    with pytest.raises(AudioError):
        predictor.predict(tmp_path / "gone.wav")


def test_representations_are_short(predictor, music):
    """Item 27: repr of results were walls of numbers."""
    song = predictor.predict(Audio(music(2 * RATE, 1, RATE), RATE))
    assert len(repr(song)) < 120
    assert repr(predictor) == "SongPredictor(style, mood)"
    assert celesta.SongPredictor is SongPredictor


def test_edges_of_stretches_lie_in_the_song():
    for duration in (1.0, 4.9, 14.9, 15.1, 3599.7):
        edges = stretches(duration)
        assert edges[0] == 0
        assert edges[-1] == duration
        assert all(min(5, duration) <= b - a < 15.1 for a, b in itertools.pairwise(edges))


def test_mono_mix_does_not_depend_on_the_blocks(music):
    samples = music(3 * RATE + 77, 2, RATE)
    samples[:, RATE : 2 * RATE] = 0
    whole, cut = MonoMix(RATE), MonoMix(RATE)
    mono = whole.push(samples)
    assert np.array_equal(
        mono, np.concatenate([cut.push(samples[:, i : i + 999]) for i in range(0, 3 * RATE + 77, 999)])
    )
    for mix in (whole, cut):
        assert mix.problem() == ""
        assert [mix.silent(i, i + 1) for i in range(3)] == [False, True, False]
        assert mix.n_samples == samples.shape[1]
