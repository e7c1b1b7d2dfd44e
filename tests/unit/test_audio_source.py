from __future__ import annotations

import builtins
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from celesta import audio
from celesta.errors import AudioError, UsageError


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_a_source_is_read_in_any_pieces_and_rewound(tmp_path, music, suffix):
    path = tmp_path / f"a{suffix}"
    audio.write(path, music(100_000, 2, 48_000), 48_000)
    expected = audio.read(path).samples
    with audio.AudioSource(path) as source:
        assert (source.sample_rate, source.channels, source.n_samples) == (48_000, 2, 100_000)
        assert source.info == audio.info(path) == audio.probe(path)
        for size in (1_000, 70_000):
            parts = []
            while (part := source.read(size)).shape[1]:
                parts.append(part)
                assert source.position == sum(p.shape[1] for p in parts)
            assert np.array_equal(np.concatenate(parts, axis=1), expected)
            source.rewind()
        for place in (99_990, 5, 50_000, 50_001, 0):
            assert source.seek(place) == source.position == place
            assert np.array_equal(source.read(10), expected[:, place : place + 10])
        assert source.seek(200_000) == 100_000
        assert source.read(10).shape == (2, 0)
        with pytest.raises(UsageError, match="first one is 0"):
            source.seek(-1)


def test_a_source_gives_its_blocks_again_and_again(tmp_path, music):
    audio.write(tmp_path / "a.wav", music(100_000, 2), 44_100)
    options = {"sample_rate": 22_050, "mono": True, "start": 0.5, "duration": 1.0}
    with audio.AudioSource(tmp_path / "a.wav") as source:
        for _ in range(2):
            got = np.concatenate(list(source.blocks(block=999, **options)), axis=1)
            assert np.array_equal(got, audio.read(tmp_path / "a.wav", **options).samples)


def test_one_file_is_opened_once_for_header_tags_and_samples(tmp_path, music, monkeypatch):
    """Issue 13, section 1: an MP3 of variable bitrate was inspected anew for each question."""
    audio.write(tmp_path / "a.mp3", music(100_000, 2), 44_100)
    opened: list[object] = []
    real: Callable = builtins.open

    def counted(file, *rest, **options):
        opened.append(file)
        return real(file, *rest, **options)

    monkeypatch.setattr(builtins, "open", counted)
    with audio.AudioSource(tmp_path / "a.mp3") as source:
        count = len(opened)
        assert count <= 2
        for _ in source.blocks():
            pass
        assert source.info.n_samples == source.position == 100_000
        assert len(opened) <= count + 1  # the tags


def test_a_strict_source_raises_where_the_others_warn(tmp_path, music):
    """Issue 14, fault 19: a caller may ask for an error instead of a warning."""
    audio.write(tmp_path / "a.wav", music(48_000), 48_000)
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[: len(data) // 2])
    with pytest.warns(audio.AudioWarning, match="cut short"):
        audio.read(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=r"a\.wav: damaged or cut short"):
        audio.read(tmp_path / "a.wav", strict=True)
    with pytest.raises(AudioError, match=r"a\.wav: damaged or cut short"):
        list(audio.stream(tmp_path / "a.wav", strict=True))
    assert audio.read(tmp_path / "a.wav", strict=True, duration=0.25).samples.shape == (1, 12_000)


def test_audio_prints_short_and_plays_in_notebooks(music):
    """Issue 14, fault 27: `repr` is one short line, notebooks show a player."""
    sound = audio.Audio(music(44_100, 2), 44_100)
    assert repr(sound) == "Audio(2 channels, 44100 Hz, 1.000 s)"
    assert repr(audio.Audio(music(10), 8_000)) == "Audio(1 channel, 8000 Hz, 0.001 s)"
    for one in (sound, audio.Audio(music(9_600, 6, 96_000), 96_000), audio.Audio(3 * music(44_100), 44_100)):
        html = one._repr_html_()
        assert html.startswith('<audio controls src="data:audio/mpeg;base64,')
        assert len(html) < 60_000
    assert audio.Audio(music(0), 8_000)._repr_html_() == "<p>Audio(1 channel, 8000 Hz, 0.000 s)</p>"


LOCALES = """
import os, sys, warnings
import mutagen
import numpy as np
from celesta import audio
from celesta.errors import AudioError
folder = os.fsencode(sys.argv[1])
sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 48_000)).astype(np.float32)
for suffix in (".wav", ".flac", ".ogg", ".opus", ".mp3"):
    for name in (b"b\\xe9", b"\\xff\\x1b[2J\\x07", "日本".encode()):
        path = os.fsdecode(os.path.join(folder, name + suffix.encode()))
        audio.write(path, sound, 48_000)
        if suffix != ".wav":
            with open(path, "rb+") as file:
                tags = mutagen.File(file, easy=True)
                if tags.tags is None:
                    tags.add_tags()
                tags["title"] = "Für"
                file.seek(0)
                tags.save(file)
        assert audio.read(path).samples.shape == (2, 48_000)
        info = audio.info(path)
        assert suffix == ".wav" or info.tags["title"] == "Für", info
        with open(path, "rb+") as file:
            file.truncate(os.path.getsize(path) * 3 // 4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            audio.read(path)
        text = str(caught[0].message)
        assert text.isprintable() and "\\x1b" not in text, text
        text.encode("utf-8")
        try:
            audio.read(path + "x")
            sys.exit("read")
        except AudioError as error:
            assert str(error).isprintable(), error
            print(error)
found = audio.find_audio(sys.argv[1])
assert len(found) == 15, found
print("fine")
"""


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C.UTF-8"},
        {"LC_ALL": "en_US.UTF-8"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=lambda locale: "-".join(locale.values()),
)
def test_names_of_any_bytes_in_every_locale(tmp_path, locale):
    """Issue 14, fault 4: reading, writing, tags and messages with names that are not UTF-8."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **locale}
    env.pop("PYTHONIOENCODING", None)
    (tmp_path / "script.py").write_text(LOCALES, encoding="utf-8")
    (tmp_path / "music").mkdir()
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "music")]
    done = subprocess.run(command, env=env, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert done.stdout.rstrip().endswith(b"fine")
