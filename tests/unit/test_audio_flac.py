from __future__ import annotations

import itertools
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from celesta import audio
from celesta.errors import AudioError

N = 150_000
ID3V1 = b"TAG" + b"Title".ljust(125, b"\0")
APE = struct.pack("<8sIIII8x", b"APETAGEX", 2_000, 32, 0, 0)


def crc_of_page(page: bytes) -> int:
    """The checksum of an Ogg page (RFC 3533)."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def ogg_page(body: bytes, lacing: bytes, number: int, flags: int, granule: int = 0) -> bytes:
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, 77, number, 0) + bytes([len(lacing)]) + lacing
    crc = crc_of_page(head + body)
    return head[:22] + struct.pack("<I", crc) + head[26:] + body


def frame_offsets(flac: bytes, first: int) -> list[int]:
    """Where the frames of a file of equal frames stand; they begin with the number of the frame."""
    offsets, at = [], first
    for number in range(10_000):
        coded = chr(number).encode() if number < 0x80 else None
        coded = coded or chr(number).encode("utf-8")
        at = flac.find(flac[first : first + 2], at)
        while at >= 0 and flac[at + 4 : at + 4 + len(coded)] != coded:
            at = flac.find(flac[first : first + 2], at + 1)
        if at < 0:
            return offsets
        offsets.append(at)
        at += 1
    return offsets


def metadata_end(flac: bytes) -> int:
    at, last = 4, False
    while not last:
        last, at = bool(flac[at] & 0x80), at + 4 + int.from_bytes(flac[at + 1 : at + 4], "big")
    return at


def in_ogg(flac: bytes) -> bytes:
    """The same stream in Ogg (RFC 9639, section 10.1)."""
    start = metadata_end(flac)
    offsets = [*frame_offsets(flac, start), len(flac)]
    first = b"\x7fFLAC\x01\x00" + struct.pack(">H", 1) + flac[:42]
    comment = b"\x84\x00\x00\x08" + bytes(8)
    pages = [ogg_page(first, bytes([len(first)]), 0, 2), ogg_page(comment, bytes([len(comment)]), 1, 0)]
    for index, (a, b) in enumerate(itertools.pairwise(offsets)):
        lacing = bytes([255] * ((b - a) // 255) + [(b - a) % 255])
        parts = [(flac[a:b][i : i + 255 * 255], lacing[i // 255 : i // 255 + 255]) for i in range(0, b - a, 255 * 255)]
        for k, (body, lace) in enumerate(parts):
            last = 4 if b == len(flac) and k == len(parts) - 1 else 0
            pages.append(ogg_page(body, lace, len(pages), last | (1 if k else 0), min(N, (index + 1) * 4_096)))
    return b"".join(pages)


@pytest.fixture(scope="module")
def flac(tmp_path_factory, music) -> bytes:
    path = tmp_path_factory.mktemp("flac") / "a.flac"
    audio.write(path, music(N, 2), 44_100, subtype="PCM_16")
    return path.read_bytes()


@pytest.fixture
def read(tmp_path) -> Callable[[bytes, str], np.ndarray]:
    """Read the bytes of a file; any warning is an error."""

    def quietly(data: bytes, name: str = "a.flac") -> np.ndarray:
        (tmp_path / name).write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return audio.read(tmp_path / name).samples

    return quietly


@pytest.mark.parametrize("tail", [ID3V1, APE, APE + ID3V1, bytes(7_000), bytes(3), b"anything else" * 50])
@pytest.mark.parametrize("known", [True, False])
def test_what_stands_behind_the_last_frame_costs_nothing(flac, read, tail, known):
    """Issue 14, fault 11: the last partial block was lost and the file called damaged."""
    expected = read(flac)
    assert expected.shape == (2, N)
    data = bytearray(flac)
    if not known:
        data[21] &= 0xF0
        data[22:26] = bytes(4)
        if tail.startswith(b"any") or len(tail) == 3:
            pytest.skip("with neither a length nor a known tag the end could be damaged")
    assert np.array_equal(read(bytes(data) + tail), expected)


@pytest.mark.parametrize("promised", [1, 100_000, N - 1])
def test_a_length_that_is_too_short_is_only_a_hint(flac, read, promised):
    """Issue 14, fault 5, in FLAC: what decodes is the truth."""
    data = flac[:21] + bytes([flac[21] & 0xF0]) + struct.pack(">I", promised) + flac[26:]
    assert np.array_equal(read(data), read(flac))


def test_flac_in_ogg_is_read(flac, read, tmp_path):
    """Issue 14, fault 11: .oga was listed, but refused."""
    assert np.array_equal(read(in_ogg(flac), "a.oga"), read(flac))
    info = audio.info(tmp_path / "a.oga")
    assert (info.format, info.subtype, info.sample_rate, info.channels, info.n_samples) == ("OGG", "FLAC", 44_100, 2, N)
    part = audio.read(tmp_path / "a.oga", start=1, duration=1).samples
    assert np.array_equal(part, read(flac)[:, 44_100:88_200])


def damaged(data: bytes, at: int, kind: str) -> bytes:
    if kind == "bit":
        return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
    if kind == "zeros":
        return data[:at] + bytes(9_000) + data[at + 9_000 :]
    return data[:at] + data[at + 9_000 :]


@pytest.mark.parametrize("kind", ["bit", "zeros", "missing"])
@pytest.mark.parametrize("name", ["a.flac", "a.oga"])
@pytest.mark.parametrize("place", [0.0, 0.4, 0.7])
def test_audio_behind_damage_keeps_its_time(flac, read, tmp_path, name, kind, place):
    """Issue 14, fault 19: one damaged frame lost the rest of the song."""
    expected = read(flac)
    data = flac if name == "a.flac" else in_ogg(flac)
    at = metadata_end(flac) + 500 + int(place * len(data))
    (tmp_path / name).write_bytes(damaged(data, at, kind))
    with pytest.warns(audio.AudioWarning, match=r"damaged: 0\.\d{3} s of audio are lost and silent, at \d") as caught:
        samples = audio.read(tmp_path / name).samples
    assert len(caught) == 1
    assert samples.shape == expected.shape
    wrong = np.flatnonzero(np.any(samples != expected, axis=0))
    assert 1_000 < wrong[-1] - wrong[0] < 4_096 * (2 if kind == "bit" else 6)
    assert not samples[:, wrong[0] : wrong[-1] + 1].any()
    blocks = list(audio.stream(tmp_path / name, block=1_000))
    assert np.array_equal(np.concatenate(blocks, axis=1), samples)
    with pytest.raises(AudioError, match="are lost"):
        audio.read(tmp_path / name, strict=True)
    with audio.AudioSource(tmp_path / name) as source:
        for first in (wrong[-1] + 1, 10, N - 100, 0):
            source.seek(int(first))
            assert np.array_equal(source.read(50), samples[:, first : first + 50])


def test_every_second_frame_damaged(flac, tmp_path):
    """Issue 14, fault 19."""
    offsets = frame_offsets(flac, metadata_end(flac))
    data = bytearray(flac)
    for offset in offsets[::2]:
        data[offset + 2_000] ^= 1
    (tmp_path / "a.flac").write_bytes(data)
    with pytest.warns(audio.AudioWarning, match=r"are lost and silent, at 0\.000 s, .* and \d+ more places"):
        samples = audio.read(tmp_path / "a.flac").samples
    assert samples.shape == (2, N)


def test_variable_blocks_and_long_files_are_indexed(tmp_path, music):
    """Issue 14, fault 19: frame numbers beyond one byte."""
    sound = np.tile(music(44_100), 24)
    audio.write(tmp_path / "a.flac", sound, 8_000, subtype="PCM_16")
    expected = audio.read(tmp_path / "a.flac").samples
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[len(data) * 9 // 10] ^= 1
    (tmp_path / "a.flac").write_bytes(data)
    with pytest.warns(audio.AudioWarning, match="are lost"):
        samples = audio.read(tmp_path / "a.flac").samples
    wrong = np.flatnonzero(samples[0] != expected[0])
    assert samples.shape == expected.shape
    assert len(wrong) <= 4_096 * 2


def test_a_flac_file_without_its_head_is_refused(tmp_path):
    for name, data in {"a": b"fLaC" + bytes(100), "b": b"fLaC\x00\x00\x00\x22" + bytes(10)}.items():
        (tmp_path / f"{name}.flac").write_bytes(data)
        with pytest.raises(AudioError, match=rf"{name}\.flac"):
            audio.read(tmp_path / f"{name}.flac")


def test_libsndfile_reads_the_same_samples(flac, read, tmp_path):
    (tmp_path / "b.flac").write_bytes(flac)
    expected, _ = soundfile.read(tmp_path / "b.flac", dtype="float32", always_2d=True)
    assert np.array_equal(read(flac), expected.T)
    assert Path(tmp_path / "b.flac").exists()
