from __future__ import annotations

import os
import warnings
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celesta import audio
from celesta.errors import AudioError

RATES = (8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000)
rates = st.one_of(st.sampled_from(RATES), st.integers(8_000, 192_000))


def snr(reference: np.ndarray, other: np.ndarray) -> float:
    error = np.sum((reference.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / max(error, 1e-30)))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_lossless_files_keep_24_bits_and_the_length(tmp_path, music, suffix, channels, rate):
    for n in (1, 2, 4_097):
        sound = music(n, channels, rate)
        audio.write(tmp_path / f"a{suffix}", sound, rate)
        back = audio.read(tmp_path / f"a{suffix}")
        assert back.sample_rate == rate
        assert back.samples.dtype == np.float32
        assert back.samples.shape == sound.shape
        assert np.abs(back.samples - sound).max() <= 2**-24


@pytest.mark.parametrize(("suffix", "subtype"), [(".wav", "PCM_16"), (".flac", "PCM_16"), (".wav", "PCM_24")])
def test_integer_samples_come_back_as_the_same_integers(tmp_path, suffix, subtype):
    every = np.arange(-(2**15), 2**15, dtype=np.int16)
    soundfile.write(tmp_path / f"a{suffix}", every, 44_100, subtype="PCM_16")
    audio.write(tmp_path / f"b{suffix}", audio.read(tmp_path / f"a{suffix}"), subtype=subtype)
    again, _ = soundfile.read(tmp_path / f"b{suffix}", dtype="int16")
    assert np.array_equal(again, every)


def test_float_wav_keeps_every_bit(tmp_path, music):
    sound = 3 * music(1_000, 2)
    audio.write(tmp_path / "a.wav", sound, 44_100, subtype="FLOAT")
    assert np.array_equal(audio.read(tmp_path / "a.wav").samples, sound)


@pytest.mark.parametrize(
    ("suffix", "rate", "written_rate", "channels"),
    [
        *((".ogg", r, r, c) for r in (8_000, 44_100, 192_000) for c in (1, 2, 8)),
        *((".opus", r, w, c) for r, w in ((8_000, 8_000), (22_050, 24_000), (44_100, 48_000)) for c in (1, 2, 8)),
        *((".mp3", r, w, c) for r, w in ((8_000, 8_000), (30_000, 32_000), (44_100, 44_100)) for c in (1, 2)),
        (".opus", 96_000, 48_000, 1),
        (".mp3", 96_000, 48_000, 1),
    ],
)
def test_lossy_files_keep_length_and_alignment(tmp_path, music, suffix, rate, written_rate, channels):
    for n in (1, 1_000, 2 * rate + 7):
        sound = music(n, channels, rate)
        audio.write(tmp_path / f"a{suffix}", sound, rate)
        back = audio.read(tmp_path / f"a{suffix}")
        assert back.sample_rate == written_rate
        assert back.samples.shape == (channels, audio.resampled_length(n, rate, written_rate))
        assert np.isfinite(back.samples).all()
    expected = audio.resample(sound, rate, written_rate)
    assert snr(expected, back.samples) > 4  # a shift by even some samples gives less than 0


def test_a_large_vorbis_write_does_not_crash(tmp_path, music):
    sound = np.tile(music(44_100, 2), 30)
    audio.write(tmp_path / "a.ogg", sound, 44_100)
    assert audio.probe(tmp_path / "a.ogg").n_samples == sound.shape[1]


@pytest.mark.parametrize("name", ["AIFF", "AU", "W64", "RF64", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_other_plain_containers(tmp_path, music, name, subtype):
    sound = music(5_000, 2)
    soundfile.write(tmp_path / "sound", sound.T, 44_100, format=name, subtype=subtype)
    info = audio.probe(tmp_path / "sound")
    assert (info.format, info.subtype, info.n_samples) == (name, subtype, 5_000)
    assert np.abs(audio.read(tmp_path / "sound").samples - sound).max() < (0.05 if subtype == "ULAW" else 2**-15)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_stream_gives_the_samples_of_read_in_any_blocks(tmp_path, music, suffix):
    audio.write(tmp_path / f"a{suffix}", music(100_000, 2, 48_000), 48_000)
    for options in ({}, {"mono": True}, {"sample_rate": 22_050}, {"sample_rate": 96_000, "mono": True}):
        whole = audio.read(tmp_path / f"a{suffix}", **options).samples
        for block in (997, 4_096, 65_536, 1_000_000):
            blocks = list(audio.stream(tmp_path / f"a{suffix}", block=block, **options))
            assert np.array_equal(np.concatenate(blocks, axis=1), whole)
            assert all(b.shape[1] == block for b in blocks[:-1])


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_an_excerpt_is_a_slice_of_the_whole(tmp_path, music, suffix):
    rate = 44_100 if suffix == ".ogg" else 48_000
    n = 200_000
    audio.write(tmp_path / f"a{suffix}", music(n, 2, rate), rate)
    whole = audio.read(tmp_path / f"a{suffix}").samples
    # libsndfile's own jumps give wrong samples at some of these places in the Vorbis and in the Opus file.
    for first, length in ((0, 1), (1, 500), (24_000, 24_000), (50_010, 300), (197_400, 300), (n - 10, 10), (n - 1, 1)):
        part = audio.read(tmp_path / f"a{suffix}", start=first / rate, duration=length / rate).samples
        assert np.array_equal(part, whole[:, first : first + length])
    assert audio.read(tmp_path / f"a{suffix}", start=1.0, duration=9.0).samples.shape == (2, n - rate)


def test_mono_is_the_mean_of_the_channels(tmp_path, music):
    sound = music(1_000, 3)
    audio.write(tmp_path / "a.wav", sound, 44_100, subtype="FLOAT")
    mono = audio.read(tmp_path / "a.wav", mono=True).samples
    assert mono.shape == (1, 1_000)
    assert np.allclose(mono[0], sound.mean(axis=0), atol=1e-7)


def test_probe_reads_tags_of_every_format(tmp_path, music):
    for suffix in (".flac", ".ogg", ".opus", ".mp3"):
        path = tmp_path / f"a{suffix}"
        audio.write(path, music(24_000, 2, 48_000), 48_000)
        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        file.tags["title"] = ["Für\nElise"]
        file.tags["artist"] = ["A", "B"]
        file.save()
        info = audio.probe(path)
        assert info.tags["title"] == "Für Elise"
        assert info.tags["artist"] == "A; B"
        assert (info.path, info.sample_rate, info.channels, info.n_samples) == (path, 48_000, 2, 24_000)
        assert info.duration == 0.5
        assert audio.read(path).samples.shape == (2, 24_000)


def test_the_most_important_tags_are_read_where_there_are_too_many(tmp_path, music):
    """Issue 14, item 6: of 300 tags 64 were read, in another order in each process; the artist was lost silently."""
    audio.write(tmp_path / "a.flac", music(1_000), 44_100)
    file = mutagen.File(tmp_path / "a.flac")
    for k in range(300):
        file[f"key{k}"] = "x"
    file["artist"], file["title"] = "A", "T"
    file.save()
    tags = audio.probe(tmp_path / "a.flac").tags
    assert list(tags) == ["title", "artist", *(f"key{k}" for k in range(62))]


def test_damaged_tags_do_not_fail_the_probe(tmp_path, music, monkeypatch):
    audio.write(tmp_path / "a.flac", music(100), 44_100)

    def broken(*_: object, **__: object) -> None:
        raise KeyError("broken")

    monkeypatch.setattr(mutagen, "File", broken)
    assert audio.probe(tmp_path / "a.flac").tags == {}


def test_file_names_of_any_bytes(tmp_path, music):
    for name in (b"\xff\xfe caf\xe9.flac", "日本語の曲 ".encode() * 8 + b".ogg", b"a 'b' %s {c}.wav"):
        path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
        audio.write(path, music(500), 44_100)
        assert audio.read(path).samples.shape == (1, 500)
        assert audio.probe(path).n_samples == 500


def test_find_audio(tmp_path):
    for name in ("b/2.MP3", "b/1.wav", "a.flac", "note.txt", ".hidden.wav", ".git/x.wav", "c.m4a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in audio.find_audio(tmp_path)] == [
        "a.flac", "b/1.wav", "b/2.MP3", "c.m4a",
    ]  # fmt: skip
    assert audio.find_audio(tmp_path / "note.txt") == [tmp_path / "note.txt"]
    with pytest.raises(AudioError, match="no such file or folder"):
        audio.find_audio(tmp_path / "nothing")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(1, 9_000),
    rate=rates,
    to=rates,
    channels=st.integers(1, 8),
    suffix=st.sampled_from([".wav", ".flac", ".ogg"]),
)
def test_any_length_rate_and_number_of_channels(tmp_path, n, rate, to, channels, suffix):
    sound = np.random.default_rng(n).uniform(-0.5, 0.5, (channels, n)).astype(np.float32)
    if suffix == ".flac" and rate > 65_535 and rate % 10:
        with pytest.raises(AudioError, match="multiple of 10 Hz"):
            audio.write(tmp_path / "a.flac", sound, rate)
        return
    audio.write(tmp_path / f"a{suffix}", sound, rate)
    assert audio.read(tmp_path / f"a{suffix}").samples.shape == (channels, n)
    mono = audio.read(tmp_path / f"a{suffix}", sample_rate=to, mono=True)
    assert mono.samples.shape == (1, audio.resampled_length(n, rate, to))


@pytest.mark.real
def test_real_music_is_read_whole_and_without_warnings(real_music):
    files = audio.find_audio(real_music)[::100]
    assert files
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for file in files:
            samples = audio.read(file, mono=True).samples
            assert samples.shape == (1, audio.probe(file).n_samples)
            assert 0.001 < np.abs(samples).max() < 2
