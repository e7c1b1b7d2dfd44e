"""`celesta vary`, `morph` and `style` as commands: operations on files, recipes, the same bytes again, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import celesta
from celesta.cli.main import app
from celesta.cli.options import DEFAULT_MODEL
from celesta.report.demo import CLIPS
from celesta.variations import VARIATIONS

SECONDS = 1.6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song and another one, as audio and as .cel files."""
    made = tmp_path_factory.mktemp("songs")
    codec = celesta.load(DEFAULT_MODEL)
    for name in ("rock", "house"):
        x = celesta.read(CLIPS / f"{name}.ogg", duration=SECONDS, start=2, mono=True)
        celesta.write(made / f"{name}.wav", x.samples, x.sample_rate)
        codec.encode(made / f"{name}.wav").save(made / f"{name}.cel")
    return made


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def facts(*words: object) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return made


def options(name: str) -> list[str]:
    """Return the options of the example in the help of a verb."""
    variation = VARIATIONS[name]
    if variation.stretch:
        return ["--from", "0.2", "--to", "0.7", *(["--times", "3"] if name == "repeat" else [])]
    first = variation.parameters[0]
    return [] if first.default is not None else [f"--{first.name}", f"{variation.example:g}"]


@pytest.mark.parametrize("name", VARIATIONS)
def test_each_variation_is_a_verb(folder: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "made.cel"
    about = facts("vary", name, folder / "rock.cel", *options(name), "-o", target)
    assert about["step"][-1]["name"] == name
    made, plain = celesta.Latent.load(target), celesta.Latent.load(folder / "rock.cel")
    assert np.isfinite(made.values).all()
    wanted = {"crop": 0.5, "repeat": SECONDS + 1.0, "loop": 4 * SECONDS, "stretch": 1.25 * SECONDS}.get(name, SECONDS)
    assert made.duration == pytest.approx(wanted, abs=0.4 if name in ("loop", "repeat") else 0.1)
    if name not in ("width", "smooth"):  # a mono song has no width; its coded base stays where it is quantised
        assert made.values.shape != plain.values.shape or not np.array_equal(made.values, plain.values)
    if name == "noise":
        first = target.read_bytes()
        run("vary", name, folder / "rock.cel", *options(name), "-o", target, "--force")
        assert target.read_bytes() == first


def test_the_side_file_is_a_recipe(folder: Path, tmp_path: Path) -> None:
    """What `vary` did to a stretch of an audio file, `transform` does again from the side file."""
    target = tmp_path / "made.wav"
    about = facts("vary", "noise", folder / "rock.wav", "--sigma", "0.1", "--seed", "7", "--from", "0.5", "-o", target)
    assert about["step"] == [{"name": "crop", "start": 0.5, "keep": 0.0}, {"name": "noise", "sigma": 0.1, "seed": 7}]
    again = facts("transform", folder / "rock.wav", "--recipe", about["recipe"], "-o", tmp_path / "out")
    made = celesta.read(target).samples
    assert made.shape[1] == pytest.approx((SECONDS - 0.5) * 44_100, abs=8_192)
    assert np.abs(made - celesta.read(again["audio"]).samples).max() < 1e-4


def test_a_recipe_on_a_folder_gives_the_same_bytes_twice(folder: Path, tmp_path: Path) -> None:
    songs = tmp_path / "songs"
    songs.mkdir()
    for name in ("rock", "house"):
        (songs / f"{name}.wav").write_bytes((folder / f"{name}.wav").read_bytes())
    recipe = tmp_path / "warm.toml"
    recipe.write_text('seed = 5\n[[step]]\nname = "low-end"\nvalue = 3\n[[step]]\nname = "noise"\nsigma = 0.05\n')
    out = tmp_path / "out"
    lines = run("transform", songs, "--recipe", recipe, "-o", out, "--json").stdout.splitlines()
    first = {file.name: file.read_bytes() for file in out.glob("*.flac")}
    assert len(lines) == len(first) == 2
    (side, _) = sorted(out.glob("*.flac.json"))
    steps = json.loads(side.read_text())["settings"]["step"]
    assert steps == [{"name": "low-end", "value": 3.0}, {"name": "noise", "sigma": 0.05, "seed": 5}]
    side.with_name(side.name.replace(".flac.json", ".html")).unlink()  # as a run that was killed leaves a song
    side.unlink()
    again = run("transform", songs, "--recipe", recipe, "-o", out)
    assert len(again.stdout.splitlines()) == again.stderr.count("exists already, skipped") == 1
    assert "is missing, so an earlier run was interrupted" in again.stderr
    assert side.exists()
    assert {file.name: file.read_bytes() for file in out.glob("*.flac")} == first
    run("transform", songs / "rock.wav", "--recipe", recipe, "-o", tmp_path / "again")
    (made,) = (tmp_path / "again").glob("*.flac")
    assert made.read_bytes() == first[made.name]
    run("transform", songs / "rock.wav", "--recipe", recipe, "-o", tmp_path / "again", code=2)


def test_a_file_of_another_model_is_decoded_by_it(tmp_path: Path) -> None:
    x = celesta.read(CLIPS / "rock.ogg", duration=0.5, start=2, mono=True)
    celesta.load("sparse-16").encode(x).save(tmp_path / "a.cel")
    run("vary", "gain", tmp_path / "a.cel", "--factor", 0.5, "-o", tmp_path / "b.cel")
    assert celesta.Latent.load(tmp_path / "b.cel").model == "sparse-16"
    run("transform", tmp_path / "a.cel", "--gain", 0.5, "-o", tmp_path / "out")
    run("vary", "concat", tmp_path / "a.cel", tmp_path / "a.cel", "-o", tmp_path / "c.flac")


def test_songs_are_put_one_after_the_other(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "both.flac"
    about = facts("vary", "concat", folder / "rock.cel", folder / "house.wav", "-o", target)
    assert about["seconds"] == pytest.approx(2 * SECONDS, abs=0.2)
    assert celesta.info(target).duration == pytest.approx(2 * SECONDS, abs=0.2)


def test_two_stretches_of_a_song_have_two_results(folder: Path, tmp_path: Path) -> None:
    """The second stretch had the name of the first, and was refused or overwrote it."""
    song = tmp_path / "rock.wav"
    song.write_bytes((folder / "rock.wav").read_bytes())
    celesta.load("linear-8").encode(song).save(tmp_path / "rock.cel")
    latent = tmp_path / "rock.cel"
    for stretch in (("--from", 0.25, "--to", 0.5), ("--from", 0.5), ()):
        run("decode", latent, *stretch)
        run("vary", "gain", latent, "--factor", 0.5, *stretch)
        run("transform", latent, "--gain", 0.5, *stretch, "-o", tmp_path / "out")
    made = sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.flac"))
    names = ["out/rock.cel.linear-8.gain-0.5", "rock", "rock.gain"]
    assert made == sorted(f"{name}{part}.flac" for name in names for part in ("", ".from-0.25-to-0.5", ".from-0.5"))
    for words in (("decode", latent), ("vary", "crop", latent), ("transform", latent, "--gain", 0.5)):
        said = run(*words, "--from", 1, "--to", 30, "-o", tmp_path / f"{words[0]}{'.flac' * (words[0] != 'transform')}")
        assert "rock.cel: --to 30 is behind the end of the song (1.600 s): the song's end is used" in said.stderr


@pytest.mark.parametrize("verb", ["morph", "style"])
def test_two_songs_are_one(folder: Path, tmp_path: Path, verb: str) -> None:
    target = tmp_path / "made.flac"
    words = ["--mix", "0,1", "--path", "spherical"] if verb == "morph" else ["--strength", "0.5"]
    about = facts(verb, folder / "rock.wav", folder / "house.cel", *words, "--from", "0.2", "--to", "1", "-o", target)
    assert about["seconds"] == pytest.approx(0.8, abs=0.1)
    side = json.loads(Path(about["recipe"]).read_text())
    assert [source["name"] for source in side["sources"]] == ["rock.wav", "house.cel"]
    assert side["settings"]["from"] == 0.2
    x = celesta.read(target).samples
    assert np.isfinite(x).all()
    assert 0.02 < np.abs(x).max() <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("vary", "stretch", "CEL", "--factor", "9"), "it must be less than or equal to 4"),
        (("vary", "stretch", "CEL"), "missing option '--factor'"),
        (("vary", "crop", "CEL", "--from", "1", "--to", "0.5"), "must end after it begins"),
        (("vary", "crop", "CEL"), "give --from TIME, --to TIME or both"),
        (("vary", "crop", "CEL", "--from", "9"), "rock.cel: --from 9 is behind the end of the song (1.600 s)"),
        (("transform", "WAV", "--gain", "2", "--from", "9"), "rock.wav: --from 9 is behind the end of the song (1.6"),
        (("decode", "CEL", "--from", "9"), "rock.cel: --from 9 is behind the end of the song (1.600 s)"),
        (("vary", "loop", "CEL", "--times", "2", "-o", "x.txt"), "name a file that ends in .wav, .flac"),
        (("vary", "gain", "CEL", "--factor", "2", "--kbps", "9"), "--kbps is the bitrate of a .cel file"),
        (("vary", "loop", "WAV", "--times", "2", "-m", "cel-silu"), "use a model such as nested"),
        (("vary", "loudness", "WAV", "--value", "3", "-m", "linear-8"), "needs a detail of MDCT coefficients"),
        (("vary", "gain", "CEL", "--factor", "2", "-m", "linear-8"), "linear-8"),
        (("vary", "transpose", "gone.wav", "--semitones", "2"), "gone.wav: no such file or folder"),
        (("style", "CEL", "gone.ogg"), "gone.ogg: no such file or folder"),
        (("morph", "CEL", "CEL", "--mix", "x"), "--mix x: give a number from 0 to 1"),
        (("transform", "WAV", "--recipe", "WAV"), "is not UTF-8 text"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"CEL": folder / "rock.cel", "WAV": folder / "rock.wav"}
    result = CliRunner().invoke(app, [str(places.get(word, word)) for word in words])
    assert result.exit_code in (1, 2)
    lines = [line for line in result.stderr.splitlines() if line.startswith("celesta: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert not [file for file in folder.iterdir() if file.suffix not in (".wav", ".cel")]


@pytest.mark.parametrize("text", ["{}", "[1]", "{", '{"settings": {"length": 8}}', '{"settings": {"step": 3}}'])
def test_side_files_of_other_operations_are_no_recipes(folder: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    result = CliRunner().invoke(app, ["transform", str(folder / "rock.wav"), "--recipe", str(file)])
    assert result.exit_code == 2
    assert "other.json: " in result.stderr
