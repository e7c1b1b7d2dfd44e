from __future__ import annotations

import shutil
import struct
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from celesta import audio

RATE = 48_000
LAYOUTS = {  # FFmpeg's name, speakers in WAV's order
    3: ("3.0", "FL FR FC"),
    4: ("quad", "FL FR BL BR"),
    5: ("5.0", "FL FR FC BL BR"),
    6: ("5.1", "FL FR FC LFE BL BR"),
    7: ("6.1", "FL FR FC LFE BC SL SR"),
    8: ("7.1", "FL FR FC LFE BL BR SL SR"),
}
OTHERS = {"2.1": "FL FR LFE", "4.0": "FL FR FC BC", "4.1": "FL FR FC LFE BC", "hexagonal": "FL FR FC BL BR BC"}


def tones(channels: int, speakers: str) -> np.ndarray:
    """One tone a channel, (channels, n): 60 Hz where the speaker takes only low ones."""
    seconds = np.arange(2 * RATE) / RATE
    return np.stack([(0.1 + 0.05 * k) * np.sin(2 * np.pi * f * seconds) for k, f in enumerate(pitches(speakers))])


def pitches(speakers: str) -> list[int]:
    return [60 if name == "LFE" else 300 + 150 * k for k, name in enumerate(speakers.split())]


def heard(samples: np.ndarray, speakers: str) -> list[int]:
    """Which channel's tone is the strongest in each channel."""
    seconds = np.arange(RATE) / RATE
    middle = samples[:, RATE // 2 : RATE // 2 + RATE]
    waves = np.stack([np.exp(2j * np.pi * f * seconds) for f in pitches(speakers)])
    return np.abs(middle @ waves.T).argmax(axis=1).tolist()


def mask(path: Path) -> int:
    data = path.read_bytes()
    assert data[20:22] == b"\xfe\xff"
    return struct.unpack("<I", data[40:44])[0]


@pytest.mark.parametrize("channels", LAYOUTS)
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus"])
def test_channels_come_back_in_their_order(tmp_path, suffix, channels):
    """Issue 14, fault 10."""
    _, speakers = LAYOUTS[channels]
    sound = tones(channels, speakers)
    audio.write(tmp_path / f"a{suffix}", sound, RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = audio.read(tmp_path / f"a{suffix}").samples
    assert heard(back, speakers) == list(range(channels))
    peak = np.abs(back[:, RATE // 2 : RATE]).max(axis=1)
    assert np.allclose(peak, np.abs(sound).max(axis=1), rtol=0.3)  # the LFE of Opus loses no tone of another speaker


@pytest.mark.parametrize("channels", LAYOUTS)
@pytest.mark.parametrize("suffix", [".ogg", ".opus"])
def test_libsndfile_has_vorbis_order(tmp_path, suffix, channels):
    """Issue 14, fault 10: files hold the order of their format, not of WAV (Vorbis I, section 4.3.9)."""
    _, speakers = LAYOUTS[channels]
    order = {
        3: "FL FC FR", 4: "FL FR BL BR", 5: "FL FC FR BL BR", 6: "FL FC FR BL BR LFE",
        7: "FL FC FR SL SR BC LFE", 8: "FL FC FR SL SR BL BR LFE",
    }[channels]  # fmt: skip
    audio.write(tmp_path / f"a{suffix}", tones(channels, speakers), RATE)
    raw, _ = soundfile.read(tmp_path / f"a{suffix}", dtype="float32", frames=2 * RATE)
    assert [speakers.split()[k] for k in heard(raw.T, speakers)] == order.split()


@pytest.mark.parametrize("channels", LAYOUTS)
@pytest.mark.parametrize(
    ("suffix", "codec"), [(".ogg", "libvorbis"), (".opus", "libopus"), (".m4a", "aac"), (".flac", "flac")]
)
def test_ffmpeg_agrees_about_the_order(tmp_path, suffix, codec, channels):
    """Issue 14, fault 10: both ways, against another implementation."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    layout, speakers = LAYOUTS[channels]
    if suffix == ".m4a":
        pytest.importorskip("av", reason="PyAV (celesta[av]) is not installed")
        if channels in (4, 7):
            pytest.skip("FFmpeg's AAC encoder has no such layout")
    sound = tones(channels, speakers)
    audio.write(tmp_path / "a.wav", sound, RATE, subtype="PCM_16")
    theirs, ours, back = (str(tmp_path / name) for name in (f"theirs{suffix}", f"ours{suffix}", "back.wav"))
    run = ["ffmpeg", "-v", "error", "-y"]
    command = [*run, "-channel_layout", layout, "-i", str(tmp_path / "a.wav"), "-c:a", codec, "-b:a", "500k", theirs]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run([*run, "-i", theirs, "-channel_layout", layout, back], check=True, capture_output=True)
    raw, _ = soundfile.read(back, dtype="float32")
    # Some versions of FFmpeg's own Opus encoder mix up 5.0 and 6.1, so its decoder says what is right.
    assert heard(audio.read(theirs).samples, speakers) == heard(raw.T, speakers)
    if suffix != ".m4a":
        audio.write(ours, sound, RATE)
        subprocess.run([*run, "-i", ours, "-channel_layout", layout, back], check=True, capture_output=True)
        raw, _ = soundfile.read(back, dtype="float32")
        assert heard(raw.T, speakers) == list(range(channels))


@pytest.mark.parametrize("channels", LAYOUTS)
def test_wav_files_say_which_speaker_a_channel_is_for(tmp_path, channels):
    """Issue 14, fault 10."""
    audio.write(tmp_path / "a.wav", np.zeros((channels, 100), np.float32), RATE)
    bits = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")
    assert [bits[i] for i in range(11) if mask(tmp_path / "a.wav") >> i & 1] == LAYOUTS[channels][1].split()


@pytest.mark.parametrize("name", OTHERS)
def test_other_layouts_are_named(tmp_path, name):
    """Issue 14, fault 10: three channels are not always FL FR FC."""
    bits = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")
    speakers = OTHERS[name].split()
    sound = tones(len(speakers), OTHERS[name])
    audio.write(tmp_path / "a.wav", sound, RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[40:44] = struct.pack("<I", sum(1 << bits.index(s) for s in speakers))
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.warns(audio.AudioWarning, match=f"its channels are {OTHERS[name]}, not .*; they keep the file's order"):
        back = audio.read(tmp_path / "a.wav").samples
    assert heard(back, OTHERS[name]) == list(range(len(speakers)))


def test_six_one_with_back_channels_is_reordered(tmp_path):
    """Issue 14, fault 10: 6.1 as FL FR FC LFE BL BR BC becomes FL FR FC LFE BC SL SR."""
    stored = "FL FR FC LFE BL BR BC"
    audio.write(tmp_path / "a.wav", tones(7, stored), RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[40:44] = struct.pack("<I", 0x13F)
    (tmp_path / "a.wav").write_bytes(data)
    assert heard(audio.read(tmp_path / "a.wav").samples, stored) == [0, 1, 2, 3, 6, 4, 5]
