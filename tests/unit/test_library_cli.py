"""The verbs of a library: what they print, in text and in JSON, and their exit codes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

import celesta
from celesta.cli.main import app

CLIPS = Path(celesta.__file__).parent / "clips"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with music, one file that is none, and its library ``music.db``."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "music").mkdir()
    for name in ("house", "rock", "ambient"):
        samples, rate = soundfile.read(CLIPS / f"{name}.ogg", frames=7 * 44_100)
        soundfile.write(folder / "music" / f"{name}.flac", samples, rate)
    samples, rate = soundfile.read(folder / "music" / "rock.flac")
    soundfile.write(folder / "music" / "copy.mp3", 0.7 * samples, rate)
    (folder / "music" / "bad.mp3").write_text("text")
    return folder


def run(made: Path, *words: object, code: int = 0) -> tuple[str, str]:
    """Run the command with the library; return what it wrote to stdout and stderr."""
    result = CliRunner().invoke(app, [str(word) for word in words], env={"CELESTA_LIBRARY": str(made / "music.db")})
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


@pytest.fixture(scope="module")
def added(made: Path) -> Path:
    out, err = run(made, "library", "add", made / "music", "--workers", "1", code=1)
    assert out.splitlines() == [
        "files: 5 new, 0 moved, 0 tagged or copied, 0 unchanged, 0 missing", "songs: 4 analysed, 0:28 of music"
    ]  # fmt: skip
    assert "not analysed: 1; list them with: celesta library errors\n" in err
    return made


def test_status_errors_and_update(added: Path) -> None:
    status = json.loads(run(added, "library", "status", "--json")[0])
    assert [status[name] for name in ("songs", "analysed", "waiting", "failed", "errors")] == [4, 4, 0, 1, 1]
    assert re.search(r"^analysed +4, ", run(added, "library", "status")[0], re.M)
    assert run(added, "library", "errors")[0].startswith(f"{added / 'music' / 'bad.mp3'}: analysis: is not an audio")
    assert json.loads(run(added, "library", "errors", "--json")[0])[0]["stage"] == "analysis"
    shown = run(added, "library", "status")[0]
    assert re.search(r"^songs +4$", shown, re.M)
    assert "failed    1, see celesta library errors" in shown
    out, err = run(added, "library", "update", code=1)
    assert "5 unchanged" in out
    assert "still not analysed: 1" in err


def test_what_holds_no_audio_is_not_registered(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "z.cel").write_bytes(b"")
    said = f"celesta: {tmp_path / 'empty'}: there are no audio files in this folder\n"
    assert run(tmp_path, "library", "add", tmp_path / "empty", code=1) == ("", said)
    both = run(tmp_path, "library", "add", tmp_path / "empty", tmp_path / "z.cel", code=1)[1]
    assert said in both
    assert "z.cel: is a latent; add the song that it was made from\n" in both
    assert "celesta: nosuch: no such file or folder; check" in run(tmp_path, "library", "add", "nosuch", code=1)[1]
    assert json.loads(run(tmp_path, "library", "status", "--json")[0])["folders"] == []


def test_similar(added: Path) -> None:
    rock = added / "music" / "rock.flac"
    first = run(added, "similar", rock)[0].splitlines()[0]
    similarity, path = first.split("  ")
    assert path.startswith(f"{added / 'music' / 'copy.mp3'} (")
    assert 0.5 < float(similarity) <= 1
    found = json.loads(run(added, "similar", rock, "--from", "0:01", "--to", "6", "-n", "2", "--json")[0])
    assert len(found) == 2
    assert found[0]["reasons"]
    assert f"{added / 'music'}: is a folder; name a song" in run(added, "similar", added / "music", code=1)[1]
    assert "'x' is not a time" in run(added, "similar", rock, "--from", "x", code=2)[1]
    assert "must end after it begins" in run(added, "similar", rock, "--from", "3", "--to", "2", code=2)[1]
    assert "holds no audio at 9.0 s" in run(added, "similar", rock, "--from", "9", code=1)[1]
    assert "no such block" in run(added, "similar", rock, "--by", "colour", code=2)[1]
    assert "such block; did you mean timbre?" in run(added, "similar", rock, "--by", "timber", code=2)[1]
    assert "requires an argument; see celesta similar --help" in run(added, "similar", rock, "--by", code=2)[1]


def test_search(added: Path) -> None:
    assert "house.flac (0:07, 1" in run(added, "search", "house")[0]
    assert len(json.loads(run(added, "search", "--tempo", "40..240", "-n", "2", "--json")[0])) == 2
    assert run(added, "search", "xyz")[1] == "nothing found\n"
    assert "not a key" in run(added, "search", "--key", "H", code=2)[1]
    said = "nothing found: no song of the library has Metal as its most probable genre\n"
    assert run(added, "search", "--genre", "Metal", "--mood", "calm")[1] == said
    assert json.loads(run(added, "search", "--genre", "metal", "--json")[0]) == []
    assert "unknown genre 'x'; choose one of blues, classical, " in run(added, "search", "--genre", "x", code=2)[1]
    assert "unknown genre 'hip'; did you mean hiphop?\n" in run(added, "search", "--genre", "hip", code=2)[1]
    assert "unknown mood 'clam'; did you mean calm?\n" in run(added, "search", "--mood", "clam", code=2)[1]


def test_playlist(added: Path, tmp_path: Path) -> None:
    music = added / "music"
    target = music / "mix.m3u8"
    words = ("playlist", "--from", music / "house.flac", "--to", music / "ambient.flac", "-n", "3", "-o", target)
    assert len(run(added, *words)[0].splitlines()) == 3
    assert target.read_text().splitlines()[2] == "house.flac"
    assert "exists already" in run(added, *words, code=2)[1]
    run(added, *words, "--force", "--absolute")
    assert target.read_text().splitlines()[2] == str(music / "house.flac")
    assert len(json.loads(run(added, "playlist", "--seed", music / "rock.flac", "-n", "2", "--json")[0])) == 2
    assert "nix.mp3: there is no such file, and no such song" in run(added, "playlist", "--seed", "nix.mp3", code=1)[1]
    said = run(added, "playlist", "--seed", CLIPS / "reggae.ogg", code=1)[1]
    assert f"is not in the library; add it with: celesta library add {CLIPS / 'reggae.ogg'}\n" in said
    assert "failed: celesta library errors" in run(added, "playlist", "--seed", music / "bad.mp3", code=1)[1]
    latent = tmp_path / "z.cel"
    latent.write_bytes(b"")
    assert f"{latent}: is a latent; give the song" in run(added, "playlist", "--seed", latent, code=1)[1]
    assert f"decode it first: celesta decode {latent}; or" in run(added, "similar", latent, code=1)[1]
    assert "is a folder; name a song" in run(added, "playlist", "--seed", music, code=1)[1]


def test_duplicates_and_backup(added: Path, tmp_path: Path) -> None:
    lines = run(added, "duplicates")[0].splitlines()
    assert lines[0] == "group 1"
    assert {Path(line.split(" (")[0].strip()).name for line in lines[1:]} == {"rock.flac", "copy.mp3"}
    page = tmp_path / "page.html"
    found = json.loads(run(added, "duplicates", "--json", "--report", page)[0])
    assert found["pairs"][0]["share"] > 0.9
    assert found["report"] == str(page)
    assert "copy.mp3" in page.read_text(encoding="utf-8")
    assert "exists already" in run(added, "duplicates", "--report", page, code=2)[1]
    copy = tmp_path / "copy.db"
    assert run(added, "library", "backup", copy)[0] == f"backup: {copy}\n"
    assert f"{copy}: exists already; choose another name" in run(added, "library", "backup", copy, code=2)[1]
    shutil.copy(copy, tmp_path / "other.db")
    status = json.loads(run(added, "library", "status", "--json", "--library", tmp_path / "other.db")[0])
    assert status["songs"] == 4


def test_pruning_asks(added: Path, tmp_path: Path) -> None:
    song = added / "music" / "more.wav"
    shutil.copy(CLIPS / "reggae.ogg", song)
    run(added, "library", "add", song, "--workers", "1")
    song.unlink()
    environment = {"CELESTA_LIBRARY": str(added / "music.db")}
    for answer, missing in (("n\n", 1), ("y\n", 0)):
        result = CliRunner().invoke(app, ["library", "update", "--prune"], input=answer, env=environment)
        assert "have vanished: 1. Forget them?" in result.stderr
        assert json.loads(run(added, "library", "status", "--json")[0])["missing"] == missing


def test_without_a_library_each_verb_says_so(tmp_path: Path) -> None:
    for words in (("similar", "a.mp3"), ("search", "x"), ("duplicates",), ("library", "status")):
        assert "make it with: celesta library add FOLDER\n" in run(tmp_path, *words, code=1)[1]
        other = run(tmp_path, *words, "--library", tmp_path / "my nix.db", code=1)[1]
        assert f"make it with: celesta library add FOLDER --library '{tmp_path / 'my nix.db'}'\n" in other
    assert "needs both --from and --to" in run(tmp_path, "playlist", code=2)[1]


def test_a_word_that_is_excluded_is_no_option(added: Path) -> None:
    """``search "-word"`` was taken for an option."""
    assert "house.flac" in run(added, "search", "house", "-piano")[0] + run(added, "search", "-n", "9", "-xyzzy")[0]
    assert "house.flac" not in run(added, "search", "-house", "-n", "5")[0]
    assert "no such option" in run(added, "search", "--house", code=2)[1]


def test_a_playlist_says_where_it_is_not_as_asked(added: Path) -> None:
    """Fewer songs, another length and unknown artists went unsaid."""
    seed = ("playlist", "--seed", added / "music" / "rock.flac")
    songs, said = run(added, *seed, "-n", "30")
    assert f"{len(songs.splitlines())} songs instead of 30: the library has no more songs that fit" in said
    assert "instead of 5:00: the library has no more" in run(added, *seed, "--minutes", "5")[1]
    said = run(added, *seed, "-n", "30", "--no-repeat-artist")[1]
    assert "instead of 30: the library has no more songs that fit" in said  # not because of artists: there are none
    assert "have no artist tag" in said
    assert "instead of" not in run(added, *seed, "-n", "2")[1]


def test_a_playlist_never_holds_two_copies_of_a_recording(added: Path) -> None:
    """``copy.mp3`` is ``rock.flac`` at another level; the nearest songs of a seed were both of them."""
    music = added / "music"
    for seed in ("house.flac", "rock.flac", "copy.mp3"):
        songs, said = run(added, "playlist", "--seed", music / seed, "-n", "4")
        names = [Path(line).name for line in songs.splitlines()]
        assert names[0] == seed
        assert len({"rock.flac", "copy.mp3"} & set(names)) == 1
        assert len(names) == 3
        assert "1 left out that is a copy of others" in said
    both = run(added, "playlist", "--seed", music / "rock.flac", "--seed", music / "copy.mp3", "-n", "2")[0]
    assert len(both.splitlines()) == 2  # who names both gets both
    path = run(added, "playlist", "--from", music / "house.flac", "--to", music / "copy.mp3", "-n", "4")[0]
    assert [Path(line).name for line in path.splitlines()] == ["house.flac", "ambient.flac", "copy.mp3"]
