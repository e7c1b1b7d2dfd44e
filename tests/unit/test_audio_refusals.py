from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from celesta import audio
from celesta.errors import AudioError, UsageError


def refused(path: Path, match: str) -> None:
    """All three ways of opening refuse the file in one line that names it."""
    for attempt in (audio.probe, audio.read, audio.stream):
        with pytest.raises(AudioError, match=match) as caught:
            attempt(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_things_that_are_no_sound_file(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp3").write_text("These are words, and not a sound.\n" * 100)
    (tmp_path / "short.wav").write_bytes(b"RIFF")
    (tmp_path / "half.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00")
    os.mkfifo(tmp_path / "pipe.wav")
    refused(tmp_path / "missing.wav", "no such file")
    refused(tmp_path, "is a folder")
    refused(tmp_path / "empty.wav", "is empty")
    refused(tmp_path / "text.mp3", "is not an audio file of a known format")
    refused(tmp_path / "short.wav", "is not an audio file of a known format")
    refused(tmp_path / "half.wav", "cut short")
    refused(tmp_path / "pipe.wav", "not a regular file")


def test_rates_and_channels_of_files_outside_the_limits(tmp_path):
    soundfile.write(tmp_path / "slow.wav", np.zeros(100), 4_000)
    soundfile.write(tmp_path / "fast.wav", np.zeros(100), 384_000)
    soundfile.write(tmp_path / "many.wav", np.zeros((100, 9)), 44_100)
    refused(tmp_path / "slow.wav", "4000 Hz; 8000 to 192000 Hz")
    refused(tmp_path / "fast.wav", "384000 Hz")
    refused(tmp_path / "many.wav", "9 channels")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_that_are_no_sound_are_refused_with_their_place(tmp_path, music, bad, subtype):
    sound = music(100_000, 2).T.astype(np.float64)
    sound[70_000, 1] = bad
    soundfile.write(tmp_path / "a.wav", sound, 44_100, subtype=subtype)
    with pytest.raises(AudioError, match=r"a\.wav: sample 70000 \(1\.587 s\) of channel 2"):
        audio.read(tmp_path / "a.wav", mono=True)
    with pytest.raises(AudioError, match="sample 70000"):
        list(audio.stream(tmp_path / "a.wav", sample_rate=22_050))
    assert audio.read(tmp_path / "a.wav", duration=1.5).samples.shape == (2, 66_150)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        *(("WAV", s) for s in ("MS_ADPCM", "IMA_ADPCM", "G721_32", "NMS_ADPCM_16", "GSM610")),
        *(("W64", s) for s in ("MS_ADPCM", "IMA_ADPCM")),
        *(("AIFF", s) for s in ("IMA_ADPCM", "DWVW_16")),
        *(("AU", s) for s in ("G721_32", "G723_24")),
    ],
)
def test_adpcm_and_its_like_never_reach_libsndfile(tmp_path, music, monkeypatch, name, subtype):
    data = tmp_path / "plain"
    soundfile.write(data, music(5_000, 1, 8_000)[0], 8_000, format=name, subtype=subtype)
    (tmp_path / "tagged.mp3").write_bytes(b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128) + data.read_bytes())

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("libsndfile saw the file")

    monkeypatch.setattr(soundfile.SoundFile, "__init__", opened)
    monkeypatch.setattr(soundfile.SoundFile, "__del__", lambda self: None)
    refused(data, "is not supported; convert it")
    refused(tmp_path / "tagged.mp3", "is not supported; convert it")


def test_adpcm_behind_the_extensible_format_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(5_000), 8_000, format="WAVEX", subtype="PCM_16")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[44:46] = struct.pack("<H", 0x0002)
    (tmp_path / "a.wav").write_bytes(data)
    refused(tmp_path / "a.wav", "ADPCM 0x0002")


def test_arguments_out_of_range(tmp_path, music):
    audio.write(tmp_path / "a.wav", music(44_100), 44_100)
    for options in ({"start": -1}, {"start": float("nan")}, {"duration": 0}, {"duration": -1}, {"start": float("inf")}):
        with pytest.raises(UsageError, match="seconds"):
            audio.read(tmp_path / "a.wav", **options)
    with pytest.raises(UsageError, match="block"):
        audio.stream(tmp_path / "a.wav", block=0)
    with pytest.raises(AudioError, match=r"no audio at 1\.5 s; it ends at 1\.000 s"):
        audio.read(tmp_path / "a.wav", start=1.5)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_a_cut_file_gives_what_is_there_and_a_warning(tmp_path, music, suffix):
    whole = tmp_path / f"whole{suffix}"
    cut = tmp_path / f"cut{suffix}"
    audio.write(whole, music(96_000, 2, 48_000), 48_000)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    with pytest.warns(audio.AudioWarning, match=rf"cut{suffix}: damaged or cut short, read only up to [01]\.\d+ s"):
        part = audio.read(cut).samples
    assert 24_000 < part.shape[1] < 90_000
    assert np.array_equal(part[:, :-2_000], audio.read(whole).samples[:, : part.shape[1] - 2_000])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio.read(cut, duration=0.25)  # lies before the damage
    cut.write_bytes(data[:44])
    with pytest.raises(AudioError, match=f"cut{suffix}"):
        audio.read(cut)


def test_mp3_of_variable_bitrate_without_xing_header_is_read_whole(tmp_path, music):
    loud = np.random.default_rng(0).uniform(-0.9, 0.9, (1, 480_000)).astype(np.float32)
    sound = np.concatenate([np.zeros((1, 48_000), np.float32), loud], axis=1)
    audio.write(tmp_path / "a.mp3", sound, 48_000)
    data = (tmp_path / "a.mp3").read_bytes()
    bare = data[data.index(data[:2], 100) :]  # without its first frame, which holds the Xing header
    for name, content in {"bare": bare, "tag": bare + b"TAG" + bytes(125), "padded": bytes(1_000) + bare}.items():
        path = tmp_path / f"{name}.mp3"
        path.write_bytes(content)
        assert 528_000 <= audio.probe(path).n_samples < 528_000 + 4 * 1_152
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert audio.read(path).samples.shape == (1, audio.probe(path).n_samples)


def test_mp3_behind_a_large_picture(tmp_path, music):
    audio.write(tmp_path / "a.mp3", music(48_000, 1, 48_000), 48_000)
    size = 2_000_000
    tag = b"ID3\x04\x00\x00" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + bytes(size)
    (tmp_path / "b.mp3").write_bytes(tag + (tmp_path / "a.mp3").read_bytes())
    assert np.array_equal(audio.read(tmp_path / "b.mp3").samples, audio.read(tmp_path / "a.mp3").samples)


def test_flac_of_unknown_length_is_read_whole(tmp_path, music):
    audio.write(tmp_path / "a.flac", music(100_000), 44_100)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "b.flac").write_bytes(data)
    assert audio.probe(tmp_path / "b.flac").n_samples == 0
    assert np.array_equal(audio.read(tmp_path / "b.flac").samples, audio.read(tmp_path / "a.flac").samples)


@pytest.mark.parametrize("name", ["WAV", "RF64"])
@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_wav_from_a_pipe_is_read_whole_without_a_warning(tmp_path, music, name, length):
    """A length of 0 was refused; FFmpeg reads such files to the end."""
    file, x = tmp_path / "a.wav", music(30_000, 2)
    soundfile.write(file, x.T, 44_100, format=name, subtype="FLOAT")
    data = bytearray(file.read_bytes())
    data[4:8] = data[data.index(b"data") + 4 : data.index(b"data") + 8] = struct.pack("<I", length)
    if name == "RF64":
        data[20:44] = bytes(24)  # the sizes of ds64
    file.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(audio.read(file).samples, x)
        assert np.array_equal(audio.read(file, start=0.5, duration=0.1).samples, x[:, 22_050:26_460])
    soundfile.write(file, np.zeros((0, 2)), 44_100)
    file.write_bytes(file.read_bytes() + b"LIST" + struct.pack("<I", 2_000) + bytes(2_000))
    with pytest.raises(AudioError, match="holds no audio"):  # metadata follow, and no samples
        audio.read(file)
