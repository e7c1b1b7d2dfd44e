from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from celesta import audio
from celesta.errors import AudioError, UsageError


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_the_writer_is_all_or_nothing(tmp_path, music, suffix):
    path = tmp_path / f"a{suffix}"
    sound = music(100_000)
    bad = sound.copy()
    bad[0, 50_000] = np.nan

    def write(*blocks: np.ndarray, then: type[BaseException] | None = None) -> None:
        before = path.exists()
        with audio.Writer(path, 44_100, 1) as writer:
            for block in blocks:
                writer.write(block)
            assert path.exists() == before
            if then:
                raise then

    with pytest.raises(KeyboardInterrupt):
        write(sound, then=KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"old")
    with pytest.raises(AudioError, match="sample 150000 to be written is not finite"):
        write(sound, bad)
    assert path.read_bytes() == b"old"
    write(*np.array_split(sound, 101, axis=1))
    assert list(tmp_path.iterdir()) == [path]
    audio.write(tmp_path / f"b{suffix}", sound, 44_100)
    assert np.array_equal(audio.read(path).samples, audio.read(tmp_path / f"b{suffix}").samples)


def test_clipping_is_counted_once(tmp_path):
    sound = np.array([[0.5, 1.0, 1.5, -2.0, -1.0]], dtype=np.float32)
    with pytest.warns(audio.AudioWarning, match=r"a\.wav: 2 samples .* clipped; lower the level by 6\.1 dB") as caught:
        audio.write(tmp_path / "a.wav", sound, 44_100, subtype="PCM_16")
    assert len(caught) == 1
    top = 32_767 / 32_768
    assert audio.read(tmp_path / "a.wav").samples.tolist() == [[0.5, top, top, -1.0, -1.0]]


def test_what_the_writer_refuses(tmp_path, music, monkeypatch):
    sound = music(100, 1)
    cases = [
        ("a.xyz", sound, {}, r"a\.xyz: '\.xyz' files cannot be written; use one of \.wav"),
        ("a", sound, {}, "a: a file without a suffix cannot be written; use"),
        ("a.mp3", music(100, 3), {}, r"3 channels; a \.mp3 file takes 1 to 2"),
        ("a.wav", music(100, 9), {}, "9 channels"),
        ("a.mp3", music(100, 2), {"subtype": "PCM_16"}, "PCM_16 is no subtype"),
        ("a.flac", sound, {"subtype": "FLOAT"}, "FLOAT is no subtype"),
        ("a.wav", sound[:, :0], {}, "not one sample to write"),
        ("a.wav", (sound * 1000).astype(np.int16), {}, "give floats"),
        ("a.wav", sound.astype(np.float64) * 1e300, {}, "not finite, or far too loud"),
        ("a.wav", sound[None], {}, "expected"),
        ("no/such/folder/a.wav", sound, {}, r"cannot be written \(No such file or directory\); check the folder"),
    ]
    for name, samples, options, match in cases:
        with pytest.raises(AudioError, match=match) as caught:
            audio.write(tmp_path / name, samples, 44_100, **options)
        assert "\n" not in str(caught.value)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(AudioError, match="is a folder"):
        audio.write(tmp_path / "folder.wav", sound, 44_100)
    with pytest.raises(UsageError, match="sample_rate"):
        audio.write(tmp_path / "a.wav", sound)
    monkeypatch.setattr("celesta.audio.writer._WAV_LIMIT", 299)
    with pytest.raises(AudioError, match=r"ends at 4 GiB; write \.flac"):
        audio.write(tmp_path / "a.wav", sound, 44_100)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.wav"]


def test_written_files_have_ordinary_rights(tmp_path, music):
    (tmp_path / "plain").touch()
    audio.write(tmp_path / "a.wav", music(10), 44_100)
    assert stat.S_IMODE((tmp_path / "a.wav").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("name", ["OUT.WAV", "Out.Flac", "x.OGG", "x.Opus", "x.MP3"])
def test_suffixes_in_any_case(tmp_path, music, name):
    """Issue 14, fault 15."""
    audio.write(tmp_path / name, music(24_000, 2, 48_000), 48_000)
    assert audio.info(tmp_path / name).n_samples == 24_000


@pytest.mark.parametrize("name", ["a.m4a", "a.M4A", "a.cel", "a.aac", "a.", "a", "a.\x1b[31m"])
def test_suffixes_that_cannot_be_written_are_named(tmp_path, music, name):
    """Issue 14, fault 15."""
    with pytest.raises(AudioError, match=r"cannot be written; use one of \.wav \.flac \.ogg \.opus \.mp3") as caught:
        audio.write(tmp_path / name, music(10), 44_100)
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_is_an_error_with_its_reason(tmp_path, music):
    """Issue 14, fault 16: an OSError ended the batch; its message was empty or cryptic."""
    (tmp_path / "file").touch()
    cases = {
        "x" * 300 + ".wav": "File name too long",
        "file/a.wav": "Not a directory",
        "missing/a.flac": "No such file or directory",
        os.fsdecode(b"b\xe9") + "/a.ogg": "No such file or directory",
    }
    for name, why in cases.items():
        with pytest.raises(AudioError, match=rf"cannot be written \({why}\)") as caught:
            audio.write(tmp_path / name, music(10), 44_100)
        assert str(caught.value).isprintable()
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_without_permission_is_named(unprivileged, music):
    """Issue 14, fault 16."""
    (unprivileged / "locked").mkdir(mode=0o500)
    with pytest.raises(AudioError, match=r"locked/a\.wav: cannot be written \(Permission denied\)"):
        audio.write(unprivileged / "locked" / "a.wav", music(10), 44_100)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_a_full_disk_is_named(tmp_path, music, suffix):
    """Issue 14, fault 16: the message of a full disk was empty in places. /dev/full is always full."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    sound = music(200_000, 2, 48_000)

    def fill() -> None:
        with audio.Writer(tmp_path / f"a{suffix}", 48_000, 2) as writer:
            assert writer._sink is not None
            writer._sink._file.close()
            writer._sink._file = os.fdopen(os.open("/dev/full", os.O_RDWR), "rb+", buffering=0)
            writer.write(sound)
            writer.write(sound)

    with pytest.raises(AudioError, match=r"cannot be written \(No space left on device\); check"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_caller_passes_unchanged(tmp_path, music):
    """Issue 14, fault 16: an OSError of other work is not told as one of this file."""

    def fail() -> None:
        with audio.Writer(tmp_path / "a.wav", 44_100, 1) as writer:
            writer.write(music(10))
            raise OSError("of another file")

    with pytest.raises(OSError, match="of another file"):
        fail()
    assert list(tmp_path.iterdir()) == []
