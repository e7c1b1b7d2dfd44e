"""Small audio files and lists of the kinds on which a tool for music fails, made from scratch, with what is right.

Every kind comes with several values: other counts, other damage, other bytes in names, other channels and levels.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import mutagen
import numpy as np
import soundfile

from celesta import audio

RATE = 44_100
ID3V1 = b"TAG" + b"Title".ljust(125, b"\0")
ID3V2 = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
APE = struct.pack("<8sIIII8x", b"APETAGEX", 2_000, 32, 0, 0x80000000)


@dataclass(frozen=True)
class Case:
    """A file and what reading it must give.

    Attributes:
        n_samples: samples per channel; 0 where it cannot be read.
        warning: words of the warning; "" where there is none.
        error: words of the error where it cannot be read.
        nothing: words that say why a predictor finds nothing to analyse.
        channels: number of channels.
    """

    n_samples: int
    warning: str = ""
    error: str = ""
    nothing: str = ""
    channels: int = 2


def clip(n: int, rate: int = RATE, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Sines that rise, with a little noise, (n, channels)."""
    t, rng = np.arange(n) / rate, np.random.default_rng(seed)
    waves = [0.25 * np.sin(2 * np.pi * (220 * (c + 1.25) * t + 20 * t * t)) for c in range(channels)]
    return np.stack(waves, 1) + 0.02 * rng.standard_normal((n, channels))


def make(folder: Path) -> dict[str, Case]:
    """Write all files below a folder; return what is expected of each, by its path inside the folder."""
    folder.mkdir(parents=True)
    return {**_mpeg(folder), **_flac(folder), **_channels(folder), **_signals(folder), **_names(folder)}


def _write(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:  # libsndfile takes no name that is not UTF-8
        soundfile.write(file, samples, rate, format=path.suffix[1:].upper(), **options)
    return path.read_bytes()


def _mpeg(folder: Path) -> dict[str, Case]:
    """Counts in headers that are wrong, files that were joined, damage and junk."""
    n = 2 * RATE
    audio.write(folder / "a.mp3", clip(n).T, RATE)
    audio.write(folder / "low.mp3", clip(22_050, 22_050).T, 22_050)
    data, low = (folder / "a.mp3").read_bytes(), (folder / "low.mp3").read_bytes()
    cases = {"a.mp3": Case(n), "low.mp3": Case(22_050)}
    at = data.index(b"Xing") + 8
    for count in (0, 3, 10**6):
        (folder / f"xing{count}.mp3").write_bytes(data[:at] + struct.pack(">I", count) + data[at + 4 :])
        cases[f"xing{count}.mp3"] = Case(n)
    for name, between in (("v2", ID3V2), ("v1", ID3V1), ("ape", APE + ID3V1 + ID3V2)):
        (folder / f"joined-{name}.mp3").write_bytes(data + between + data)
        cases[f"joined-{name}.mp3"] = Case(2 * n)
    (folder / "joined-rates.mp3").write_bytes(data + ID3V2 + low)
    cases["joined-rates.mp3"] = Case(n, "another sample rate")
    middle = len(data) // 2
    (folder / "hole.mp3").write_bytes(data[:middle] + bytes(2_048) + data[middle + 2_048 :])
    cases["hole.mp3"] = Case(n, "are lost and silent")
    (folder / "junk.mp3").write_bytes(b"junk" * 100 + data)
    cases["junk.mp3"] = Case(n)
    return cases


def _flac(folder: Path) -> dict[str, Case]:
    """Tags and zeros behind the last frame, FLAC in Ogg, damage at several places, tags that eat the bitrate."""
    n = 2 * RATE
    data = _write(folder / "a.flac", clip(n))
    cases = {"a.flac": Case(n)}
    for name, more in (("v1", ID3V1), ("ape", APE + ID3V1), ("zeros", bytes(3_000))):
        (folder / f"behind-{name}.flac").write_bytes(data + more)
        cases[f"behind-{name}.flac"] = Case(n)
    for name, place in (("middle", len(data) // 2), ("end", len(data) - 300)):
        (folder / f"damaged-{name}.flac").write_bytes(data[:place] + bytes(40) + data[place + 40 :])
        cases[f"damaged-{name}.flac"] = Case(n, "are lost and silent")
    (folder / "cut.flac").write_bytes(data[: len(data) * 2 // 3])
    cases["cut.flac"] = Case(-1, "cut short")
    _write(folder / "tags.flac", clip(6 * RATE, seed=5))
    tags = mutagen.File(folder / "tags.flac")
    tags["title"], tags["artist"] = "\x1b[31mПривет\u202e", "宇多田ヒカル"
    tags["lyrics"], tags["comment"] = "Песня\n" * 800, "説明" * 700
    tags.update({f"key{k}": f"värde {k}" for k in range(200)})
    tags.save()
    cases["tags.flac"] = Case(6 * RATE)
    return cases


def _channels(folder: Path) -> dict[str, Case]:
    """Channels of other layouts in other formats, and other sample rates."""
    cases = {}
    for channels, suffix in ((1, "opus"), (3, "ogg"), (4, "opus"), (6, "ogg"), (6, "opus"), (8, "wav")):
        name = f"{channels}.{suffix}"
        audio.write(folder / name, clip(54_000, 48_000, channels).T, 48_000)
        cases[name] = Case(54_000, channels=channels)
    for rate in (8_000, 192_000):
        _write(folder / f"{rate}.wav", clip(rate, rate), rate)
        cases[f"{rate}.wav"] = Case(rate)
    return cases


def _signals(folder: Path) -> dict[str, Case]:
    """Levels, silence, too little, and files that hold no audio."""
    cases = {}
    for level in (-20, -40, -60):
        name = f"level{level}.wav"
        _write(folder / name, clip(RATE) * 10 ** (level / 20), subtype="FLOAT")
        cases[name] = Case(RATE)
    one = clip(RATE, channels=1)
    silent = {
        "silence.wav": (np.zeros((RATE, 2)), "silent"),
        "offset.wav": (np.full((RATE, 2), -0.4), "constant offset"),
        "one.wav": (np.full((1, 2), 0.3), "too short"),
        "inverse.wav": (np.hstack([one, -one]), "cancel"),
    }
    for name, (samples, words) in silent.items():
        _write(folder / name, samples, subtype="FLOAT")
        cases[name] = Case(len(samples), nothing=words)
    _write(folder / "nan.wav", np.full((RATE, 1), np.nan), subtype="FLOAT")
    _write(folder / "empty.wav", np.zeros((0, 2)))
    (folder / "zero.mp3").write_bytes(b"")
    (folder / "text.ogg").write_text("<!DOCTYPE html>")
    cases["nan.wav"] = Case(0, error="is nan, which is not audio")
    cases["empty.wav"] = Case(0, error="holds no audio")
    cases["zero.mp3"] = Case(0, error="is empty")
    cases["text.ogg"] = Case(0, error="is not an audio file")
    return cases


NAMES = {
    b"x": (b"\xff\xfe.wav", b"a\nb.wav", b" -o .wav"),
    b"rock \xe9": (b"\x80\x1b]0;x\x07.wav", "日本\u202e.wav".encode(), b"C.WAV"),
}
"""Folder to the names in it: bytes that are not UTF-8, control characters, spaces, a hyphen, upper case."""


def _names(folder: Path) -> dict[str, Case]:
    """Names that a terminal, an option parser or a decoder could not take; in folders that are labels."""
    cases = {}
    for label, names in NAMES.items():
        for seed, name in enumerate(names):
            inside = os.fsdecode(os.path.join(b"labelled", label, name))
            _write(folder / inside, clip(22_050, 22_050, 1, seed + 10 * len(label)), 22_050)
            cases[inside] = Case(22_050, channels=1)
    return cases


ROWS = "path,label,group\na.mp3,rock,Björk\nlow.mp3,jazz,Ä\na.flac,jazz,B\nhole.mp3,rock,C\n"
ROWS += "8000.wav,jazz,D\ntags.flac,rock,E\n"
LISTS = {
    "utf8.csv": (ROWS.encode(), "", 0, ""),
    "sig.csv": (ROWS.encode("utf-8-sig"), "", 0, ""),
    "utf16.csv": (ROWS.encode("utf-16"), "", 0, ""),
    "utf32.csv": (ROWS.encode("utf-32"), "", 0, ""),
    "semicolon.csv": (ROWS.replace(",", ";").replace("\n", "\r\n").encode(), "", 0, ""),
    "latin1.csv": (ROWS.encode("latin-1"), "", 1, "line 2: not UTF-8; name the encoding with --encoding"),
    "latin1-named.csv": (ROWS.encode("latin-1"), "latin-1", 0, ""),
    "sjis.csv": (ROWS.replace("Björk", "日本").replace("Ä", "x").encode("shift_jis"), "shift_jis", 0, ""),
    "unknown.csv": (ROWS.encode("latin-1"), "klingon", 2, "no such encoding"),
    "utf16le.csv": (ROWS.encode("utf-16-le"), "", 1, "--encoding"),
    "field.csv": ((ROWS + "a.mp3,rock," + "x" * 200_000 + "\n").encode(), "", 1, "128 KiB"),
    "quote.csv": (ROWS.replace("jazz,B", '"jazz,B').encode(), "", 1, "a quote that is open from line 4 on"),
    "column.csv": (b"path,genre\na.mp3,x\n", "", 1, "needs the columns path and label"),
    "none.csv": (b"", "", 1, "needs the columns path and label"),
    "head.csv": (b"path,label,group\n", "", 1, "no tracks in it"),
    "gone.csv": ((ROWS + "nope.wav,rock,F\n").encode(), "", 1, "line 8: no audio file"),
    "binary.csv": (bytes(range(256)) * 4, "", 1, "--encoding"),
}
"""Lists of labelled songs: bytes, the value of --encoding, exit code, and words of the error."""
