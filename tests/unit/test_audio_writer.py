from __future__ import annotations

import stat

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
    with pytest.warns(audio.AudioWarning, match=r"a\.wav: 2 samples beyond full scale were clipped") as caught:
        audio.write(tmp_path / "a.wav", sound, 44_100, subtype="PCM_16")
    assert len(caught) == 1
    top = 32_767 / 32_768
    assert audio.read(tmp_path / "a.wav").samples.tolist() == [[0.5, top, top, -1.0, -1.0]]


def test_what_the_writer_refuses(tmp_path, music, monkeypatch):
    sound = music(100, 1)
    cases = [
        ("a.xyz", sound, {}, "can't write '.xyz' files"),
        ("a", sound, {}, "can't write '' files"),
        ("a.mp3", music(100, 3), {}, r"3 channels; a \.mp3 file takes 1 to 2"),
        ("a.wav", music(100, 9), {}, "9 channels"),
        ("a.mp3", music(100, 2), {"subtype": "PCM_16"}, "PCM_16 is no subtype"),
        ("a.flac", sound, {"subtype": "FLOAT"}, "FLOAT is no subtype"),
        ("a.wav", sound[:, :0], {}, "not one sample"),
        ("a.wav", (sound * 1000).astype(np.int16), {}, "give floats"),
        ("a.wav", sound.astype(np.float64) * 1e300, {}, "not finite, or far too loud"),
        ("a.wav", sound[None], {}, "expected"),
        ("no/such/folder/a.wav", sound, {}, "can't be written there"),
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
