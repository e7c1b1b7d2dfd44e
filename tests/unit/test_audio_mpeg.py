from __future__ import annotations

import ctypes
import os
import struct
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from celesta import audio
from celesta.audio._stderr import caught_stderr
from celesta.errors import AudioError

N = 200_000
ID3V1 = b"TAG" + b"Title".ljust(125, b"\0")
ID3V2 = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
APE = struct.pack("<8sIIII8x", b"APETAGEX", 2_000, 32, 1, 0xA0000000) + b"a".ljust(32, b"x")
APE += struct.pack("<8sIIII8x", b"APETAGEX", 2_000, 64, 1, 0x80000000)
LYRICS = b"LYRICSBEGIN" + b"IND00003000" + b"000020LYRICS200"


@pytest.fixture(scope="module")
def songs(tmp_path_factory, music) -> dict[str, bytes]:
    """Three small MP3 files of variable bitrate."""
    folder = tmp_path_factory.mktemp("mp3")
    quiet = music(N, 2)
    quiet[:, : N // 4] = 0
    sounds = {"a": music(N, 2), "b": music(N // 2, 2, seed=1), "quiet": quiet, "mono": music(N // 2, 1)}
    for name, sound in sounds.items():
        audio.write(folder / f"{name}.mp3", sound, 44_100)
    audio.write(folder / "slow.mp3", music(50_000, 2, 24_000), 24_000)
    return {path.stem: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def read(tmp_path) -> Callable[[bytes], np.ndarray]:
    """Read the bytes of an MP3 file; any warning is an error."""

    def quietly(data: bytes) -> np.ndarray:
        (tmp_path / "x.mp3").write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            samples = audio.read(tmp_path / "x.mp3").samples
            assert audio.info(tmp_path / "x.mp3").n_samples == samples.shape[1]
        return samples

    return quietly


def with_count(data: bytes, count: int) -> bytes:
    at = data.index(b"Xing") + 8
    return data[:at] + struct.pack(">I", count) + data[at + 4 :]


@pytest.mark.parametrize("name", ["a", "quiet"])
@pytest.mark.parametrize("count", [0, 1, 20, 170, 1_000, 2**30, 2**32 - 1])
def test_a_wrong_count_in_the_xing_header_changes_nothing(songs, read, name, count):
    """Issue 14, fault 5: a header with 0 frames gave a seventh of the song, silently."""
    expected = read(songs[name])
    assert expected.shape == (2, N)
    assert np.array_equal(read(with_count(songs[name], count)), expected)


@pytest.mark.parametrize(
    "between", [b"", ID3V1, ID3V2, APE, APE + ID3V1 + ID3V2, LYRICS + ID3V1, bytes(5_000), ID3V1 + bytes(3_000)]
)
def test_joined_files_are_read_one_after_the_other(songs, read, between):
    """Issue 14, fault 5: the second file was lost silently where tags stood between the two."""
    parts = [read(songs["a"]), read(songs["b"]), read(songs["quiet"])]
    joined = read(between.join([songs["a"], songs["b"], songs["quiet"]]) + between)
    assert np.array_equal(joined, np.concatenate(parts, axis=1))


def test_a_joined_file_with_other_channels_gets_those_of_the_first(songs, read):
    """Issue 14, fault 5."""
    stereo, mono = read(songs["a"]), read(songs["mono"])
    assert np.array_equal(read(songs["a"] + ID3V2 + songs["mono"]), np.concatenate([stereo, mono[[0, 0]]], axis=1))
    mixed = stereo.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    assert np.array_equal(read(songs["mono"] + ID3V1 + songs["a"]), np.concatenate([mono, mixed], axis=1))


def test_a_joined_file_of_another_sample_rate_is_named(tmp_path, songs):
    """Issue 14, fault 5: what is left over is said."""
    (tmp_path / "x.mp3").write_bytes(songs["a"] + ID3V2 + songs["slow"])
    with pytest.warns(audio.AudioWarning, match=r"up to 4\.535 s: a part with another sample rate \(24000 Hz\)"):
        assert audio.read(tmp_path / "x.mp3").samples.shape == (2, N)


def test_junk_behind_the_last_frame_is_named(tmp_path, songs):
    """Issue 14, fault 5: what is left over is said."""
    (tmp_path / "x.mp3").write_bytes(songs["a"] + b"This is no audio. " * 100)
    with pytest.warns(audio.AudioWarning, match=r"up to 4\.535 s: the last 1800 bytes are not MPEG audio"):
        assert audio.read(tmp_path / "x.mp3").samples.shape == (2, N)


@pytest.mark.parametrize("name", ["a", "quiet"])
@pytest.mark.parametrize("fill", ["zeros", "noise"])
def test_audio_behind_damage_keeps_its_time(tmp_path, songs, read, name, fill, capfd):
    """Issue 14, fault 19: 4 KiB of zeros lost the rest of the song; libmpg123 wrote to the terminal."""
    expected = read(songs[name])
    rng = np.random.default_rng(0)
    data = bytearray(songs[name])
    at = len(data) * 3 // 5
    data[at : at + 4_096] = bytes(4_096) if fill == "zeros" else rng.integers(0, 256, 4_096, dtype=np.uint8).tobytes()
    (tmp_path / "x.mp3").write_bytes(data)
    with pytest.warns(audio.AudioWarning, match=r"x\.mp3: damaged: 0\.\d{3} s of audio are lost and silent, at") as w:
        samples = audio.read(tmp_path / "x.mp3").samples
    assert samples.shape == expected.shape
    wrong = np.flatnonzero(np.abs(samples - expected).max(axis=0) > 1e-4)
    mean = 4_096 / len(data) * N
    assert mean * 0.5 < wrong[-1] - wrong[0] < mean * 2 + 6 * 1_152
    said = float(str(w[0].message).split(" at ")[1].split()[0].rstrip(";"))
    assert abs(said - wrong[0] / 44_100) < 0.1
    with pytest.raises(AudioError, match="are lost"):
        audio.read(tmp_path / "x.mp3", strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = audio.read(tmp_path / "x.mp3", duration=wrong[0] / 44_100 - 0.1).samples
        after = audio.read(tmp_path / "x.mp3", start=wrong[-1] / 44_100 + 0.1).samples
    assert np.array_equal(before, expected[:, : before.shape[1]])
    assert np.array_equal(after, expected[:, -after.shape[1] :])
    assert capfd.readouterr() == ("", "")


def test_junk_between_frames_costs_no_time(songs, read):
    """Issue 14, fault 5: what decodes is the truth."""
    expected = read(songs["a"])
    frames = [i for i in range(len(songs["a"]) - 1) if songs["a"][i : i + 2] == songs["a"][:2]]
    at = frames[len(frames) // 2]
    junk = read(songs["a"][:at] + b"junk" * 20 + songs["a"][at:])
    assert np.array_equal(junk, expected)


def test_wrong_bits_within_frames_are_said_and_libmpg123_is_quiet(tmp_path, songs, capfd):
    """Issue 14, fault 5: lines of libmpg123 on the terminal become a warning with a time."""
    said = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        data = bytearray(songs["a"])
        for place in rng.integers(3_000, len(data), 40):
            data[place] ^= int(rng.integers(1, 256))
        (tmp_path / "x.mp3").write_bytes(data)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            samples = audio.read(tmp_path / "x.mp3").samples
            blocks = list(audio.stream(tmp_path / "x.mp3", block=777))
        said += any("x.mp3: damaged: " in str(w.message) for w in caught)
        assert samples.shape == (2, N)
        assert np.abs(samples).max() <= 8
        assert np.array_equal(np.concatenate(blocks, axis=1), samples)
    assert said >= 5  # wrong bits that decode to something cannot be noticed
    assert capfd.readouterr() == ("", "")


def test_mp2_is_read_in_full_without_a_warning(tmp_path, music):
    """Issue 14, fault 11: good MP2 files of 44.1 kHz were called damaged."""
    av = pytest.importorskip("av", reason="PyAV (celesta[av]) is not installed")
    sound = music(100_000, 2)
    for rate in (44_100, 48_000, 22_050):
        with av.open(str(tmp_path / "a.mp2"), "w") as container:
            stream = container.add_stream("mp2", rate=rate, layout="stereo", bit_rate=128_000)
            convert = av.AudioResampler(format="s16", frame_size=1_152)
            frame = av.AudioFrame.from_ndarray(sound, "fltp", "stereo")
            frame.sample_rate = rate
            for part in [*convert.resample(frame), *convert.resample(None), None]:
                container.mux(stream.encode(part))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            samples = audio.read(tmp_path / "a.mp2").samples
        assert 100_000 <= samples.shape[1] < 100_000 + 2 * 1_152
        assert samples.shape[1] == audio.info(tmp_path / "a.mp2").n_samples
        delay = 481  # of the analysis and synthesis filters
        assert np.abs(samples[:, delay : delay + 90_000] - sound[:, :90_000]).mean() < 0.01


def test_the_c_library_s_standard_error_comes_back(tmp_path, songs, capfd):
    """Issue 14, fault 5: nothing of the process changes, in any number of threads."""
    libc = ctypes.CDLL(None)
    (tmp_path / "a.mp3").write_bytes(songs["a"])
    stop = threading.Event()

    def read_again() -> None:
        while not stop.is_set():
            audio.read(tmp_path / "a.mp3")

    threads = [threading.Thread(target=read_again) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(200):
        libc.perror(f"line {i}".encode())
        os.write(2, f"direct {i}\n".encode())
    stop.set()
    for thread in threads:
        thread.join()
    libc.perror(b"last")
    text = capfd.readouterr().err
    assert all(f"line {i}:" in text and f"direct {i}\n" in text for i in range(200))
    assert "last:" in text
    with pytest.raises(KeyError), caught_stderr():
        raise KeyError
    libc.perror(b"after")
    assert "after:" in capfd.readouterr().err


def test_a_file_without_one_complete_frame_is_refused(tmp_path, songs):
    """Issue 14, fault 5."""
    first = songs["a"].index(songs["a"][:2], 100)
    (tmp_path / "x.mp3").write_bytes(songs["a"][: first + 100])
    with pytest.raises(AudioError, match=r"x\.mp3: holds no complete MPEG frame"):
        audio.read(tmp_path / "x.mp3")


def test_names_of_any_bytes_in_messages(tmp_path, songs):
    """Issue 14, fault 4: a name that is not UTF-8 or holds control characters is printed escaped."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe9\x1b[31m\n.mp3"))
    path.write_bytes(songs["a"][: len(songs["a"]) // 2])
    with pytest.warns(audio.AudioWarning) as caught:
        audio.read(path)
    assert r"/b\xe9\x1b[31m\n.mp3: damaged or cut short" in str(caught[0].message)
