"""Parts of songs: which part is most like a query, and queries by a part."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import celesta
from celesta.library.analysis import SongRecord
from celesta.library.block_table import SIZES, analysis_version
from celesta.library.neighbours import DEFAULT_WEIGHTS, Seed, SongSpace, find_similar
from celesta.library.segments import read_segments, spans
from celesta.library.space import Weights

CLIPS = Path(celesta.__file__).parent / "clips"
RATE = 44_100


def repeated(name: str, seconds: float) -> np.ndarray:
    samples, _ = soundfile.read(CLIPS / f"{name}.ogg", frames=7 * RATE, always_2d=True)
    return np.resize(samples.mean(axis=1), round(seconds * RATE))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of a song whose first half is rock and whose second half is ambient, and of two songs of one kind."""
    folder = tmp_path_factory.mktemp("segments")
    (folder / "music").mkdir()
    both = np.concatenate([repeated("rock", 15), repeated("ambient", 15)])
    for name, samples in {"both": both, "house": repeated("house", 16), "copy": both[: 15 * RATE]}.items():
        soundfile.write(folder / "music" / f"{name}.flac", samples, RATE)
    with celesta.Library(folder / "library.db") as library:
        assert library.add(folder / "music", workers=1).analysis.analysed == 3
    return folder


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Iterator[celesta.Library]:
    shutil.copy(made / "library.db", tmp_path / "library.db")
    with celesta.Library(tmp_path / "library.db") as opened:
        yield opened


@pytest.mark.parametrize("duration", [1.0, 15.0, 22.4, 22.6, 30.0, 37.4, 3600.0])
def test_spans_cover_the_song(duration: float) -> None:
    found = spans(duration)
    assert found[0][0] == 0
    assert found[-1][1] is None
    assert all(stop == following[0] for (_, stop), following in itertools.pairwise(found))
    assert len(found) == 1 or 7.5 <= duration - found[-1][0] <= 22.5


def test_the_part_that_is_most_like_the_query_is_named(library: celesta.Library, tmp_path: Path) -> None:
    for name, part in {"rock": (0.0, 15.0), "ambient": (15.0, 30.0)}.items():
        query = tmp_path / f"{name}.wav"
        soundfile.write(query, 0.8 * repeated(name, 15.3)[-14 * RATE :], RATE)
        found = {one.song.path.stem: one for one in library.similar(query)}
        assert found["both"].part == pytest.approx(part)
        assert found["house"].part is None
        assert found["both"].to_dict()["part"] == pytest.approx(list(part))


def test_a_stretch_finds_songs_by_their_parts(library: celesta.Library, made: Path) -> None:
    song = made / "music" / "both.flac"
    by_rock = library.similar(song, start=1, stop=14)
    assert [one.song.path.stem for one in by_rock] == ["copy", "house"]
    assert by_rock[0].similarity > by_rock[1].similarity
    with pytest.raises(celesta.CelestaError, match="exactly one song"):
        library.similar(song, song, start=1)


def test_more_and_less_move_the_answer(library: celesta.Library, made: Path, tmp_path: Path) -> None:
    music = made / "music"
    query = tmp_path / "query.wav"
    soundfile.write(query, repeated("reggae", 8), RATE)
    plain = {one.song.path.stem: one.similarity for one in library.similar(query)}
    less = [one.song.path.stem for one in library.similar(query, less=[music / "copy.flac"])]
    assert "copy" not in less
    more = library.similar(query, more=[music / "house.flac"])
    assert all(0 <= one.similarity <= 1 for one in more)
    assert {one.song.path.stem for one in more} == set(plain) - {"house"}


def test_copies_do_not_come_together_in_a_playlist(library: celesta.Library, made: Path) -> None:
    music = made / "music"
    made_list = library.playlist(music / "copy.flac", n=3)
    assert made_list[0].path.stem == "copy"
    assert len({song.id for song in made_list}) == len(made_list)
    assert made_list.notes
    long = library.playlist(music / "house.flac", minutes=30)
    assert any("instead of 30:00" in note for note in long.notes)


def test_positions_are_stored(library: celesta.Library) -> None:
    first = library.map()
    second = library.map()
    assert (first.new, second.new) == (3, 0)
    np.testing.assert_array_equal(first.xy, second.xy)
    assert library.map(refit=True).new == 3


def test_the_part_is_chosen_by_timbre_as_much_as_by_style(library: celesta.Library) -> None:
    """The query has the timbre of the first segment of a song, and a style that is nearer to the second."""
    known = SongSpace(library._store)
    [song] = (one for one in library.search() if one.path.stem == "both")
    first, second = read_segments(library._store, [song.id], analysis_version(library.licence))[song.id]
    ends = np.cumsum(list(SIZES.values()))[:-1]
    blocks, other = (dict(zip(SIZES, np.split(row, ends), strict=True)) for row in (first, second))
    blocks["style"] = 0.4 * blocks["style"] + 0.6 * other["style"]
    record = SongRecord(15.0, blocks, {}, {}, np.zeros(0, np.uint32), np.zeros((0, len(first)), np.float32))
    parts = {}
    for name, weights in {"default": DEFAULT_WEIGHTS, "style": Weights({"style": 1.0})}.items():
        found = find_similar(library._store, known, [Seed(record.facts, record=record)], weights, 3)
        parts[name] = {one.song.path.stem: one.part for one in found}["both"]
    assert parts == {"default": (0.0, 15.0), "style": (15.0, 30.0)}
