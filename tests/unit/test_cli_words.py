"""What the command says: one line for an error of usage, words and not codes, names that do not exist."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from celesta import audio
from celesta.cli.main import app
from celesta.cli.verbs import GROUPS, VERBS
from celesta.predict import SongPrediction


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def song(tmp_path: Path) -> Path:
    audio.write(tmp_path / "a.wav", 0.3 * np.sin(np.arange(44_100) / 9, dtype=np.float32)[None], 44_100)
    return tmp_path / "a.wav"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("encode",), "missing argument 'FILE|FOLDER'; see celesta encode --help"),
        (("library",), "name one of add, status, update, errors, backup; see celesta library --help"),
        (("vary", "gain", "SONG", "-o"), "requires an argument; see celesta vary gain --help"),
        (("encod",), "no such command 'encod'. Did you mean 'encode', 'decode'? See "),
        (("encode", "SONG", "--kpbs", 3), "no such option: --kpbs (did you mean --bits, --kbps?)"),
        (
            ("encode", "SONG", "--kbps", "x"),
            "invalid value for '--kbps': it must be a valid number; see celesta encode --help",
        ),
        (("encode", "SONG", "-m", "nope"), "--model nope: unknown model 'nope'; there are nested2, "),
        (("encode", "SONG", "-m", "nestd"), "did you mean nested2?"),
        (("encode", "SONG", "-m", "runs/x"), "--model runs/x: no such folder of a training run"),
        (("encode", "SONG", "-m", "celesta-ssl"), "is a feature extractor, not a model that decodes"),
        (("encode", "SONG", "--device", "gpu"), "device must be one of auto, cpu, cuda, mps"),
        (("encode", "SONG", "--precision", "int8"), "--precision int8: give one of float32, bfloat16, auto"),
        (("encode", "SONG", "--quality", 11), "--quality 11: give a number from 0 to 10"),
        (("encode", "SONG", "--kbps", "nan"), "--kbps nan: give a number from 0.5 to 2000"),
        (("encode", "SONG", "-m", "linear-8", "--kbps", 3), "linear-8 does not code to a bitrate; use nested2"),
        (("encode", "SONG", "-m", "linear-8", "-K", 500), "does not code to a bitrate"),
        (("encode", "SONG", "-K", 500), "--channels 500: nested2 has 24; give a number from 1 to 24"),
        (("reconstruct", "SONG", "-m", "nope"), "unknown model 'nope'"),
        (("transform", "SONG", "-m", "nope", "--gain", 2), "unknown model 'nope'"),
        (("compare", "nested2", "nope", "--data", "SONG"), "unknown model 'nope'"),
        (("demo", "-m", "nope"), "unknown model 'nope'"),
        (("train", "-m", "nope", "--data", "SONG", "-o", "x"), "unknown model 'nope'"),
        (("cluster", "--data", "SONG", "-f", "nope"), "unknown feature 'nope'"),
        (("cluster", "--data", "SONG", "-f", "latent:nope"), "unknown model 'nope'"),
        (
            ("decode", "SONG", "--sample-rate", 0),
            "invalid value for '--sample-rate': it must be greater than or equal to 8000",
        ),
        (("compare", "nested2", "SONG"), "missing option '--data'; give the music with --data FOLDER; see "),
        (("export", "nested9", "-o", "x"), "MODEL nested9: unknown model 'nested9'; did you mean nested2"),
        (("classify", "predict", "SONG", "-m", "nosuch"), "give genre, mood, tags or a predictor's file"),
        (("classify", "evaluate", "gener", "--data", "SONG"), "MODEL gener: there is no such predictor or file; did"),
        (("models", "--licence", "comercial"), "--licence comercial: did you mean commercial?"),
        (("decode", "SONG", "--format", "m4a"), "--format must be one of wav, flac, ogg, opus, mp3"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(words: tuple[object, ...], text: str, song: Path) -> None:
    """Issue 14: boxes and tracebacks, names refused only after loading, exit codes 1 and 2 for the same mistake."""
    stderr = run(*(song if word == "SONG" else word for word in words), code=2).stderr
    (line,) = stderr.strip().splitlines()
    assert line.startswith("celesta: ")
    assert text in line


def test_audio_in_the_place_of_a_latent_names_the_remedy(song: Path) -> None:
    for words in (("decode", song), ("verify", song), ("truncate", song, "--kbps", 3, "-o", song.parent / "x.cel")):
        assert f"is an audio file, not a .cel file; make one first: celesta encode {song}" in run(*words, code=1).stderr


def test_what_is_missing_counts_and_its_remedy_can_work(song: Path) -> None:
    """Two inputs failed and the last line said 1 of 1; a text called .mp3 was to be encoded."""
    text = song.with_name("text.mp3")
    text.write_text("text")
    gone = song.with_suffix(".mp3")
    for verb in ("info", "encode"):
        said = run(verb, gone, text, code=1).stderr
        assert f"{gone}: no such file or folder; did you mean {song}?\n" in said
        assert said.endswith("celesta: 2 of 2 files failed\n")
    assert "text.mp3: is neither a .cel file nor audio" in run("verify", gone, text, code=1).stderr


def test_a_latent_in_the_place_of_audio_names_what_may_be_wanted(song: Path) -> None:
    """The message was that the file is the input itself, or no audio file."""
    latent = song.with_name("z.cel")
    run("encode", song, "-m", "linear-8", "-o", latent)
    said = f"{latent}: is a latent already; for audio: celesta decode {latent}; for a smaller file: celesta truncate"
    for verb in ("encode", "reconstruct", "classify predict"):
        assert said in run(*verb.split(), latent, code=1).stderr


def test_a_file_that_is_skipped_is_described(song: Path) -> None:
    """Nothing said that the files of an earlier call had another bitrate."""
    folder = song.parent / "z"
    asked = ("encode", song.parent, "-o", folder, "-m", "linear-8")
    run(*asked)
    has = f"{folder / 'a.cel'}: exists already, skipped (linear-8, float16, "
    assert re.fullmatch(re.escape(has) + r"\d+\.\d kbit/s\)\n", run(*asked).stderr)
    assert run(*asked, "--bits", 4).stderr.endswith(" kbit/s); for --bits 4 give --force\n")
    assert "; for --model nested2 --kbps 6 give --force" in run(*asked[:4], "--kbps", 6).stderr
    assert "exists already" not in run(*asked, "--bits", 4, "--force").stderr


def test_an_unexpected_error_is_one_line(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 14: a traceback ended the command; CELESTA_TRACEBACK shows it to who looks for the cause."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nothing")

    monkeypatch.setattr("celesta.cli.info.describe_audio", broken)
    (line,) = run("info", song, code=1).stderr.strip().splitlines()
    said = "unexpected ZeroDivisionError: nothing; please report it, with what CELESTA_TRACEBACK=1 shows"
    assert line == f"celesta: {said}"
    monkeypatch.setenv("CELESTA_TRACEBACK", "1")
    assert isinstance(CliRunner().invoke(app, ["info", str(song)]).exception, ZeroDivisionError)


def test_help_fits_80_columns_with_names_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Item 26: names of options were cut; switches were called <bool>. Examples were wider than a terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    command = typer.main.get_command(app)  # built once, which takes longer than all helps together
    for verb in (*GROUPS, *VERBS, ""):
        command.main([*verb.split(), "--help"], "celesta", standalone_mode=False)
        text = capsys.readouterr().out
        assert text.startswith(f"Usage: celesta {verb}"), text
        assert not [line for line in text.splitlines() if len(line) > 80], verb
        assert "<bool>" not in text
        assert "…" not in text
        assert not re.search(r"--[\w-]+\.\.\.", text)
    assert re.search(r"^ +130 +interrupted by Ctrl-C$", text, re.M)


def test_a_verb_without_its_arguments_is_one_line_that_names_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    command = typer.main.get_command(app)
    for verb in VERBS:
        found = functools.reduce(lambda group, word: group.commands[word], verb.split(), command)  # type: ignore[attr-defined]
        if any(parameter.required for parameter in found.params):
            assert command.main(verb.split(), "celesta", standalone_mode=False) == 2, verb
            (line,) = capsys.readouterr().err.splitlines()
            wanted = rf"celesta: missing (argument|option) '.+'(; give the music with .+)?; see celesta {verb} --help"
            assert re.fullmatch(wanted, line)


def test_models_fit_80_columns_and_show_licences() -> None:
    """Item 26: lines were wider than a terminal; licences were in the JSON alone."""
    lines = run("models").stdout.splitlines()
    assert max(map(len, lines[-5:])) <= 80
    assert re.match(r"nested2 +codec +Apache-2.0 ", lines[1])
    for use, there in (("commercial", False), ("research", True)):
        lines = run("models", "--licence", use).stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert any(re.match(r"cel-3 +model +research only$", line) for line in lines) is there


def test_moods_are_words_in_json() -> None:
    """Item 26: moods were Q4 instead of calm; what was written with the words is read again."""
    classes = {"mood": ("happy", "angry", "sad", "calm"), "genre": ("rock", "blues")}
    values = {"mood": np.array([0.1, 0.2, 0.3, 0.4]), "genre": np.array([0.7, 0.3])}
    data = SongPrediction(Path("a.mp3"), duration=9.0, classes=classes, probabilities=values).to_dict()
    assert data["probabilities"]["mood"] == {"happy": 0.1, "angry": 0.2, "sad": 0.3, "calm": 0.4}
    assert "Q" not in json.dumps(data)
    again = SongPrediction.from_dict(data)
    assert again.to_dict() == data
    assert again.valence_arousal == pytest.approx((0.0, -0.4))


def test_info_has_labels_for_people(song: Path) -> None:
    """Raw names of fields, such as n_samples, were shown."""
    text = run("info", song).stdout
    assert re.search(r"^length +1.00 s, 44,100 samples a channel$", text, re.M)
    assert "_" not in text.split("\n", 1)[1].replace("PCM_", "")
    assert len(run("info", song.parent, "--json").stdout.splitlines()) == 1
