from __future__ import annotations

import struct
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from celesta import audio
from celesta.audio._ogg import ogg_checksum
from celesta.errors import AudioError

N = 300_000
RATE = 48_000


def pages(data: bytes) -> list[tuple[int, int]]:
    """Start and end of each page."""
    found, at = [], 0
    while at < len(data):
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        found.append((at, at + 27 + len(lacing) + sum(lacing)))
        at = found[-1][1]
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory, music) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("ogg")
    for suffix in ("ogg", "opus"):
        audio.write(folder / f"a.{suffix}", music(N, 2, RATE), RATE)
        audio.write(folder / f"b.{suffix}", music(N // 3, 2, RATE, seed=1), RATE)
        audio.write(folder / f"mono.{suffix}", music(N // 3, 1, RATE), RATE)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def read(tmp_path) -> Callable[..., np.ndarray]:
    """Read the bytes of an Ogg file; any warning is an error."""

    def quietly(data: bytes, name: str) -> np.ndarray:
        (tmp_path / name).write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return audio.read(tmp_path / name).samples

    return quietly


def test_the_checksum_is_that_of_libogg(files):
    for data in files.values():
        for start, stop in pages(data):
            page = data[start:stop]
            assert ogg_checksum(page[:22] + bytes(4) + page[26:]) == struct.unpack("<I", page[22:26])[0]


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
@pytest.mark.parametrize("kind", ["bit", "zeros", "missing"])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_audio_behind_a_damaged_page_keeps_its_time(files, read, tmp_path, name, kind, place):
    """Issue 14, fault 19, in Ogg: a damaged page shifted everything behind it, sometimes without a word."""
    expected = read(files[name], name)
    data = bytearray(files[name])
    found = [span for span in pages(files[name]) if span[0] > 3_000 or name == "a.opus"][2:]
    start, stop = {"first": found[0], "middle": found[len(found) // 2], "last": found[-1]}[place]
    if kind == "bit":
        data[(start + stop) // 2] ^= 1
    elif kind == "zeros":
        data[start + 10 : start + 60] = bytes(50)
    else:
        del data[start:stop]
    (tmp_path / name).write_bytes(data)
    with pytest.warns(audio.AudioWarning, match="damaged") as caught:
        samples = audio.read(tmp_path / name).samples
    assert len(caught) == 1
    with pytest.raises(AudioError, match="damaged"):
        audio.read(tmp_path / name, strict=True)
    if place == "last":
        assert N - 3 * RATE < samples.shape[1] < N
        assert np.array_equal(samples[:, :-2_000], expected[:, : samples.shape[1] - 2_000])
        return
    assert samples.shape == expected.shape
    wrong = np.flatnonzero(np.abs(samples - expected).max(axis=0) > 0.05)
    assert 500 < wrong[-1] - wrong[0] < 2 * RATE
    behind = samples[:, wrong[-1] + 5_000 :]
    assert np.abs(behind - expected[:, -behind.shape[1] :]).max() < 0.01  # Opus takes a while to be exact again
    blocks = list(audio.stream(tmp_path / name, block=1_000))
    assert np.array_equal(np.concatenate(blocks, axis=1), samples)
    with audio.AudioSource(tmp_path / name) as source:
        for first in (N - 100, 5, int(wrong[-1]) + 1):
            source.seek(first)
            assert np.array_equal(source.read(50), samples[:, first : first + 50])


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_chained_streams_are_read_one_after_the_other(files, read, suffix):
    """Issue 14, fault 5, in Ogg: only the first stream was read."""
    one, two = f"a.{suffix}", f"b.{suffix}"
    parts = [read(files[name], name) for name in (one, two, one)]
    # The same number of a stream may come again; other files have others.
    joined = read(files[one] + files[two] + files[one], f"c.{suffix}")
    assert np.array_equal(joined, np.concatenate(parts, axis=1))


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_a_chained_stream_of_other_channels_is_named(files, tmp_path, suffix):
    """Issue 14, fault 5: what is left over is said."""
    path = tmp_path / f"c.{suffix}"
    path.write_bytes(files[f"a.{suffix}"] + files[f"mono.{suffix}"])
    with pytest.warns(
        audio.AudioWarning, match=r"up to 6\.250 s: .*a stream with another sample rate or other channels"
    ):
        assert audio.read(path).samples.shape == (2, N)


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), bytes(5_000), b"any other thing" * 100])
def test_what_stands_behind_the_last_page_costs_nothing(files, read, name, tail):
    """Issue 14, fault 11, in Ogg."""
    assert np.array_equal(read(files[name] + tail, name), read(files[name], name))


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
def test_pages_of_another_stream_are_left_out(files, read, name):
    """Ogg files with a picture track or a video: pages of several streams take turns."""
    data = files[name]
    found = pages(data)
    out = data[: found[0][1]]
    number = 0

    def foreign(flags: int) -> bytes:
        nonlocal number
        page = struct.pack("<4sBBqIII", b"OggS", 0, flags, 0, 4_711, number, 0) + b"\x01\x05other"[:7]
        number += 1
        page = page[:26] + b"\x01\x05" + b"other"
        return page[:22] + struct.pack("<I", ogg_checksum(page)) + page[26:]

    out += foreign(2)
    for start, stop in found[1:]:
        out += data[start:stop] + foreign(0)
    assert np.array_equal(read(out, name), read(data, name))


def ahead(data: bytes, page: int, samples: int) -> bytes:
    """The same file with the position of an Opus page so many samples too far on, its checksum right."""
    start, stop = pages(data)[page]
    body = bytearray(data[start:stop])
    struct.pack_into("<q", body, 6, struct.unpack_from("<q", body, 6)[0] + samples)
    struct.pack_into("<I", body, 22, 0)
    struct.pack_into("<I", body, 22, ogg_checksum(bytes(body)))
    return data[:start] + bytes(body) + data[stop:]


@pytest.mark.parametrize("sample_rate", [8_000, 12_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("page", [2, 3, -2, -1])
def test_opus_positions_that_run_ahead_are_no_damage(music, read, tmp_path, sample_rate, page):
    """FFmpeg writes such positions; libsndfile called the file malformed there and the rest of it was lost."""
    audio.write(tmp_path / "a.opus", music(6 * sample_rate, 2, sample_rate), sample_rate)
    data = (tmp_path / "a.opus").read_bytes()
    expected = read(data, "a.opus")
    changed = ahead(data, page, 279)
    np.testing.assert_array_equal(read(changed, "b.opus")[:, : expected.shape[1]], expected)
    assert 0 <= read(changed, "b.opus").shape[1] - expected.shape[1] <= (279 if page == -1 else 0)
    samples = read(changed + data, "c.opus")  # joined, even if both have the same serial number
    np.testing.assert_array_equal(samples[:, -expected.shape[1] :], expected)
    with audio.AudioSource(tmp_path / "b.opus") as source:
        source.seek(2 * sample_rate)
        np.testing.assert_array_equal(source.read(100), expected[:, 2 * sample_rate :][:, :100])
        assert source.sample_rate == sample_rate


def test_damage_behind_an_opus_position_that_runs_ahead_keeps_its_time(files, read, tmp_path):
    expected = read(files["a.opus"], "a.opus")
    data = ahead(files["a.opus"], 2, 279)
    start, stop = pages(data)[4]
    (tmp_path / "b.opus").write_bytes(data[:start] + data[stop:])
    with pytest.warns(audio.AudioWarning, match="1.000 s of audio are lost"):
        samples = audio.read(tmp_path / "b.opus").samples
    assert samples.shape == expected.shape
    np.testing.assert_allclose(samples[:, -RATE:], expected[:, -RATE:], atol=1e-3)


@pytest.mark.parametrize("samples", [-279, 480_000])
def test_opus_positions_that_all_begin_elsewhere_are_no_damage(files, read, samples):
    """FFmpeg begins before 0 where its input does; a recording of a live stream begins far behind it."""
    data = files["a.opus"]
    for page in range(2, len(pages(data))):
        data = ahead(data, page, samples)
    np.testing.assert_array_equal(read(data, "b.opus"), read(files["a.opus"], "a.opus"))


def test_the_length_by_a_last_page_behind_damage_is_right(music, tmp_path):
    audio.write(tmp_path / "a.opus", music(105_600, 1, RATE), RATE)  # pages: two headers, 1 s, 1 s, the rest
    data = (tmp_path / "a.opus").read_bytes()
    start, stop = pages(data)[-2]
    (tmp_path / "b.opus").write_bytes(data[:start] + data[stop:])
    with pytest.warns(audio.AudioWarning, match="of its 105600 samples are missing"):
        audio.read(tmp_path / "b.opus")
