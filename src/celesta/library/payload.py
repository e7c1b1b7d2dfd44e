"""The identity of a file: a hash of its audio payload, which moving, renaming and tagging leave unchanged.

FLAC files are identified by the MD5 of their decoded samples (STREAMINFO), others by the SHA-256 of the encoded audio
without tags: MP3 without ID3v2, ID3v1, APEv2 and Lyrics3 tags, Ogg without its comment packet, MP4 by its ``mdat``
atoms, WAV and AIFF by their format and data chunks. Any other file is identified by all of its bytes.

A damaged FLAC file still names the MD5 of what it was made from. Where that matters, :func:`flac_is_whole` decodes it,
and :func:`flac_bytes_id` is the identity of a file that is not.

Sources: RFC 9639 (FLAC), RFC 3533 (Ogg), id3.org (ID3v1, ID3v2.4), the APEv2 specification, ISO/IEC 14496-12 (MP4).
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from celesta.audio import AudioSource, AudioWarning
from celesta.errors import AudioError

_BLOCK = 1 << 20
FLAC, FLAC_BYTES = "flac:", "flac-bytes:"
"""How the identities of FLAC files begin: by the MD5 of their samples, and by their encoded audio."""


def payload_id(path: str | Path) -> str:
    """Return the identity of a file's audio payload, such as ``mp3:9f2c...``.

    Args:
        path: an audio file; it is read from start to end, except for FLAC files with an MD5.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = _after_id3v2(file)
        file.seek(start)
        head = file.read(12)
        for name, fits, hashed in _FORMATS:
            if fits(head):
                found = hashed(file, start, size)
                if found is not None:
                    return f"{name}:{found}"
        return f"file:{_range_hash(file, [(0, size)])}"


def flac_is_whole(path: str | Path) -> bool:
    """Whether a FLAC file decodes to the samples whose MD5 it names; True where it names none.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        file.seek(_after_id3v2(file) + 8)
        info = file.read(34)
    named = info[18:]
    if len(info) < 34 or not any(named):
        return True
    bits = ((info[12] & 1) << 4 | info[13] >> 4) + 1
    digest = hashlib.md5(usedforsecurity=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        try:
            with AudioSource(path) as source:
                for block in source.blocks():  # float32 holds 24 bits
                    samples = np.ascontiguousarray((block.T * 2.0 ** (bits - 1)).astype("<i4"))
                    digest.update(samples.view(np.uint8).reshape(-1, 4)[:, : -(-bits // 8)].tobytes())
        except AudioError:
            return False
    return digest.digest() == named


def flac_bytes_id(path: str | Path) -> str:
    """Return the identity of a FLAC file by its encoded audio, whatever MD5 it names.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        found = _flac_frames(file, _after_id3v2(file), size)
        return f"{FLAC_BYTES}{found or _range_hash(file, [(0, size)])}"


def _range_hash(file: BinaryIO, ranges: list[tuple[int, int]]) -> str:
    """SHA-256 of byte ranges ``(start, stop)``, one after the other."""
    digest = hashlib.sha256()
    for start, stop in ranges:
        file.seek(start)
        left = stop - start
        while left > 0:
            block = file.read(min(_BLOCK, left))
            if not block:
                break
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()[:40]


def _after_id3v2(file: BinaryIO) -> int:
    """Where the bytes behind all leading ID3v2 tags begin."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or any(b & 0x80 for b in head[6:10]):
            return at
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        at += 10 + size + (10 if head[5] & 0x10 else 0)


def _before_trailing_tags(file: BinaryIO, start: int, stop: int) -> int:
    """Where ID3v1, APEv2 and Lyrics3v2 tags at the end begin."""
    while True:
        if stop - start >= 128:
            file.seek(stop - 128)
            if file.read(3) == b"TAG":
                stop -= 128
                continue
        if stop - start >= 32:
            file.seek(stop - 32)
            foot = file.read(32)
            if foot[:8] == b"APETAGEX":
                size = int.from_bytes(foot[12:16], "little")
                header = 32 if int.from_bytes(foot[20:24], "little") & 0x80000000 else 0
                if 32 <= size <= stop - start - header:
                    stop -= size + header
                    continue
            if foot[-9:] == b"LYRICS200" and foot[-15:-9].isdigit():
                size = int(foot[-15:-9]) + 15
                if size <= stop - start:
                    stop -= size
                    continue
        return stop


def _mp3(file: BinaryIO, start: int, size: int) -> str | None:
    return _range_hash(file, [(start, _before_trailing_tags(file, start, size))])


def _flac(file: BinaryIO, start: int, size: int) -> str | None:
    """STREAMINFO without its block and frame sizes; the frames where the encoder left the MD5 empty."""
    file.seek(start + 4)
    info = file.read(38)
    if len(info) < 38 or info[0] & 0x7F:
        return None
    format_, md5 = info[14:22], info[22:38]  # rate, channels, bits a sample, number of samples
    if any(md5):
        return hashlib.sha256(format_ + md5).hexdigest()[:40]
    return _flac_frames(file, start, size)


def _flac_frames(file: BinaryIO, start: int, size: int) -> str | None:
    """Everything behind the metadata."""
    at = start + 4
    while True:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4:
            return None
        at += 4 + int.from_bytes(head[1:4], "big")
        if head[0] & 0x80:
            return _range_hash(file, [(at, _before_trailing_tags(file, at, size))])


def _ogg(file: BinaryIO, start: int, size: int) -> str | None:
    """Packets' bytes in order, without page headers and comment packets, which a tagger rewrites."""
    digest = hashlib.sha256()
    at, packet, packets, flac = start, bytearray(), 0, False
    while True:
        file.seek(at)
        head = file.read(27)
        if len(head) < 27 or head[:4] != b"OggS":
            break
        lacing = file.read(head[26])
        body = file.read(sum(lacing))
        at += 27 + len(lacing) + len(body)
        offset = 0
        for length in lacing:
            packet += body[offset : offset + length]
            offset += length
            if length < 255:
                flac = flac or (packets == 0 and packet.startswith(b"\x7fFLAC"))
                comment = bool(packet) and packet[0] & 0x7F == 4 if flac and packets < 16 else packets == 1
                if not comment:
                    digest.update(len(packet).to_bytes(4, "little") + packet)
                packets += 1
                packet.clear()
    digest.update(packet)
    return digest.hexdigest()[:40] if packets else None


def _mp4(file: BinaryIO, start: int, size: int) -> str | None:
    ranges, at = [], 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind, first = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, first = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = size - at
        if length < first:
            break
        if kind == b"mdat":
            ranges.append((at + first, min(size, at + length)))
        at += length
    return _range_hash(file, ranges) if ranges else None


def _chunks(wanted: tuple[bytes, ...], order: Literal["little", "big"]) -> Callable[[BinaryIO, int, int], str | None]:
    """A hash of the named chunks of a RIFF or IFF file."""

    def hashed(file: BinaryIO, start: int, size: int) -> str | None:
        ranges, at = [], start + 12
        while at + 8 <= size:
            file.seek(at)
            head = file.read(8)
            length = int.from_bytes(head[4:8], order)
            if head[:4] in wanted:
                ranges.append((at + 8, min(size, at + 8 + length)))
            at += 8 + length + length % 2
        return _range_hash(file, ranges) if ranges else None

    return hashed


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(marks)


_FORMATS: tuple[tuple[str, Callable[[bytes], bool], Callable[[BinaryIO, int, int], str | None]], ...] = (
    ("flac", _starts(b"fLaC"), _flac),
    ("ogg", _starts(b"OggS"), _ogg),
    ("wav", _starts(b"RIFF"), _chunks((b"fmt ", b"data"), "little")),
    ("aiff", _starts(b"FORM"), _chunks((b"COMM", b"SSND"), "big")),
    ("mp4", lambda head: head[4:8] == b"ftyp", _mp4),
    ("mp3", lambda head: len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0, _mp3),
)
"""Name, what the first bytes must be, and how the payload is hashed."""
