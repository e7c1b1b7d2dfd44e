"""Identify an audio file by its first bytes, before any decoder opens it.

libsndfile's ADPCM readers are unsafe on hostile files, so the code of a file's compression is looked up here and the
file refused before libsndfile opens it; only formats listed here get to a decoder at all. The length in the header is
read too, because libsndfile shortens it to what the file can hold without saying so.

Sources: Microsoft "Multimedia Programming Interface and Data Specifications 1.0" (RIFF), EBU Tech 3306 (RF64), Sony
"Wave64", Apple "AIFF-C draft 1991-08-26", Sun's audio(4) for .au.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from celesta._files import printable
from celesta._names import check_the_path
from celesta.audio._adts import scan_adts
from celesta.audio._flac import FlacHead, parse_flac_head
from celesta.audio._layout import names_of
from celesta.audio._mpeg import Mpeg, find_mpeg, inspect_mpeg
from celesta.audio._ogg import OggFile, find_ogg_flac, scan_ogg
from celesta.audio._virtual import Piece
from celesta.errors import AudioError


class AudioWarning(UserWarning):
    """An audio file was read or written, but not all of it as it is: damaged, cut short, clipped, skipped."""


@dataclass(frozen=True)
class Header:
    """What a file's own header says."""

    container: str  # WAV RF64 W64 AIFF AU FLAC OGG MP3, or FFmpeg's name of what only PyAV reads
    n_samples: int | None = None  # a channel, as declared, even where the file is too short for it
    mpeg: Mpeg | None = None
    ogg: OggFile | None = None
    flac: FlacHead | None = None
    pieces: tuple[Piece, ...] = ()  # where the frames of FLAC or raw AAC stand; WAV with a length it does not give
    speakers: tuple[str, ...] = ()  # of its channels, where it says
    missing: dict[int, int] = field(default_factory=dict)  # frames lost before a frame of raw AAC, by its index
    remark: str = ""  # what a reader of raw AAC misses at the end

    @property
    def needs_av(self) -> bool:
        """Whether libsndfile can't read it and PyAV must."""
        return self.container in _FFMPEG


_FFMPEG = ("mov", "aac", "matroska", "asf")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_WAV_FINE = {0x0001: "PCM", 0x0003: "float", 0x0006: "A-law", 0x0007: "mu-law", 0x0055: "MP3"}
_WAV_ADPCM = {0x0002, 0x0010, 0x0011, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017, 0x0020, 0x0036, 0x0038, 0x003B}
_WAV_ADPCM |= {0x0040, 0x0045, 0x0061, 0x0062, 0x0064, 0x0065, 0x0069, 0x0085, 0x0097, 0x0098, 0x0125, 0x0200, 0x0210}
_WAV_PIPED = (0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000)  # written where the length was not known: to a pipe
_AIFF_FINE = {b"NONE", b"sowt", b"twos", b"raw ", b"in24", b"in32", b"42ni", b"23ni"}
_AIFF_FINE |= {b"fl32", b"FL32", b"fl64", b"FL64", b"ulaw", b"ULAW", b"alaw", b"ALAW"}
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
_MOST_CHUNKS = 10_000


def inspect(path: Path) -> Header:
    """Identify a file by its first bytes and refuse what no decoder may open.

    Raises:
        AudioError: The file is missing, not readable, empty, of no known format, compressed as ADPCM, or its header is
            damaged.
    """
    try:
        if path.is_dir():
            raise AudioError(f"{printable(path)}: is a folder, not an audio file")
        if not path.exists():
            raise AudioError(f"{printable(path)}: no such file; {check_the_path(path)}")
        if not path.is_file():
            raise AudioError(f"{printable(path)}: is not a regular file")
        with open(path, "rb") as file:
            return _identify(path, file, path.stat().st_size)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise AudioError(f"{printable(path)}: cannot be read ({words}); check the path and its permissions") from None
    except struct.error as error:
        raise AudioError(f"{printable(path)}: its header is cut short") from error


def _identify(path: Path, file: BinaryIO, size: int) -> Header:
    if size == 0:
        raise AudioError(f"{printable(path)}: is empty")
    at = _skip_id3(file)
    file.seek(at)
    head = file.read(40)
    kind, form = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64") and form == b"WAVE":
        return _wav(path, file, at, size, kind)
    if head[:16] == _W64_RIFF and head[24:40] == b"wave" + _W64_TAIL:
        return _w64(path, file, at, size)
    if kind == b"FORM" and form in (b"AIFF", b"AIFC"):
        return _aiff(path, file, at)
    if kind in (b".snd", b"dns."):
        return _au(path, head, size - at)
    if kind == b"fLaC":
        flac = parse_flac_head(file, at)
        if flac is None:
            raise AudioError(f"{printable(path)}: its FLAC header is damaged (no STREAMINFO block)")
        return Header("FLAC", flac=flac, pieces=((flac.audio, size),))
    if kind == b"OggS":
        packed = find_ogg_flac(file, at, size)
        if packed:
            return Header("OGG", flac=packed[0], pieces=packed[1])
        return Header("OGG", ogg=scan_ogg(file, at, size))
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return Header("mov")
    if kind == b"\x1a\x45\xdf\xa3":
        return Header("matroska")
    if kind == b"\x30\x26\xb2\x75":
        return Header("asf")
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:
        good, missing, remark = scan_adts(file, at, size)
        return Header("aac", pieces=good, missing=missing, remark=remark)
    first = find_mpeg(file, at)
    if first is not None:
        mpeg = inspect_mpeg(file, first, size)
        return Header("MP3", None, mpeg)
    raise AudioError(
        f"{printable(path)}: is not an audio file of a known format (WAV FLAC OGG Opus MP3; M4A AAC WMA with PyAV)"
    )


def _skip_id3(file: BinaryIO) -> int:
    """Offset behind any ID3v2 tags; libsndfile skips them too, so a WAV file could hide behind one."""
    at = 0
    for _ in range(8):
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or any(b & 0x80 for b in head[6:10]):
            break
        at += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + (10 if head[5] & 0x10 else 0)
    return at


def _wav(path: Path, file: BinaryIO, at: int, size: int, kind: bytes) -> Header:
    end = ">" if kind == b"RIFX" else "<"
    name = "RF64" if kind == b"RF64" else "WAV"
    begin, at = at, at + 12
    block_align = code = long_size = 0
    speakers: tuple[str, ...] = ()
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        chunk, length = head[:4], struct.unpack(end + "I", head[4:])[0]
        if chunk == b"ds64":
            long_size = struct.unpack("<QQ", file.read(16))[1]
        elif chunk == b"fmt ":
            fmt = file.read(min(length, 40))
            code, block_align = _check_fmt(path, name, fmt, end)
            speakers = _speakers(fmt, end)
        elif chunk == b"data":
            if not code:
                break
            if name == "RF64" and length == 0xFFFFFFFF:
                length = long_size
            unknown = length in _WAV_PIPED or 0xFFFFFF00 <= length <= 0xFFFFFFFF
            pieces: tuple[Piece, ...] = ()
            if length == 0 and not _only_chunks(file, at + 8, size, end):  # written to a pipe, or the recorder crashed
                # With the largest size libsndfile reads to the end; an RF64 file, which has a second size, as RIFF.
                riff = kind.replace(b"RF64", b"RIFF")
                pieces, name = ((0, begin), riff, (begin + 4, at + 4), b"\xff" * 4, (at + 8, size)), "WAV"
            whole = not unknown and block_align and code != 0x0055
            return Header(name, length // block_align if whole else None, speakers=speakers, pieces=pieces)
        at += 8 + length + (length & 1)
    raise AudioError(f"{printable(path)}: its WAV header is damaged (no fmt chunk before the audio, or no audio)")


def _only_chunks(file: BinaryIO, at: int, size: int, end: str) -> bool:
    """Whether nothing but chunks of metadata follows, up to the end of the file."""
    for _ in range(_MOST_CHUNKS):
        if at >= size:
            return at - size <= 1  # the last chunk may lack the byte that fills it up
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or not all(0x20 <= c < 0x7F for c in head[:4]):
            return False
        length = struct.unpack(end + "I", head[4:])[0]
        at += 8 + length + (length & 1)
    return False


def _check_fmt(path: Path, name: str, fmt: bytes, end: str) -> tuple[int, int]:
    code, _, _, _, block_align, _ = struct.unpack(end + "HHIIHH", fmt[:16])
    if code == 0xFFFE:
        code = struct.unpack(end + "H", fmt[24:26])[0]
    if code not in _WAV_FINE:
        what = "ADPCM" if code in _WAV_ADPCM else "compression"
        raise _refusal(path, name, f"{what} 0x{code:04X}")
    return code, block_align


def _speakers(fmt: bytes, end: str) -> tuple[str, ...]:
    """The speakers of an extensible format with a mask for all its channels."""
    code, channels = struct.unpack(end + "HH", fmt[:4])
    names = names_of(struct.unpack(end + "I", fmt[20:24])[0]) if code == 0xFFFE and len(fmt) >= 24 else ()
    return names if len(names) == channels else ()


def _refusal(path: Path, name: str, what: str) -> AudioError:
    return AudioError(
        f"{printable(path)}: {name} with {what} is not supported; convert it first, for example to FLAC with ffmpeg"
    )


def _w64(path: Path, file: BinaryIO, at: int, size: int) -> Header:
    at += 40
    block_align = code = 0
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(24)
        if len(head) < 24:
            break
        length = struct.unpack("<Q", head[16:])[0]
        if head[4:16] == _W64_TAIL and head[:4] == b"fmt ":
            code, block_align = _check_fmt(path, "W64", file.read(40), "<")
        elif head[4:16] == _W64_TAIL and head[:4] == b"data":
            if not block_align:
                break
            return Header("W64", (length - 24) // block_align if length > 24 and code != 0x0055 else None)
        if length < 24 or at + length > size:
            break
        at += (length + 7) & ~7
    raise AudioError(f"{printable(path)}: its W64 header is damaged (no fmt chunk before the audio, or no audio)")


def _aiff(path: Path, file: BinaryIO, at: int) -> Header:
    at += 12
    n_samples: int | None = None
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        length = struct.unpack(">I", head[4:])[0]
        if head[:4] == b"COMM":
            if n_samples is not None:
                raise AudioError(f"{printable(path)}: its AIFF header is damaged (two COMM chunks)")
            comm = file.read(22)
            n_samples = struct.unpack(">I", comm[2:6])[0]
            if length >= 22 and comm[18:22] not in _AIFF_FINE:
                raise _refusal(path, "AIFF", f"compression {comm[18:22]!r}")
        at += 8 + length + (length & 1)
    if n_samples is None:
        raise AudioError(f"{printable(path)}: its AIFF header is damaged (no COMM chunk)")
    return Header("AIFF", n_samples)


def _au(path: Path, head: bytes, size: int) -> Header:
    end = ">" if head[:4] == b".snd" else "<"
    _, length, code, _, channels = struct.unpack(end + "5I", head[4:24])
    if code not in _AU_BYTES:
        raise _refusal(path, "AU", f"compression {code}")
    known = length not in (0, 0xFFFFFFFF) and 0 < channels <= 256
    return Header("AU", length // (_AU_BYTES[code] * channels) if known else None)
