"""FLAC as far as damaged files and files in Ogg need it: the stream's head, and where its frames stand.

Source: RFC 9639.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import BinaryIO

from celesta.audio._trailer import WINDOW, Readable, Window

_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_LONGEST_HEADER = 16
_MOST_BLOCKS = 1_000
_RATES = (0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)


@dataclass(frozen=True)
class FlacHead:
    """What the STREAMINFO block of a FLAC stream says.

    Attributes:
        info: The 34 bytes of the block.
        audio: Offset of the first frame.
    """

    info: bytes
    audio: int

    @property
    def sample_rate(self) -> int:
        """Samples a second, Hz."""
        return self._number >> 44

    @property
    def channels(self) -> int:
        """Number of audio channels."""
        return (self._number >> 41 & 7) + 1

    @property
    def n_samples(self) -> int:
        """Samples per channel; 0 where the encoder did not know."""
        return self._number & (1 << 36) - 1

    @property
    def block_size(self) -> int:
        """Samples per channel in a frame of a stream with equal frames."""
        return int.from_bytes(self.info[2:4], "big")

    @property
    def _number(self) -> int:
        return int.from_bytes(self.info[10:18], "big")

    @property
    def start(self) -> bytes:
        """A stream's first bytes for a decoder: no other metadata, and no length, which may be wrong."""
        number = self._number >> 36 << 36
        return b"fLaC\x80\x00\x00\x22" + self.info[:10] + number.to_bytes(8, "big") + bytes(16)


def parse_flac_head(file: BinaryIO, at: int) -> FlacHead | None:
    """Read the metadata at the "fLaC" marker at an offset; None where there is no STREAMINFO block."""
    file.seek(at)
    start = file.read(42)
    if len(start) < 42 or start[:4] != b"fLaC" or start[4] & 0x7F or start[5:8] != b"\0\0\x22":
        return None
    last, place = bool(start[4] & 0x80), at + 42
    for _ in range(_MOST_BLOCKS):
        if last:
            break
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] == 0xFF:  # the chain of blocks is damaged: the decoder looks for a frame
            place = at + 42
            break
        last, place = bool(head[0] & 0x80), place + 4 + int.from_bytes(head[1:4], "big")
    return FlacHead(start[8:42], place)


@dataclass(frozen=True)
class FlacFrame:
    """A frame of a FLAC stream: where it stands and which samples it holds."""

    offset: int
    first: int
    n_samples: int


class FlacFrames:
    """All frames of a FLAC stream, found by their headers.

    Args:
        file: The stream's frames.
        size: Their length in bytes.
        head: The stream's head.
    """

    def __init__(self, file: Readable, size: int, head: FlacHead) -> None:
        candidates = _candidates(Window(file, size), head)
        file.seek(max(0, size - 160))
        self._tail = file.read(160) or b""
        self._promised = head.n_samples
        self.frames: list[FlacFrame] = []
        for index, frame in enumerate(candidates):
            follows = bool(self.frames) and _end(self.frames[-1]) == frame.first
            near = candidates[index + 1 : index + 4]
            followed = any(_end(frame) == later.first for later in near)
            first_of_all = frame.first == 0 and not self.frames
            if (follows or followed or first_of_all) and (not self.frames or frame.first >= _end(self.frames[-1])):
                self.frames.append(frame)
        self._firsts = [frame.first for frame in self.frames]
        self.size = size

    def at(self, sample: int) -> int:
        """Index of the frame that holds a sample, or of the next one; the number of frames where there is none."""
        index = bisect_right(self._firsts, sample) - 1
        return index if index >= 0 and sample < _end(self.frames[index]) else index + 1

    def stretch(self, index: int) -> tuple[int, int]:
        """Start and end of a frame's bytes."""
        end = self.frames[index + 1].offset if index + 1 < len(self.frames) else self.size
        return self.frames[index].offset, end

    def ends_well(self, position: int) -> bool:
        """Whether a stream that has no more frames is complete: by its length, or by a tag or zeros at its end."""
        if self._promised:
            return position >= self._promised
        tail = self._tail
        tagged = tail[-128:-125] == b"TAG" or b"APETAGEX" in (tail[-32:-24], tail[-160:-152])
        return tagged or not tail[-16:].strip(b"\0")


def _end(frame: FlacFrame) -> int:
    return frame.first + frame.n_samples


def _candidates(window: Window, head: FlacHead) -> list[FlacFrame]:
    """Everything that looks like a frame header of this stream and has the right checksum."""
    found = []
    at = 0
    while at < window.size:
        data = window.get(at, min(WINDOW, window.size - at))
        if not data:
            break
        last = at + len(data) >= window.size
        for match in _SYNC.finditer(data):
            if not last and match.start() > len(data) - _LONGEST_HEADER:
                break
            frame = _parse(data[match.start() : match.start() + _LONGEST_HEADER], at + match.start(), head)
            if frame is not None:
                found.append(frame)
        at += len(data) if last else max(1, len(data) - _LONGEST_HEADER + 1)
    return found


def _parse(data: bytes, offset: int, head: FlacHead) -> FlacFrame | None:
    if len(data) < 6 or data[3] & 1 or data[2] >> 4 == 0 or data[2] & 15 == 15:
        return None
    assignment = data[3] >> 4
    if (assignment + 1 if assignment < 8 else 2) != head.channels or assignment > 10:
        return None
    number, at = _coded_number(data)
    if number is None:
        return None
    size_code, rate_code = data[2] >> 4, data[2] & 15
    if size_code in (6, 7):
        width = size_code - 5
        n_samples, at = int.from_bytes(data[at : at + width], "big") + 1, at + width
    else:
        n_samples = 192 if size_code == 1 else 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    rate, width = (_RATES[rate_code], 0) if rate_code < 12 else (0, 1 if rate_code == 12 else 2)
    at += width
    if (rate and rate != head.sample_rate) or at >= len(data) or _crc8(data[:at]) != data[at]:
        return None
    first = number if data[1] & 1 else number * head.block_size
    if head.n_samples and first >= head.n_samples:
        return None
    return FlacFrame(offset, first, n_samples)


def _coded_number(data: bytes) -> tuple[int | None, int]:
    """The frame's or sample's number, coded as UTF-8 codes characters, and the offset behind it."""
    lead = data[4]
    more = 0 if lead < 0x80 else 8 - (lead ^ 0xFF).bit_length() - 1
    if lead >= 0x80 and not 1 <= more <= 6:
        return None, 0
    tail = data[5 : 5 + more]
    if len(tail) < more or any(byte & 0xC0 != 0x80 for byte in tail):
        return None, 0
    value = lead if not more else lead & (0x3F >> more)
    for byte in tail:
        value = value << 6 | byte & 0x3F
    return value, 5 + more


def _crc8_table() -> bytes:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte << 1 ^ 0x07 if byte & 0x80 else byte << 1) & 0xFF
        table.append(byte)
    return bytes(table)


_CRC8 = _crc8_table()


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc
