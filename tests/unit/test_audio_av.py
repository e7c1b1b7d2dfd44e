from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from celesta import audio
from celesta.errors import AudioError, MissingExtraError


def snr(reference: np.ndarray, other: np.ndarray) -> float:
    error = np.sum((reference.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / max(error, 1e-30)))


def encode_with_av(path: Path, sound: np.ndarray, rate: int, codec: str) -> None:
    av = pytest.importorskip("av", reason="PyAV (celesta[av]) is not installed")
    layout = "mono" if sound.shape[0] == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        for i in range(0, sound.shape[1], 1_024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, i : i + 1_024]), "fltp", layout)
            frame.sample_rate = rate
            frame.pts = i
            for part in av.AudioResampler(format=stream.codec_context.format).resample(frame):
                container.mux(stream.encode(part))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "codec", "quality"), [("a.m4a", "aac", 10), ("a.m4a", "alac", 70), ("a.mkv", "flac", 70)]
)
def test_files_for_pyav(tmp_path, music, name, codec, quality):
    sound = music(100_000, 2)
    encode_with_av(tmp_path / name, sound, 44_100, codec)
    info = audio.probe(tmp_path / name)
    assert (info.subtype, info.sample_rate, info.channels) == (codec.upper(), 44_100, 2)
    assert abs(info.n_samples - 100_000) < 4_410  # these containers round
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = audio.read(tmp_path / name)
    # AAC comes in frames of 1024, the last one padded; PyAV 19 cuts the padding off.
    assert back.samples.shape in ((2, 100_000), *([(2, 100_352)] if codec == "aac" else []))
    assert snr(sound, back.samples[:, :100_000]) > quality
    blocks = list(audio.stream(tmp_path / name, block=777))
    assert np.array_equal(np.concatenate(blocks, axis=1), back.samples)
    part = audio.read(tmp_path / name, start=1.0, duration=0.5).samples
    assert np.array_equal(part, back.samples[:, 44_100:66_150])


def test_without_pyav_the_error_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
    monkeypatch.setitem(sys.modules, "av", None)
    for attempt in (audio.probe, audio.read, audio.stream):
        with pytest.raises(MissingExtraError, match=r"a\.m4a: this format needs PyAV, .*; pip install av"):
            attempt(tmp_path / "a.m4a")


def packets(path: Path) -> list[tuple[int, int]]:
    """Offset and size of each packet."""
    av = pytest.importorskip("av", reason="PyAV (celesta[av]) is not installed")
    with av.open(str(path)) as container:
        return [(p.pos, p.size) for p in container.demux(container.streams.audio[0]) if p.size]


@pytest.mark.parametrize(
    ("name", "codec", "fill"),
    [
        ("a.m4a", "aac", "zeros"),
        ("a.m4a", "aac", "noise"),
        ("a.m4a", "alac", "zeros"),  # noise would decode to noise: ALAC has no checksums
        ("a.mkv", "flac", "zeros"),
        ("a.mkv", "flac", "noise"),
    ],
)
def test_a_damaged_packet_costs_only_itself(tmp_path, music, name, codec, fill):
    """Issue 14, fault 19: one damaged packet lost the rest of the song."""
    rate = 48_000
    encode_with_av(tmp_path / name, music(200_000, 2, rate), rate, codec)
    expected = audio.read(tmp_path / name).samples
    places = packets(tmp_path / name)
    start, size = places[len(places) // 2]
    data = bytearray((tmp_path / name).read_bytes())
    rng = np.random.default_rng(3)
    start, size = start + size // 4, size // 2  # in Matroska, the packet's own header comes first
    data[start : start + size] = bytes(size) if fill == "zeros" else rng.bytes(size)
    (tmp_path / name).write_bytes(data)
    with pytest.warns(audio.AudioWarning, match=r"damaged: \d\.\d{3} s of audio are lost and silent, at") as caught:
        samples = audio.read(tmp_path / name).samples
    assert len(caught) == 1
    assert abs(samples.shape[1] - expected.shape[1]) <= 50  # Matroska's and ASF's times are rounded to milliseconds
    n = min(samples.shape[1], expected.shape[1])
    wrong = np.flatnonzero(np.abs(samples[:, :n] - expected[:, :n]).max(axis=0) > 0.1)
    assert n // 3 < wrong[0] < n * 2 // 3
    behind = samples[:, n - 60_000 : n - 100]
    shifts = [np.abs(behind - expected[:, n - 60_000 + d : n - 100 + d]).mean() for d in range(-60, 61)]
    assert min(shifts) < 0.01
    with pytest.raises(AudioError, match="are lost"):
        audio.read(tmp_path / name, strict=True)


def test_eight_channels_do_not_crash(tmp_path):
    """Issue 14, fault 10: PyAV reads beyond the planes of a frame with eight channels."""
    av = pytest.importorskip("av", reason="PyAV (celesta[av]) is not installed")
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (8, 48_000)).astype(np.float32)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=48_000, layout="7.1")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T.reshape(1, -1)), "flt", "7.1")
        frame.sample_rate = 48_000
        for part in [frame, None]:
            container.mux(stream.encode(part))
    assert np.array_equal(audio.read(tmp_path / "a.mkv").samples, sound)


def test_names_of_any_bytes(tmp_path, music):
    """Issue 14, fault 4."""
    encode_with_av(tmp_path / "a.m4a", music(50_000, 2), 44_100, "aac")
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe9\x1b[31m.m4a"))
    (tmp_path / "a.m4a").rename(path)
    assert audio.read(path).sample_rate == 44_100
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AudioError) as caught:
        audio.read(path)
    assert r"b\xe9\x1b[31m.m4a: " in str(caught.value)


@pytest.mark.parametrize("fill", ["zeros", "noise"])
def test_damage_in_raw_aac_keeps_the_time(tmp_path, music, fill):
    """Issue 14, fault 19: FFmpeg leaves damaged frames of raw AAC out without a word."""
    encode_with_av(tmp_path / "a.aac", music(200_000, 2), 44_100, "aac")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = audio.read(tmp_path / "a.aac").samples
    data = bytearray((tmp_path / "a.aac").read_bytes())
    at = len(data) // 2
    data[at : at + 4_096] = bytes(4_096) if fill == "zeros" else np.random.default_rng(1).bytes(4_096)
    (tmp_path / "b.aac").write_bytes(data)
    with pytest.warns(audio.AudioWarning, match=r"damaged: 0\.\d{3} s of audio are lost and silent, at"):
        samples = audio.read(tmp_path / "b.aac").samples
    assert abs(samples.shape[1] - expected.shape[1]) <= 1_024  # frames differ in size
    (tmp_path / "c.aac").write_bytes((tmp_path / "a.aac").read_bytes()[:-50])
    with pytest.warns(audio.AudioWarning, match=r"read only up to .* s: the last \d+ bytes are no complete frame"):
        audio.read(tmp_path / "c.aac")
