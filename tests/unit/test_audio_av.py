from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from celesta import audio
from celesta.errors import MissingExtraError


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
    # AAC comes in frames of 1024, the last one padded.
    assert back.samples.shape == (2, 100_352 if codec == "aac" else 100_000)
    assert snr(sound, back.samples[:, :100_000]) > quality
    blocks = list(audio.stream(tmp_path / name, block=777))
    assert np.array_equal(np.concatenate(blocks, axis=1), back.samples)
    part = audio.read(tmp_path / name, start=1.0, duration=0.5).samples
    assert np.array_equal(part, back.samples[:, 44_100:66_150])


def test_without_pyav_the_error_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
    monkeypatch.setitem(sys.modules, "av", None)
    for attempt in (audio.probe, audio.read, audio.stream):
        with pytest.raises(MissingExtraError, match=r"a\.m4a.*pip install 'celesta\[av\]'"):
            attempt(tmp_path / "a.m4a")
