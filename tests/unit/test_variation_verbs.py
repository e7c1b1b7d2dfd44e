"""The verbs that make new versions of songs: files, side files, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import celesta
from celesta.cli.main import app
from celesta.report.demo import CLIPS


@pytest.fixture
def song(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CELESTA_CACHE", str(tmp_path / "cache"))
    x = celesta.read(CLIPS / "rock.ogg", duration=10)
    celesta.write(tmp_path / "song.wav", x.samples, x.sample_rate)
    return tmp_path / "song.wav"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_extend_writes_a_song_and_a_side_file(song: Path) -> None:
    target = song.with_name("long.flac")
    result = run("extend", song, "--to", "0:20.5", "-o", target, "--json")
    assert result.exit_code == 0, result.output
    assert celesta.info(target).n_samples == round(20.5 * 44_100)
    about = json.loads(target.with_name("long.flac.json").read_text())
    assert about["operation"] == "extend"
    assert about["result"]["samples"] == round(20.5 * 44_100)
    first = target.read_bytes()
    run("extend", song, "--to", "0:20.5", "-o", target, "--force")
    assert target.read_bytes() == first
    loop = song.with_name("loop.wav")
    said = run("extend", song, "--loop", "-o", loop).stdout
    length = celesta.info(loop).n_samples
    assert f"a loop of {length / 44_100:.3f} s, {length:,} samples, " in said  # not the times in the song alone


def test_repair_fills_a_stretch(song: Path) -> None:
    target = song.with_name("fixed.wav")
    result = run("repair", song, "--from", "4", "--to", "4.25", "-o", target)
    assert result.exit_code == 0, result.output
    assert "behind the end" not in result.stderr
    before, after = celesta.read(song).samples, celesta.read(target).samples
    assert np.array_equal(before[:, : 4 * 44_100], after[:, : 4 * 44_100])
    assert not np.array_equal(before, after)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["extend"], "either --to"),
        (["extend", "--to", "soon"], "is not a time"),
        (["repair"], "either --from"),
        (["repair", "--from", "2"], "both --from"),
        (["repair", "--from", "50", "--to", "60"], "song.wav: --from 50 is behind the end of the song (10.000 s)"),
        (["repair", "--from", "6", "--to", "5"], "--from 6 --to 5: the stretch must end after it begins"),
        (["extend", "--to", "0"], "--to 0: the result must have 1 s"),
        (["extend", "--loop", "--shortest", "20"], "(20 s) is as long as the song (10.000 s) or longer"),
        (["extend", "--loop", "--shortest", "8", "--longest", "4"], "--shortest 8 --longest 4: "),
    ],
)
def test_what_cannot_be_done_gets_one_line(song: Path, words: list[str], said: str) -> None:
    result = run(words[0], song, *words[1:])
    assert result.exit_code != 0
    assert said in f"{result.output}{result.exception}"
    assert not list(song.parent.glob("*.flac"))
