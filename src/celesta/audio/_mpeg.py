"""MPEG audio frames, as far as the true length of an MP3 file needs them.

A file with a Xing or Info header says its length. Without one libsndfile estimates it from the first frame and
stops there: of a file with variable bitrate it silently gives a third. So such a file is handed to it with a Xing
header made here in front, and its length is counted frame by frame.

Source: ISO/IEC 11172-3 and 13818-3 (frame header); the Xing header as LAME writes it.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import BinaryIO

# kbit/s by (MPEG 1?, layer), index 1..14
_KBITS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_DECODER_DELAY = 529  # samples that libsndfile's decoder (mpg123) leaves out at the front, given a Xing header
_SEARCH = 65_536  # bytes of padding or rubbish before the first frame that are put up with


@dataclass(frozen=True)
class Mpeg:
    """How to open an MPEG audio file."""

    start: int  # offset of the first frame
    prefix: bytes  # to be put before it: a Xing header, or nothing
    n_samples: int | None  # by its own Xing header, or counted; None where neither is possible
    remark: str = ""  # what a reader of the file will miss, "" if nothing


@dataclass(frozen=True)
class _Frame:
    header: bytes
    layer: int
    size: int  # bytes
    samples: int
    side: int  # bytes between the header and a Xing header


def _frame(data: bytes | mmap.mmap, at: int) -> _Frame | None:
    header = bytes(data[at : at + 4])
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer_bits = header[1] >> 3 & 3, header[1] >> 1 & 3
    rate_bits, kbit_bits = header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or layer_bits == 0 or rate_bits == 3 or kbit_bits in (0, 15):
        return None
    layer, first = 4 - layer_bits, version == 3
    rate = _RATES[rate_bits] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _KBITS[first, layer][kbit_bits - 1] * 1000
    padding = header[2] >> 1 & 1
    samples = 384 if layer == 1 else 1152 if layer == 2 or first else 576
    size = (12 * bits // rate + padding) * 4 if layer == 1 else samples // 8 * bits // rate + padding
    mono = header[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return _Frame(header, layer, size, samples, 4 + side)


def _alike(a: bytes, b: bytes) -> bool:
    """Whether two frame headers agree in version, layer and sample rate."""
    return a[1] & 0xFE == b[1] & 0xFE and a[2] & 0x0C == b[2] & 0x0C


def find_mpeg(file: BinaryIO, at: int) -> int | None:
    """Offset of the first MPEG audio frame at or shortly behind `at`; None if there is none.

    A frame right at `at` is believed; further on (padding, rubbish) it must be followed by another of its kind.
    """
    file.seek(at)
    data = file.read(_SEARCH + 2 * 8192)
    if _frame(data, 0) is not None:
        return at
    place = data.find(b"\xff")
    while 0 <= place < _SEARCH:
        one = _frame(data, place)
        two = _frame(data, place + one.size) if one else None
        if one and two and _alike(one.header, two.header):
            return at + place
        place = data.find(b"\xff", place + 1)
    return None


def inspect_mpeg(file: BinaryIO, start: int, size: int) -> Mpeg:
    """Find the length of the file whose first frame stands at `start`."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        frame = _frame(data, start)
        assert frame is not None
        tag = start + frame.side
        if frame.layer == 3 and data[tag : tag + 4] in (b"Xing", b"Info"):
            flags = struct.unpack(">I", data[tag + 4 : tag + 8].ljust(4, b"\0"))[0]
            if flags & 1:
                return Mpeg(start, b"", None, _more_behind(data, start, frame, tag, flags))
        if frame.layer != 3:
            return Mpeg(start, b"", None)
        most = size // 24 + 1  # no frame is shorter; libsndfile reads on until the data end
        return Mpeg(start, _xing(frame.header, most), _count(data, start, frame))


def _more_behind(data: mmap.mmap, start: int, frame: _Frame, tag: int, flags: int) -> str:
    """A remark where a second MP3 file was joined on behind the length that the Xing header gives."""
    if not flags & 2 or len(data) < tag + 16:
        return ""
    end = start + struct.unpack(">I", data[tag + 12 : tag + 16])[0]
    one = _frame(data, end) if end > start else None
    two = _frame(data, end + one.size) if one else None
    if one and two and _alike(one.header, frame.header) and _alike(two.header, frame.header):
        return "more sound stands behind the end that its header gives (joined files?)"
    return ""


def _xing(header: bytes, n_frames: int) -> bytes:
    """A Xing header frame like the file's own frames, at the lowest bitrate that has room for it."""
    for kbit_bits in range(1, 15):
        own = bytes([header[0], header[1] | 1, kbit_bits << 4 | header[2] & 0x0D, header[3]])
        frame = _frame(own, 0)
        if frame is not None and frame.size >= frame.side + 12:
            body = own + bytes(frame.side - 4) + b"Xing" + struct.pack(">II", 1, n_frames)
            return body.ljust(frame.size, b"\0")
    return b""


def _count(data: mmap.mmap, at: int, first: _Frame) -> int | None:
    """Samples in the frames from `at` to the end; None where something else stands between them."""
    total = 0
    while True:
        frame = _frame(data, at)
        if frame is None or not _alike(frame.header, first.header):
            break
        if at + frame.size > len(data):
            return max(0, total - _DECODER_DELAY)
        total += frame.samples
        at += frame.size
    rest = len(data) - at
    return (
        total - _DECODER_DELAY if rest < 4 or data[at : at + 3] == b"TAG" or data[at : at + 8] == b"APETAGEX" else None
    )
