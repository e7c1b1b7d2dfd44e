"""The page of predictions: every song is found, named, described and played, also where much is missing."""

import os
import re

import numpy as np
import pytest

from celesta.audio import Audio, write
from celesta.predict.song import SongPrediction, Status
from celesta.report.predictions import write_page

GENRES, MOODS, TAGS = ("blues", "rock"), ("happy", "angry", "sad", "calm"), ("guitar", "slow", "<b>", "loud")


def song(path, stretches=3, seed=0):
    rng = np.random.default_rng(seed)
    rows = {
        "genre": rng.dirichlet(np.ones(2), stretches),
        "mood": np.tile([0.1, 0.1, 0.1, 0.7], (stretches, 1)),
        "tags": rng.random((stretches, 4)) * 0.5 + 0.5,
    }
    whole = {name: values.mean(0) for name, values in rows.items()}
    classes = {"genre": GENRES, "mood": MOODS, "tags": TAGS}
    return SongPrediction(
        path,
        duration=10.0 * stretches,
        classes=classes,
        probabilities=whole,
        times=np.arange(stretches) * 10.0,
        over_time=rows,
    )


@pytest.fixture
def folder(tmp_path, music):
    write(tmp_path / "a.wav", Audio(music(8_000), 8_000))
    return tmp_path


def test_an_overview_in_words_and_a_player_for_each_song(folder):
    """Issue 14, item 26: the page had no overview table and no player, and said Q4 instead of calm."""
    hostile = folder / os.fsdecode(b"\xe9<b>\x1b.wav")
    (folder / "a.wav").rename(hostile)
    page = write_page([song(hostile), song(hostile, seed=1)], folder / "out" / "p.html")
    text = page.read_text(encoding="utf-8")
    assert "calm 70%" in text
    assert "Q4" not in text
    assert "valence +0.60, arousal -0.60" in text
    links = re.findall(r'<audio[^>]* preload="none" src="([^"]*)"', text)
    assert links == ["../%E9%3Cb%3E%1B.wav"] * 2
    assert r"\xe9&lt;b&gt;\x1b.wav" in text
    assert text.count('href="#song-1"') == 2  # the table and the plane of moods
    assert text.count('id="song-1"') == 1


def test_songs_without_predictions_are_named_with_the_reason(folder):
    silent = SongPrediction(folder / "a.wav", Status.NOTHING, "it is silent", 1.0)
    absent = SongPrediction(folder / "none.wav", Status.FAILED, "no such file")
    text = write_page([silent, absent, song(folder / "a.wav")], folder / "p.html").read_text(encoding="utf-8")
    for reason in ("nothing to analyse: it is silent", "failed: no such file"):
        assert reason in text
    assert text.count('<details class="song"') == 3


def test_one_song_stands_open_without_an_overview(folder):
    one = song(folder / "a.wav", stretches=1)
    text = write_page([one], folder / "p.html").read_text(encoding="utf-8")
    assert re.search(r'<details class="song" id="song-1" open>', text)
    assert "<table" not in text


def test_a_silent_stretch_is_a_gap(folder):
    one = song(folder / "a.wav", stretches=4)
    one.over_time["genre"][1] = np.nan
    text = write_page([one], folder / "p.html").read_text(encoding="utf-8")
    drawn = re.search(r'<path class="line0" d="([^"]*)"', text)[1]
    assert drawn.count("M") == 2
    assert "nan" not in drawn


def test_hundreds_of_songs_make_a_page_of_a_few_megabytes(folder):
    page = write_page([song(folder / "a.wav", 24, i) for i in range(290)], folder / "p.html")
    assert page.stat().st_size < 4e6
    assert "<nav" not in page.read_text(encoding="utf-8")


def test_songs_read_from_results_show_the_same(folder):
    """What a page writes of songs that were read again from JSON lines: valence and arousal were missing."""
    fresh = song(folder / "a.wav")
    again = SongPrediction.from_dict(fresh.to_dict())
    pages = [write_page([one], folder / "p.html").read_text(encoding="utf-8") for one in (fresh, again)]
    assert all("valence +0.60, arousal -0.60" in page for page in pages)
