"""Hostile and damaged files through every verb that takes files: the right result or one clear line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cases
import pytest
from cases import Case
from typer.testing import CliRunner

from celesta._files import printable
from celesta.cli.main import app

Call = Callable[..., Any]
FEW = ("hole.mp3", "6.opus", "inverse.wav", "text.ogg", os.fsdecode(b"labelled/rock \xe9/\x80\x1b]0;x\x07.wav"))
"""One case of each kind, for the verbs that take seconds for each song."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Case]]:
    folder = tmp_path_factory.mktemp("cases") / "in"
    return folder, cases.make(folder)


@pytest.fixture(scope="module")
def few(made: tuple[Path, dict[str, Case]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one case of each kind."""
    folder = tmp_path_factory.mktemp("few") / "in"
    for name in FEW:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((made[0] / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def cels(made: tuple[Path, dict[str, Case]], call: Call) -> tuple[Path, list[dict[str, Any]], str]:
    """The folder encoded: where, the lines of JSON, what was written to stderr."""
    out = made[0].parent / "cels"
    done = call("encode", made[0], "-m", "linear-8", "-o", out, "--json", code=1)
    return out, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def lines(text: str) -> list[str]:
    """Lines that are no progress."""
    return [line for line in text.splitlines() if not re.search(r"\d s elapsed", line)]


def check_messages(text: str, found: dict[str, Case]) -> None:
    """Every file that cannot be read in full is named with the reason, once; nothing else is; nothing is unescaped."""
    assert "Traceback" not in text
    assert "unexpected" not in text
    assert all(c.isprintable() or c == "\n" for c in text), ascii(text)
    for name, case in found.items():
        said = [line for line in lines(text) if re.search(rf"(^|[ /]){re.escape(printable(name))}: ", line)]
        errors = [line for line in said if line.startswith("celesta: ")]
        warnings = [line for line in said if line.startswith("warning: ")]
        if case.error:
            assert len(errors) == 1, (name, said)
            assert case.error in errors[0]
        else:
            assert not errors, errors
        if case.warning:
            assert any(case.warning in line for line in warnings), (name, said)
        elif not case.nothing:
            assert not warnings, warnings


def test_encode_all(made: tuple[Path, dict[str, Case]], cels: tuple[Path, list[dict[str, Any]], str]) -> None:
    """Items 4, 5, 8, 10, 11, 19: every sample of what can be decoded, a line for what cannot."""
    folder, found = made
    _, records, stderr = cels
    check_messages(stderr, found)
    # The names in JSON are escaped where they are not UTF-8, control characters by JSON itself.
    by_name = {record["source"].removeprefix(f"{folder}/"): record for record in records}
    assert len(by_name) == len(found)
    for name, case in found.items():
        record = by_name[os.fsencode(name).decode("utf-8", "backslashreplace")]
        if case.error:
            assert case.error in record["error"]
        elif case.n_samples > 0:
            rate = 22_050 if "labelled" in name or name == "low.mp3" else None
            assert rate is None or record["seconds"] == case.n_samples / rate
    assert f"{sum(bool(case.error) for case in found.values())} of {len(found)} files failed" in stderr


def test_decode_verify_and_info(
    made: tuple[Path, dict[str, Case]], cels: tuple[Path, list[dict[str, Any]], str], tmp_path: Path, call: Call
) -> None:
    """Items 4, 10, 11: latents have the length and the channels of their source, decoding keeps them."""
    folder, found = made
    readable = {name: case for name, case in found.items() if not case.error}
    assert call("verify", cels[0]).stdout.count(": OK") == len(readable)
    records = [json.loads(line) for line in call("info", cels[0], "--json").stdout.splitlines()]
    assert len(records) == len(readable)
    by_source = {record["made_from"]: record for record in records}
    for name, case in readable.items():
        record = by_source[printable(Path(name).name)]
        assert record["channels"] == case.channels, name
        assert case.n_samples in (-1, record["n_samples"]), name
    call("decode", cels[0], "-o", tmp_path / "wav", "--format", "wav", "--strict")
    infos = call("info", tmp_path / "wav", "--json").stdout.splitlines()
    assert sorted(json.loads(line)["n_samples"] for line in infos) == sorted(r["n_samples"] for r in records)
    shown = call("info", folder, code=1)
    header = ("zero.mp3", "text.ogg")  # what info reads shows nothing wrong with the others
    check_messages(shown.stderr, {name: found[name] if name in header else Case(1) for name in found})
    assert "\x1b" not in shown.stdout


def test_strict_means_the_same_everywhere(made: tuple[Path, dict[str, Case]], tmp_path: Path, call: Call) -> None:
    """Item 19: with --strict damage makes the exit code 1, without it the code is 0; the work is done in both."""
    song, data = made[0] / "hole.mp3", ("--data", made[0] / "hole.mp3", "--data", made[0] / "labelled")
    cache = ("--cache", tmp_path / "cache", "-f", "handcrafted")
    calls = {
        "encode": ("encode", song, "-m", "linear-8", "--force", "-o", tmp_path / "a.cel"),
        "reconstruct": ("reconstruct", song, "-m", "linear-8", "--force", "-o", tmp_path / "r"),
        "transform": ("transform", song, "-m", "linear-8", "--gain", 2, "--force", "-o", tmp_path / "t"),
        "compare": ("compare", "linear-8", "--data", song, "--no-rate-distortion", "--force", "-o", tmp_path / "c"),
        "cluster": ("cluster", *data, *cache, "--force", "-o", tmp_path / "k"),
    }
    for verb, words in calls.items():
        for strict in (0, 1):  # the second time, features come from the cache
            done = call(*words, *["--strict"] * strict, code=strict)
            assert "are lost and silent" in done.stderr, verb
    assert (tmp_path / "a.cel").exists()


@pytest.mark.parametrize(("kbps", "most"), [(3, 3.05), (6, 6.1)])
def test_tags_leave_the_bitrate_to_the_audio(
    kbps: float, most: float, made: tuple[Path, dict[str, Case]], tmp_path: Path, need_weights: Call, call: Call
) -> None:
    """Item 6: long tags in other alphabets; what is left out is said; truncate keeps to the bitrate too."""
    need_weights("nested2")
    done = call("encode", made[0] / "tags.flac", "--kbps", kbps, "-o", tmp_path / "t.cel")
    assert "left out" in done.stderr
    small = call("truncate", tmp_path / "t.cel", "--kbps", 1.5, "-o", tmp_path / "s.cel", "--json")
    assert json.loads(small.stdout)["kbps"] <= 1.55 or "not the 1.5 asked for" in small.stderr
    (record,) = [json.loads(line) for line in call("info", tmp_path / "t.cel", "--json").stdout.splitlines()]
    assert 0.8 * kbps < record["kbps"] <= most
    assert record["tags"]["artist"] == "宇多田ヒカル"


def test_truncate_refuses_what_is_not_coded(
    cels: tuple[Path, list[dict[str, Any]], str], made: tuple[Path, dict[str, Case]], tmp_path: Path, call: Call
) -> None:
    (some,) = cels[0].rglob("joined-v2.cel")
    for source, words in ((some, "is not coded"), (made[0] / "a.mp3", "not a .cel file"), (tmp_path / "x", "no such")):
        assert words in call("truncate", source, "--kbps", 1, "-o", tmp_path / "y.cel", code=1).stderr
    assert not (tmp_path / "y.cel").exists()


@pytest.mark.parametrize("verb", ["reconstruct", "transform"])
def test_pages_of_a_few(verb: str, few: Path, made: tuple[Path, dict[str, Case]], tmp_path: Path, call: Call) -> None:
    """Items 4, 9, 10, 19: a page and a FLAC file for what can be read, in the folders of the sources."""
    found = {name: made[1][name] for name in FEW}
    more = ("--gain", 0.5) if verb == "transform" else ()
    done = call(verb, few, "-m", "linear-8", *more, "-o", tmp_path / "out", code=1)
    check_messages(done.stderr, {name: Case(c.n_samples, c.warning, c.error) for name, c in found.items()})
    assert len(list((tmp_path / "out").rglob("*.flac"))) == len(FEW) - 1
    for page in (tmp_path / "out").rglob("*.html"):
        page.read_text(encoding="utf-8")


def test_compare_a_few(few: Path, made: tuple[Path, dict[str, Case]], tmp_path: Path, call: Call) -> None:
    out = ("-o", tmp_path, "--no-rate-distortion", "--seconds", 1)
    done = call("compare", "linear-8", "--data", few, *out, code=1)
    check_messages(done.stderr, {"text.ogg": made[1]["text.ogg"]})
    assert len(json.loads((tmp_path / "compare.json").read_text())["scores"]) == len(FEW) - 1


def test_cluster_all(made: tuple[Path, dict[str, Case]], tmp_path: Path, call: Call) -> None:
    """Items 4, 20, 23: labels and names that are not UTF-8, songs without anything to hear."""
    folder, found = made
    for data, code in ((folder, 1), (folder / "labelled", 0)):
        out = tmp_path / f"out{code}"
        done = call("cluster", "--data", data, "-f", "handcrafted", "--cache", tmp_path / "c", "-o", out, code=code)
        check_messages(done.stderr, found if code else {})
        rows = json.loads((out / "clusters.json").read_text())["songs"]
        assert len(rows) == (sum(not case.error for case in found.values()) if code else 6)
        assert len((out / "clusters.csv").read_text(encoding="utf-8").splitlines()) == len(rows) + 1
        (out / "clusters.html").read_text(encoding="utf-8")
    copies = [part for name in ("a.flac", "behind-v1.flac", "behind-zeros.flac") for part in ("--data", folder / name)]
    words = ("cluster", *copies, "-f", "handcrafted", "--cache", tmp_path / "c", "-o", tmp_path / "same")
    assert "the 3 songs have the same features" in call(*words, code=1).stderr


def test_classifiers_of_all(made: tuple[Path, dict[str, Case]], tmp_path: Path, call: Call) -> None:
    """Items 4, 19, 20: train on hostile names, evaluate, predict everything."""
    folder, found = made
    model, cache = tmp_path / "m.safetensors", ("--cache", tmp_path / "cache")
    words = ("classify", "train", "--data", folder / "labelled", "-f", "handcrafted", *cache)
    done = call(*words, "-o", model, "--json")
    assert json.loads(done.stdout)["classes"] == ["rock \\xe9", "x"]
    done = call("classify", "evaluate", model, "--data", folder / "labelled", *cache)
    assert "6 of 6 songs were used in training" in done.stderr
    done = call("classify", "predict", folder, "-m", model, "-o", tmp_path / "p", "--json", code=1)
    check_messages(done.stderr, found)
    records = {r.get("path", ""): r for r in map(json.loads, done.stdout.splitlines())}
    for name, case in found.items():
        if case.nothing:
            assert case.nothing in records[f"{folder}/{name}"]["reason"], name
            assert not records[f"{folder}/{name}"]["probabilities"]
    assert sum(bool(r.get("probabilities")) for r in records.values()) == sum(
        not case.error and not case.nothing for case in found.values()
    )


def test_lists_of_labels(made: tuple[Path, dict[str, Case]], tmp_path: Path, call: Call) -> None:
    """Item 13: every encoding by its mark or its name; everything else is one line with the remedy."""
    cache = ("--cache", tmp_path / "cache", "-f", "handcrafted")
    for name, (data, encoding, code, words) in cases.LISTS.items():
        (made[0] / name).write_bytes(data)
        option = ("--encoding", encoding) if encoding else ()
        source = ("--data", made[0] / name, *option)
        done = call("cluster", *source, *cache, "--force", "-o", tmp_path / "k", code=code)
        assert "Traceback" not in done.stderr
        if code:
            (line,) = lines(done.stderr)
            assert words in line, name
        else:
            assert done.stdout.startswith("6 songs in 2 clusters"), name
        (made[0] / name).unlink()


def test_study_and_training(made: tuple[Path, dict[str, Case]], few: Path, tmp_path: Path, call: Call) -> None:
    """Items 4, 7, 25: labels that are not UTF-8 in a study; training skips what it cannot read."""
    out = ("-f", "handcrafted", "--seeds", 1, "--no-classifier", "--workers", 1, "--cache", tmp_path / "cache")
    call("study", "--data", made[0] / "labelled", "-o", tmp_path / "study", *out)
    json.loads((tmp_path / "study" / "study.json").read_text())
    data = ("--data", few, "--data", made[0] / "labelled")
    done = call("train", "-m", "pca-8", *data, "-o", tmp_path / "run", "--steps", 1, "--no-compile")
    assert "text.ogg" in done.stderr
    assert (tmp_path / "run" / "best.safetensors").is_file()


def test_a_library_of_all(made: tuple[Path, dict[str, Case]], tmp_path: Path, call: Call) -> None:
    """Items 4, 19, 20: every song that can be analysed is found again; the others are listed with their reasons."""
    folder, found = made
    library = ("--library", tmp_path / "l.db")
    done = call("library", "add", folder, "--workers", 1, *library, code=1)
    assert "Traceback" not in done.stderr
    errors = call("library", "errors", *library).stdout
    for name, case in found.items():
        if case.error or case.nothing:
            assert re.search(rf"/{re.escape(printable(name))}: .*{case.error or case.nothing}", errors), name
    similar = call("similar", folder / "labelled" / "x" / "a\nb.wav", "-n", 40, *library).stdout
    assert r"\xff\xfe.wav" in similar
    assert all(c.isprintable() or c == "\n" for c in similar)
    assert "silent" in call("similar", folder / "silence.wav", *library, code=1).stderr
    call("duplicates", *library)
    call("playlist", "--seed", folder / "a.mp3", "-n", 5, *library)


@pytest.mark.parametrize("name", [name for name in FEW if name != "text.ogg"])
def test_extend_a_few(name: str, few: Path, tmp_path: Path, call: Call) -> None:
    """Audio that is too short or silent to be cut is refused in one line, damage is read past."""
    words = ("extend", few / name, "--to", "0:20", "-o", tmp_path / "x.flac", "--cache", tmp_path / "c")
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code in (0, 1, 2)
    assert "unexpected" not in result.stderr
    assert (tmp_path / "x.flac").exists() == (result.exit_code == 0)
