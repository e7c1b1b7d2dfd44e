"""A library of real clips: analysis, similarity, search, interruptions, several processes."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile

import celesta
from celesta.errors import CelestaError, LibraryError, UsageError
from celesta.library.analysis import analyser
from celesta.library.block_table import BLOCKS, references
from celesta.library.search import parse_key, parse_range, parse_text

CLIPS = sorted((Path(celesta.__file__).parent / "clips").glob("*.ogg"))
ADD = """
import sys, celesta
celesta.Library(sys.argv[1]).add(sys.argv[2], workers=int(sys.argv[3]))
assert "torch" not in sys.modules
"""


def cut(clip: Path, target: Path, start: float = 0.0, seconds: float = 4.0, gain: float = 1.0) -> Path:
    samples, rate = soundfile.read(clip, start=round(start * 44_100), frames=round(seconds * 44_100))
    soundfile.write(target, gain * samples, rate)
    return target


def tag(path: Path, **tags: str) -> None:
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    for name, text in tags.items():
        file[name] = text
    file.save()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``music`` and its library ``made.db``."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "music").mkdir()
    for i, clip in enumerate(CLIPS):
        song = cut(clip, folder / "music" / f"{clip.stem}.flac")
        tag(song, title=clip.stem.title(), artist=f"Artist {i % 2}", date=f"{1990 + i}-05")
    with celesta.Library(folder / "made.db") as library:
        result = library.add(folder / "music", workers=1)
    assert (result.scan.new, result.analysis.analysed, result.analysis.failed) == (5, 5, 0)
    return folder


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Iterator[celesta.Library]:
    shutil.copy(made / "made.db", tmp_path / "library.db")
    with celesta.Library(tmp_path / "library.db") as opened:
        yield opened


def test_everything_is_stored(library: celesta.Library, made: Path) -> None:
    status = library.status()
    assert (status.songs, status.analysed, status.waiting, status.errors) == (5, 5, 0, 0)
    assert status.hours == pytest.approx(20 / 3600, abs=1e-3)
    (house,) = library.search("house")
    assert house.path == made / "music" / "house.flac"
    assert house.values["tempo"] == pytest.approx(122, abs=3)
    assert house.values["year"] == 1991
    assert house.name == "Artist 1 - House"
    assert json.dumps(house.to_dict())
    assert library.check() == "ok"


def test_blocks_and_their_references_have_one_size(library: celesta.Library) -> None:
    rows = sqlite3.connect(library.path).execute("SELECT name, size, length(data) FROM vectors").fetchall()
    sizes = {name: len(one.mean) for name, one in references().items()}
    assert {name for name, *_ in rows} == set(sizes) == set(BLOCKS)
    assert all(size == sizes[name] and length == 2 * size for name, size, length in rows)


def test_blocks_are_the_named_columns(made: Path) -> None:
    """The columns by which songs are compared hold what their names say, whatever the order of the fused features."""
    from celesta.features import extract
    from celesta.features.rhythm import NAMES
    from celesta.library.analysis import Analyser

    song = made / "music" / "rock.flac"
    record = Analyser().analyse(song)
    features = extract([song], ["celesta-features"])
    taggers = [features.part(name, "penultimate.mean")[0] for name in ("musicnn-msd", "musicnn-mtt")]
    np.testing.assert_allclose(record.blocks["style"], np.concatenate(taggers), rtol=1e-4, atol=1e-5)
    rhythm = dict(zip(NAMES, features["rhythm"][0], strict=True))
    names = ("loudness", "loudness_range", "crest", "dynamic_complexity")
    np.testing.assert_allclose(record.blocks["loudness"], [rhythm[n] for n in names], rtol=1e-4)
    assert record.values["tempo"] == pytest.approx(2 ** rhythm["tempo_log2"], rel=1e-4)
    assert len(record.blocks["timbre"]) == 63


def test_only_what_a_query_needs_is_analysed(made: Path) -> None:
    """A stretch is analysed as if it were cut out; without the taggers the other blocks are the same."""
    song = made / "music" / "rock.flac"
    x = celesta.read(song)
    part = analyser().analyse(song, 1.0, 3.0)
    alone = analyser().analyse(celesta.Audio(x.samples[:, x.sample_rate : 3 * x.sample_rate], x.sample_rate))
    assert part.duration == alone.duration == 2
    assert part.facts == alone.facts
    few = analyser().analyse(song, 1.0, 3.0, ["tempo", "timbre"])
    assert set(few.blocks) == set(BLOCKS) - {"style", "mood"}
    assert not few.labels
    for name, block in part.blocks.items():
        np.testing.assert_array_equal(block, alone.blocks[name])
        np.testing.assert_array_equal(block, few.blocks.get(name, block))


def test_a_copy_in_another_encoding_is_the_nearest(library: celesta.Library, tmp_path: Path) -> None:
    for clip in CLIPS:
        copy = cut(clip, tmp_path / f"{clip.stem}.mp3", start=0.3, gain=0.5)
        first = library.similar(copy, n=1)[0]
        assert first.song.path.stem == clip.stem
        assert first.reasons


def test_similar_by_stretch_seeds_and_blocks(
    library: celesta.Library, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = made / "music"
    found = library.similar(music / "rock.flac", n=9)
    assert len(found) == 4
    assert all(one.song.path != music / "rock.flac" for one in found)
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    stretch = library.similar(music / "rock.flac", start=1.0, stop=3.5, n=1)
    assert stretch[0].song.path != music / "rock.flac"
    song = Path(shutil.copy(music / "rock.flac", tmp_path / "rock.flac"))
    asked = library.similar(song, start=1.0, stop=3.5, n=1)
    assert asked[0].similarity == stretch[0].similarity
    with monkeypatch.context() as patch:
        patch.delattr("celesta.library.asked.analyser")
        assert [one.to_dict() for one in library.similar(song, start=1.0, stop=3.5, n=1)] == [asked[0].to_dict()]
        with pytest.raises(NameError):
            library.similar(song, start=1.0, stop=3.6)
        os.utime(song, (1, 1))
        with pytest.raises(NameError):
            library.similar(song, start=1.0, stop=3.5)
    assert library.similar(music / "rock.flac", start=1.0, by="tempo,timbre", n=1)[0].reasons
    both = library.similar(music / "rock.flac", music / "reggae.flac", n=9)
    assert len(both) == 3
    less = library.similar(music / "rock.flac", less=[music / "reggae.flac"], n=9)
    assert len(less) == 3
    assert library.similar(music / "rock.flac", by={"tempo": 1.0}, n=1)
    with pytest.raises(UsageError, match="no such block"):
        library.similar(music / "rock.flac", by="colour")
    with pytest.raises(UsageError, match="exactly one song"):
        library.similar(music / "rock.flac", music / "reggae.flac", start=1.0)
    with pytest.raises(CelestaError, match="shorter than a second"):
        library.similar(music / "rock.flac", start=3.5)


def test_search_combines_words_and_measures(library: celesta.Library) -> None:
    assert [song.path.stem for song in library.search('"artist 0" -rock')] == ["ambient", "orchestral"]
    assert {song.path.stem for song in library.search("techno")} >= {"house"}
    assert library.search("zzz") == []
    techno = {song.id for song in library.search("techno")}
    assert {song.id for song in library.search("-techno")} == {song.id for song in library.search()} - techno
    assert [song.path.stem for song in library.search(year="1993..", tempo=(1, 300))] == ["reggae", "rock"]
    house = library.search("house")[0]
    assert house.id in {song.id for song in library.search(key=house.key)}
    assert {song.label("mood") for song in library.search(mood="calm")} <= {"calm"}
    assert len(library.search(n=2)) == 2
    assert library.search("'; DROP TABLE files; -- \" OR *") == []
    assert len(library.search()) == 5


@pytest.mark.parametrize(
    ("text", "key"), [("Am", (9, 0)), ("C", (0, 1)), ("F#m", (6, 0)), ("Eb", (3, 1)), ("Bb minor", (10, 0))]
)
def test_keys(text: str, key: tuple[int, int]) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize(("text", "name"), [("x", "tempo"), ("", "year"), ("9..1", "tempo"), ("nan", "loudness")])
def test_ranges_that_are_none(text: str, name: str) -> None:
    with pytest.raises(UsageError):
        parse_range(text, name)


def test_words_that_are_a_label_together_are_one_term() -> None:
    terms = parse_text('Female vocals -"no drums" piano', ["female vocals"])
    assert [(term.text, term.excluded) for term in terms] == [
        ("female vocals", False), ("no drums", True), ("piano", False)
    ]  # fmt: skip


def test_moved_and_tagged_songs_are_not_analysed_again(library: celesta.Library, made: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(made / "music", tmp_path / "moved"))
    for name in ("rock", "house"):
        tag(moved / f"{name}.flac", title="Another", artist="Someone new")
    (moved / "ambient.flac").rename(moved / "x.flac")
    result = library.add(moved)
    assert (result.scan.new, result.scan.attached, result.analysis.analysed) == (0, 5, 0)
    assert len(library.search("someone new")) == 2
    assert library.search("orchestral")[0].path == moved / "orchestral.flac"


def test_a_file_that_cannot_be_analysed_is_listed_and_not_tried_again(library: celesta.Library, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "text.mp3").write_text("no audio\n" * 500)
    soundfile.write(folder / "silent.wav", np.zeros(44_100 * 2), 44_100)
    assert library.add(folder, workers=1).analysis.failed == 2
    assert {(one.path.name, one.stage) for one in library.errors()} == {
        ("text.mp3", "analysis"), ("silent.wav", "analysis")
    }  # fmt: skip
    again = library.update(workers=1)
    assert (again.analysis.failed, again.analysis.analysed) == (0, 0)
    assert library.update(workers=1, retry=True).analysis.failed == 2
    cut(CLIPS[0], folder / "text.wav", start=5)
    (folder / "text.mp3").unlink()
    assert library.update(workers=1).analysis.analysed == 1
    assert {one.path.name for one in library.errors()} >= {"silent.wav"}


def test_hostile_tags_and_names_are_harmless(library: celesta.Library, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    names = [b"#first.flac", b"new\nline.flac", b"b\xe9.flac", b"<b>&'\";.flac", b"  spaces .flac", b"a:b%.flac"]
    for i, name in enumerate(names):
        song = cut(CLIPS[0], tmp_path / "plain.flac", start=i, seconds=1.5)
        tag(
            song,
            title="<script>alert(1)</script>\n#EXTINF\0",
            artist="x'); DROP TABLE files; --",
            comment="é" * (5_000_000 if i == 0 else 1_000),
        )
        shutil.copy(song, os.fsencode(folder) + b"/" + name)
    assert library.add(folder, workers=1).analysis.analysed == len(names)
    songs = library.search("drop")
    assert len(songs) == len(names)
    assert all(len(song.tags["comment"]) <= 1_000 for song in songs)
    assert all(word not in json.dumps([song.to_dict() for song in songs]) for word in ("\\u0000", "\\udce9"))
    for suffix in (".m3u8", ".xspf", ".json"):
        target = celesta.library.write_playlist(songs, tmp_path / f"list{suffix}")
        places = _places(target)
        assert {os.path.realpath(place) for place in places} == {
            os.path.realpath(os.fsencode(folder) + b"/" + name) for name in names
        }
    assert "<script>" not in (tmp_path / "list.xspf").read_text(encoding="utf-8")


def _places(playlist: Path) -> list[bytes]:
    """Paths that a player would open."""
    from urllib.parse import unquote_to_bytes
    from xml.etree import ElementTree

    text = playlist.read_text(encoding="utf-8")
    if playlist.suffix == ".m3u8":
        found = [line for line in text.split("\n") if line and not line.startswith("#")]
        uris = [line if line.startswith("file://") else None for line in found]
        plain = [os.fsencode(line) for line in found]
        places = [unquote_to_bytes(uri[7:]) if uri else one for uri, one in zip(uris, plain, strict=True)]
    else:
        if playlist.suffix == ".json":
            uris = [row["uri"] for row in json.loads(text)["songs"]]
        else:
            uris = [one.text or "" for one in ElementTree.fromstring(text).iter("{http://xspf.org/ns/0/}location")]
        places = [unquote_to_bytes(uri.removeprefix("file://")) for uri in uris]
    return [os.path.join(os.fsencode(playlist.parent), place) for place in places]


def test_playlists(library: celesta.Library, made: Path, tmp_path: Path) -> None:
    music = made / "music"
    way = library.playlist(start=music / "house.flac", end=music / "orchestral.flac", n=4)
    assert (way[0].path.stem, way[-1].path.stem, len({song.id for song in way})) == ("house", "orchestral", len(way))
    assert all(a.artist != b.artist for a, b in itertools.pairwise(way))
    listed = library.playlist(music / "rock.flac", minutes=0.2)
    assert listed[0].path == music / "rock.flac"
    assert 2 <= len(listed) <= 4
    with pytest.raises(UsageError, match="both --from and --to"):
        library.playlist(start=music / "house.flac")
    with pytest.raises(LibraryError, match="is not in the library; add it with"):
        library.playlist(cut(CLIPS[0], tmp_path / "other.wav", start=7))
    with pytest.raises(UsageError, match="a playlist ends in"):
        celesta.library.write_playlist(way, tmp_path / "list.txt")


def test_missing_songs_are_remembered_and_pruned_on_demand(tmp_path: Path, made: Path) -> None:
    music = Path(shutil.copytree(made / "music", tmp_path / "music"))
    shutil.copy(made / "made.db", tmp_path / "library.db")
    with celesta.Library(tmp_path / "library.db") as library:
        library.add(music)
        shutil.move(made / "music" / "rock.flac", made / "rock.flac")
        (music / "rock.flac").rename(tmp_path / "rock.flac")
        try:
            assert library.update().scan.missing == 2
            assert (library.status().songs, library.status().missing) == (4, 1)
            assert library.search("rock") == []
            assert all(one.song.path.stem != "rock" for one in library.similar(music / "house.flac"))
            assert library.add(tmp_path / "rock.flac").analysis.analysed == 0
            assert len(library.search("rock")) == 1
            (tmp_path / "rock.flac").rename(tmp_path / "gone")
            library.update()
            assert library.prune() == 1
            assert library.status().missing == 0
        finally:
            shutil.move(made / "rock.flac", made / "music" / "rock.flac")


def run_add(database: Path, folder: Path, workers: int = 1) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", ADD, str(database), str(folder), str(workers)], start_new_session=True
    )


def short_songs(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        cut(CLIPS[i % len(CLIPS)], folder / f"{i}.wav", start=i, seconds=1.2)
    return folder


def check_whole(database: Path, count: int) -> None:
    with celesta.Library(database) as library:
        assert library.check() == "ok"
        status = library.status()
        assert (status.songs, status.analysed, status.files, status.errors) == (count, count, count, 0)
    rows = sqlite3.connect(database).execute("SELECT recording, count(*) FROM vectors GROUP BY recording").fetchall()
    assert [number for _, number in rows] == [len(BLOCKS)] * count


def test_two_processes_give_one_row_a_song(tmp_path: Path) -> None:
    folder = short_songs(tmp_path / "music", 8)
    database = tmp_path / "library.db"
    both = [run_add(database, folder) for _ in range(2)]
    assert [one.wait(300) for one in both] == [0, 0]
    with celesta.Library(database) as library:
        library.add(folder, workers=1)  # what one had claimed when the other one looked
    check_whole(database, 8)


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    folder = short_songs(tmp_path / "music", 8)
    database = tmp_path / "library.db"
    rng = random.Random(5)
    before = 0
    for kill in range(3):
        process = run_add(database, folder)
        until = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < until and _analysed(database) < before + (kill > 0):
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert _analysed(database) >= before
        before = _analysed(database)
    with celesta.Library(database) as library:
        result = library.add(folder, workers=1)
    assert result.analysis.analysed == 8 - before
    check_whole(database, 8)


def _analysed(database: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        return int(connection.execute("SELECT count(*) FROM recordings WHERE analysed IS NOT NULL").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the worker by /proc")
def test_a_lost_worker_loses_no_song(tmp_path: Path) -> None:
    folder = short_songs(tmp_path / "music", 8)
    database = tmp_path / "library.db"
    process = run_add(database, folder, workers=2)
    while process.poll() is None and _analysed(database) < 1:
        time.sleep(0.05)
    workers = _workers(process.pid)
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    assert process.wait(300) == 0
    check_whole(database, 8)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers by /proc")
def test_workers_end_with_a_process_that_was_killed(tmp_path: Path) -> None:
    folder = short_songs(tmp_path / "music", 8)
    process = run_add(tmp_path / "library.db", folder, workers=2)
    while process.poll() is None and _analysed(tmp_path / "library.db") < 1:
        time.sleep(0.05)
    workers = _workers(process.pid)
    process.kill()
    process.wait()
    until = time.monotonic() + 60
    while any(_parent(Path(f"/proc/{pid}/stat")) for pid in workers) and time.monotonic() < until:
        time.sleep(0.2)
    assert len(workers) == 2
    assert not any(_parent(Path(f"/proc/{pid}/stat")) for pid in workers)


def _workers(parent: int) -> list[int]:
    return [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if _parent(stat) == parent and b"loky.backend.popen_loky" in (stat.parent / "cmdline").read_bytes()
    ]


def _parent(stat: Path) -> int:
    try:
        state, parent, *_ = stat.read_text().rpartition(")")[2].split()
        return 0 if state == "Z" else int(parent)
    except OSError:
        return 0
