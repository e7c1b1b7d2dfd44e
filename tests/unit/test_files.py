"""Whole files or none, and names that any terminal can show."""

import os
from pathlib import Path

import pytest

from celesta._files import atomic, printable
from celesta.errors import AudioError, LatentError


def test_the_name_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.wav"
    with atomic(target) as temporary:
        temporary.write_bytes(b"x")
        assert temporary.suffix == ".wav"
        assert not target.exists()
    assert target.read_bytes() == b"x"
    assert os.listdir(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.cel"
    target.write_bytes(b"old")

    def interrupted() -> None:
        with atomic(target) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.cel"]


def test_what_the_system_refuses_is_one_error_of_the_wanted_type(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be written"), atomic(tmp_path / "gone" / "a.wav", AudioError) as t:
        t.write_bytes(b"x")
    with pytest.raises(LatentError, match="cannot be written"), atomic(tmp_path / ("n" * 300 + ".cel")) as t:
        t.write_bytes(b"x")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(b"b\xe9.wav", r"b\xe9.wav"), ("né.wav".encode(), "né.wav"), (b"a\x1b[31m", r"a\x1b[31m"), (b"a\nb", r"a\nb")],
)
def test_names_are_escaped(raw: bytes, shown: str) -> None:
    assert printable(os.fsdecode(raw)) == shown
    printable(os.fsdecode(raw)).encode("utf-8")
