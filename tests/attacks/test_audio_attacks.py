from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from celesta import audio
from celesta.errors import AudioError, MissingExtraError

WORKER = Path(__file__).with_name("audio_mutations.py")
SEEDS = 48
PLAIN = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("W64", "PCM_16")]
PLAIN += [("AIFF", "PCM_16"), ("AIFF", "DOUBLE"), ("AU", "ULAW")]


def run(script: list[str], seconds: float = 100) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own that finds what this one finds."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *script], env=env, capture_output=True, text=True, timeout=seconds, check=False
    )


def survives(path: Path) -> None:
    """Many damaged copies of the file end in an error of ours or in finite samples, never in anything else."""
    done = run([str(WORKER), str(path), "0", str(SEEDS)])
    assert done.returncode in (0, 1), f"exit {done.returncode} at seed {done.stderr[-200:]}"
    report = json.loads(done.stdout)
    assert report["bad"] == []
    assert report["read"] + report["refused"] == SEEDS
    assert report["refused"] >= 2  # the damage was real
    assert report["read"] >= 2  # and not everything is simply refused


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".opus", ".mp3"])
def test_damaged_compressed_files(tmp_path, music, suffix):
    audio.write(tmp_path / f"a{suffix}", music(15_000, 2, 24_000), 24_000)
    survives(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(("name", "subtype"), PLAIN)
def test_damaged_plain_files(tmp_path, music, name, subtype):
    soundfile.write(tmp_path / "a.wav", music(5_000, 2).T, 44_100, format=name, subtype=subtype)
    survives(tmp_path / "a.wav")


def test_damaged_mp3_without_xing_header(tmp_path, music):
    audio.write(tmp_path / "a.mp3", music(15_000, 2, 24_000), 24_000)
    data = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(data[data.index(data[:2], 100) :])
    survives(tmp_path / "a.mp3")


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".m4a", "aac"), (".mka", "libopus"), (".wma", "wmav2"), (".aac", "aac")]
)
def test_damaged_files_for_pyav(tmp_path, music, suffix, codec):
    av = pytest.importorskip("av", reason="PyAV (celesta[av]) is not installed")
    with av.open(str(tmp_path / f"a{suffix}"), "w", format={".aac": "adts", ".wma": "asf"}.get(suffix)) as container:
        stream = container.add_stream(codec, rate=48_000, layout="stereo", bit_rate=128_000)
        convert = av.AudioResampler(
            format=stream.codec_context.format, frame_size=stream.codec_context.frame_size or 960
        )
        frame = av.AudioFrame.from_ndarray(music(15_000, 2, 48_000), "fltp", "stereo")
        frame.sample_rate = 48_000
        for part in [*convert.resample(frame), None]:
            container.mux(stream.encode(part))
    survives(tmp_path / f"a{suffix}")


# --- headers that lie -------------------------------------------------------------------------------------------------


def crc_of_page(page: bytes) -> int:
    """The checksum of an Ogg page (RFC 3533)."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def with_giant_granule(data: bytes) -> bytes:
    """An Ogg file whose last page says that the sound lasts for hours."""
    at = data.rindex(b"OggS")
    page = bytearray(data[at:])
    page[6:14] = struct.pack("<q", 2**40)
    page[22:26] = bytes(4)
    page[22:26] = struct.pack("<I", crc_of_page(bytes(page)))
    return data[:at] + bytes(page)


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def liars(folder: Path, sound: np.ndarray) -> dict[str, bytes]:
    """Small files that claim to hold hours."""
    files = {}
    for suffix in (".wav", ".flac"):
        audio.write(folder / f"true{suffix}", sound, 48_000)
        files[suffix] = (folder / f"true{suffix}").read_bytes()
    for name in ("AIFF", "W64", "RF64"):
        soundfile.write(folder / name, sound.T, 48_000, format=name, subtype="PCM_16")
        files[name] = (folder / name).read_bytes()
    flac, aiff, w64, rf64 = files[".flac"], files["AIFF"], files["W64"], files["RF64"]
    return {
        "10h.wav": patched(files[".wav"], files[".wav"].index(b"data") + 4, struct.pack("<I", 36_000 * 48_000 * 2)),
        "long.flac": patched(flac, 21, bytes([flac[21] | 0x0F]) + b"\xff\xff\xff\xff"),
        "long.aiff": patched(aiff, aiff.index(b"COMM") + 10, b"\xff\xff\xff\xff"),
        "long.w64": patched(w64, w64.index(b"data") + 16, struct.pack("<Q", 2**62)),
        "long.rf64": patched(rf64, rf64.index(b"ds64") + 16, struct.pack("<QQ", 2**61, 2**60)),
    }


def test_headers_that_promise_hours_cost_nothing_and_are_reported(tmp_path, music):
    sound = music(20_000, 1, 48_000)
    for name, data in liars(tmp_path, sound).items():
        (tmp_path / name).write_bytes(data)
        tracemalloc.start()
        with pytest.warns(audio.AudioWarning, match=f"{name}: damaged or cut short"):
            samples = audio.read(tmp_path / name).samples
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert 10_000 < samples.shape[1] <= 20_000 + 1_152, name
        assert peak < 5_000_000, name


@pytest.mark.parametrize("suffix", [".ogg", ".opus"])
def test_an_ogg_file_that_promises_months_costs_nothing(tmp_path, music, suffix):
    path = tmp_path / f"a{suffix}"
    audio.write(path, music(200_000, 1, 48_000), 48_000)
    path.write_bytes(with_giant_granule(path.read_bytes()))
    tracemalloc.start()
    with pytest.warns(audio.AudioWarning, match="damaged or cut short"):
        assert 200_000 <= audio.read(path).samples.shape[1] < 202_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name: bytes, body: bytes, length: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if length is None else length) + body


def fmt(code: int = 1, channels: int = 1, rate: int = 44_100, align: int = 2, bits: int = 16) -> bytes:
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * align % 2**32, align, bits))


HOSTILE = {
    "no channels": riff(fmt(channels=0), chunk(b"data", bytes(1_000))),
    "65535 channels": riff(fmt(channels=65_535), chunk(b"data", bytes(1_000))),
    "no rate": riff(fmt(rate=0), chunk(b"data", bytes(1_000))),
    "rate of 4 GHz": riff(fmt(rate=0xFFFFFFFF), chunk(b"data", bytes(1_000))),
    "no data": riff(fmt()),
    "empty data": riff(fmt(), chunk(b"data", b"")),
    "metadata behind no data": riff(fmt(), chunk(b"data", b""), chunk(b"LIST", bytes(5_000))),
    "sound before fmt": riff(chunk(b"data", bytes(1_000)), fmt()),
    "fmt of 4 GiB": riff(chunk(b"fmt ", bytes(10), length=0xFFFFFFFF)),
    "only chunks": riff(*[chunk(b"junk", b"") for _ in range(20_000)], fmt(), chunk(b"data", bytes(100))),
    "unknown code": riff(fmt(code=0x1234), chunk(b"data", bytes(1_000))),
    "ADPCM second": riff(chunk(b"LIST", b"fmt \x14\x00\x00\x00\x02\x00"), fmt(code=0x11), chunk(b"data", bytes(1_000))),
    "64 bits of PCM": riff(fmt(align=8, bits=64), chunk(b"data", bytes(1_000))),
    "id3 beyond the end": b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + riff(fmt(), chunk(b"data", bytes(1_000))),
    "ogg of one page": b"OggS\x00\x02" + bytes(20) + b"\x01\x00",
    "flac marker": b"fLaC",
    "flac of zeros": b"fLaC" + bytes(5_000),
    "mp3 sync only": b"\xff\xfb\x90\x64",
    "mp4 of zeros": b"\x00\x00\x00\x18ftypM4A " + bytes(5_000),
    "matroska marker": b"\x1a\x45\xdf\xa3" + bytes(1_000),
    "au of 4 G channels": b".snd" + struct.pack(">5I", 24, 1_000, 3, 44_100, 0xFFFFFFFF) + bytes(1_000),
    "aiff of two minds": b"FORM\x00\x00\x10\x00AIFF" + (b"COMM\x00\x00\x00\x12\x00\x01" + bytes(16)) * 2,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused(tmp_path, name):
    (tmp_path / "a.wav").write_bytes(HOSTILE[name])
    with pytest.raises((AudioError, MissingExtraError), match=r"a\.wav") as caught:
        audio.read(tmp_path / "a.wav")
    assert "\n" not in str(caught.value)


def test_playlists_and_references_are_not_followed(tmp_path, music):
    """Files that would make FFmpeg open other files or addresses are no sound files."""
    audio.write(tmp_path / "secret.wav", music(1_000), 44_100)
    secret = tmp_path / "secret.wav"
    texts = [
        f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n",
        f"ffconcat version 1.0\nfile {secret}\n",
        f"RIFF....WAVE{secret}",
        f"<MPD><BaseURL>{secret}</BaseURL></MPD>",
    ]
    for suffix in (".m4a", ".mka", ".mp3", ".wav"):
        for text in texts:
            (tmp_path / f"list{suffix}").write_text(text)
            with pytest.raises(AudioError):
                audio.read(tmp_path / f"list{suffix}")
    for address in ("concat:secret.wav|secret.wav", "http://localhost/a.mp3", "\x00.wav"):
        with pytest.raises(AudioError):
            audio.read(address)


# --- the machine's limits ---------------------------------------------------------------------------------------------

FULL_DISK = """
import resource, sys, numpy as np
from pathlib import Path
from celesta import audio
from celesta.errors import AudioError, MissingExtraError
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
folder = Path(sys.argv[1])
sound = np.random.default_rng(0).uniform(-1, 1, (2, 400_000)).astype(np.float32)
for suffix in (".wav", ".flac", ".ogg", ".opus", ".mp3"):
    try:
        audio.write(folder / ("a" + suffix), sound, 48_000)
        sys.exit(suffix + " was written")
    except AudioError as error:
        assert "a" + suffix in str(error) and "\\n" not in str(error), error
assert list(folder.iterdir()) == [], list(folder.iterdir())
"""


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    done = run(["-c", FULL_DISK, str(tmp_path)])
    assert done.returncode == 0, done.stderr + done.stdout


MEMORY = """
import resource, sys, numpy as np
from celesta import audio
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def use(seconds):
    block = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 48_000)).astype(np.float32)
    with audio.Writer(sys.argv[1], 48_000, 2) as writer:
        for _ in range(seconds):
            writer.write(block)
    n = sum(b.shape[1] for b in audio.stream(sys.argv[1], sample_rate=22_050))
    assert n == seconds * 22_050, n
    return peak()
short = use(5)
print(use(300) - short)
"""


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_memory_is_flat(tmp_path, suffix):
    done = run(["-c", MEMORY, str(tmp_path / f"a{suffix}")])
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 15  # MiB; the sound itself is 110
