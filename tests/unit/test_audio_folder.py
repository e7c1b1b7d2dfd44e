from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import pytest

from celesta import audio
from celesta.errors import AudioError


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(found: audio.AudioFiles, folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in found]


def test_an_unreadable_folder_is_skipped_and_named(unprivileged):
    """Issue 14, fault 7: lost+found ended the work before anything was done."""
    make(unprivileged, "a.wav", "lost+found/b.wav", "z/c.wav", "z/private/d.wav")
    for name in ("lost+found", "z/private"):
        (unprivileged / name).chmod(0)
    with pytest.warns(audio.AudioWarning, match="Permission denied") as caught:
        found = audio.find_audio(unprivileged)
    assert names(found, unprivileged) == ["a.wav", "z/c.wav"]
    assert {s.path.name: s.reason for s in found.skipped} == {
        "lost+found": "Permission denied",
        "private": "Permission denied",
    }
    assert len(caught) == 2
    with pytest.raises(AudioError, match=r"lost\+found: cannot be read \(Permission denied\)"):
        audio.find_audio(unprivileged / "lost+found")
    for name in ("lost+found", "z/private"):
        (unprivileged / name).chmod(0o700)


def test_circles_of_links_end_and_each_file_is_found_once(tmp_path):
    """Issue 14, fault 7."""
    make(tmp_path / "music", "a/1.wav", "b/2.wav")
    make(tmp_path / "elsewhere", "3.wav")
    (tmp_path / "music/a/up").symlink_to(tmp_path / "music")
    (tmp_path / "music/0").symlink_to(tmp_path / "music/b")
    (tmp_path / "music/self").symlink_to("self")
    (tmp_path / "music/other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "music/broken.wav").symlink_to("nowhere.wav")
    found = audio.find_audio(tmp_path / "music")
    assert names(found, tmp_path / "music") == ["a/1.wav", "b/2.wav", "broken.wav", "other/3.wav"]
    assert found.skipped == ()


def test_files_of_macos_and_hidden_ones_are_left_out(tmp_path):
    """Issue 14, fault 7: ._song.mp3 holds no audio."""
    make(tmp_path, "song.mp3", "._song.mp3", "__MACOSX/._song.mp3", ".Trashes/x.wav")
    assert names(audio.find_audio(tmp_path), tmp_path) == ["song.mp3"]


def test_names_of_any_bytes_are_found_and_printed_escaped(tmp_path):
    """Issue 14, fault 4."""
    name = os.fsdecode(b"b\xe9\x1b[31m")
    make(tmp_path, f"{name}.wav", f"{name}/c.WAV")
    assert len(audio.find_audio(tmp_path)) == 2
    with pytest.raises(AudioError, match="no such file or folder") as caught:
        audio.find_audio(tmp_path / f"{name}.flac")
    assert r"b\xe9\x1b[31m.flac: no such file or folder; did you mean " in str(caught.value)
    assert str(caught.value).endswith(r"b\xe9\x1b[31m.wav?")
    with pytest.raises(AudioError, match=r"cannot be read|no such file"):
        audio.find_audio("x" * 5_000)


def test_a_large_folder_takes_time_in_proportion(tmp_path):
    """Issue 14, fault 17: four times the files must not take sixteen times as long."""
    for i in range(4_000):
        (tmp_path / f"{i}.wav").touch()
    (tmp_path / "small").mkdir()
    for i in range(1_000):
        (tmp_path / "small" / f"{i}.wav").touch()

    def seconds(folder: Path) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            audio.find_audio(folder)
            times.append(time.process_time() - start)
        return min(times)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert seconds(tmp_path) < 10 * seconds(tmp_path / "small") + 0.01
