"""MPEG audio frames: their headers, the Xing header with LAME's gap lengths, and silent frames.

Source: ISO/IEC 11172-3 and 13818-3 (frame header, side information, checksum); the Xing and LAME headers as LAME
writes them; the VBRI header as Fraunhofer's encoder writes it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

# kbit/s by (MPEG 1?, layer), index 1..14
_KBITS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = (44_100, 48_000, 32_000)
DECODER_DELAY = 529  # samples that libmpg123 leaves out at the front of a stream with a Xing header
LONGEST_FRAME = 2_881  # bytes: Layer II of MPEG 2.5 with 160 kbit/s at 8 kHz
RESERVOIR = {True: 511, False: 255}  # bytes that a Layer III frame may use of the frames before it, by MPEG 1?


@dataclass(frozen=True)
class Frame:
    """What the four bytes of a frame header say.

    Attributes:
        header: The four bytes.
        first: Whether it is MPEG 1 (otherwise MPEG 2 or 2.5).
        layer: 1, 2 or 3.
        sample_rate: Hz.
        mono: Whether it has one channel.
        size: Bytes of the frame, header included.
        samples: Samples per channel.
    """

    header: bytes
    first: bool
    layer: int
    sample_rate: int
    mono: bool
    size: int
    samples: int

    @property
    def side_size(self) -> int:
        """Bytes of the side information of Layer III."""
        return (17 if self.mono else 32) if self.first else (9 if self.mono else 17)

    @property
    def side_start(self) -> int:
        """Offset of the side information: behind the header and its checksum."""
        return 4 if self.header[1] & 1 else 6

    @property
    def family(self) -> tuple[bool, int, int, bool]:
        """What stays the same from frame to frame in one stream."""
        return self.first, self.layer, self.sample_rate, self.mono


def parse_frame(data: bytes, at: int = 0) -> Frame | None:
    """Read the frame header at an offset; None where there is none, or one of unknown bitrate ("free format")."""
    header = data[at : at + 4]
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer_bits = header[1] >> 3 & 3, header[1] >> 1 & 3
    rate_bits, kbit_bits = header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or layer_bits == 0 or rate_bits == 3 or kbit_bits in (0, 15):
        return None
    layer, first = 4 - layer_bits, version == 3
    rate = _SAMPLE_RATES[rate_bits] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _KBITS[first, layer][kbit_bits - 1] * 1000
    padding = header[2] >> 1 & 1
    samples = 384 if layer == 1 else 1152 if layer == 2 or first else 576
    size = (12 * bits // rate + padding) * 4 if layer == 1 else samples // 8 * bits // rate + padding
    return Frame(header, first, layer, rate, header[3] >> 6 == 3, size, samples)


@lru_cache(maxsize=32)
def sizes_by_header(second: int, rate_bits: int) -> dict[bytes, int]:
    """Frame sizes by the first three bytes of a header, for all headers of one version, layer and sample rate.

    Args:
        second: The header's second byte, whose last bit (a checksum follows or not) does not matter.
        rate_bits: The two bits of the sample rate.
    """
    sizes = {}
    for protection in (0, 1):
        for third in range(256):
            head = bytes([0xFF, second & 0xFE | protection, third])
            frame = parse_frame(head + b"\0")
            if frame is not None and third >> 2 & 3 == rate_bits:
                sizes[head] = frame.size
    return sizes


@dataclass(frozen=True)
class Xing:
    """The header that an encoder put into the first frame.

    Attributes:
        frames: Number of frames, None where it does not say.
        n_bytes: Length of the stream from this frame on, None where it does not say.
        lame: The 36 bytes that name the encoder and the gap lengths, or nothing.
    """

    frames: int | None
    n_bytes: int | None
    lame: bytes

    def promised_samples(self, frame: Frame) -> int:
        """Samples per channel by this header."""
        return trimmed_length((self.frames or 0) * frame.samples, self.lame)


def parse_xing(frame: Frame, data: bytes) -> Xing | None:
    """Read the Xing, Info or VBRI header in a frame; None where it holds audio instead."""
    if frame.layer != 3:
        return None
    if data[36:40] == b"VBRI":
        n_bytes, frames = struct.unpack(">II", data[46:54].ljust(8, b"\0"))
        return Xing(frames, n_bytes, b"")
    at = 4 + frame.side_size
    if data[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    at += 8
    values: list[int | None] = []
    for bit, width in ((1, 4), (2, 4), (4, 100), (8, 4)):
        present = bool(flags & bit)
        values.append(int.from_bytes(data[at : at + 4], "big") if present else None)
        at += width if present else 0
    lame = data[at : at + 36]
    named = len(lame) == 36 and lame[0] and lame[:4].isalnum()
    return Xing(values[0], values[1], lame if named else b"")


def front_gap(lame: bytes) -> int:
    """Samples cut off at the front: the encoder's delay and the decoder's."""
    return DECODER_DELAY + (int.from_bytes(lame[21:24], "big") >> 12 if lame else 0)


def trimmed_length(n: int, lame: bytes) -> int:
    """Samples left of n when the gaps that encoder and decoder put at both ends are cut off."""
    padding = int.from_bytes(lame[21:24], "big") & 0xFFF if lame else 0
    return max(0, min(n, n - padding + DECODER_DELAY) - front_gap(lame))


def xing_frame(header: bytes, n_frames: int, lame: bytes) -> bytes:
    """Make a frame with a Xing header, at the lowest bitrate that has room for it.

    Args:
        header: The header of one of the stream's frames.
        n_frames: Number of frames that follow.
        lame: The encoder's 36 bytes, or nothing.
    """
    for kbit_bits in range(1, 15):
        own = bytes([header[0], header[1] | 1, kbit_bits << 4 | header[2] & 0x0C, header[3]])
        frame = parse_frame(own)
        if frame is not None and frame.size >= 4 + frame.side_size + 48:
            body = own + bytes(frame.side_size) + b"Xing" + struct.pack(">II", 1, n_frames) + lame
            return body.ljust(frame.size, b"\0")
    return b""


def silent_frame(frame: Frame) -> bytes:
    """Make a frame of the same kind and size that decodes to silence: all its side information is zero."""
    header = bytes([frame.header[0], frame.header[1] | 1, frame.header[2], frame.header[3]])
    return header + bytes(frame.size - 4)


def main_data_begin(frame: Frame, data: bytes) -> int:
    """Bytes of the frames before it that a Layer III frame needs."""
    side = data[frame.side_start : frame.side_start + 2]
    return (side[0] << 1 | side[1] >> 7) if frame.first else side[0]


def muted(frame: Frame, data: bytes) -> bytes:
    """A Layer III frame without its own audio, whose main data can still be used by the frames behind it."""
    begin = frame.side_start
    keep = data[begin : begin + 2]
    side = bytes([keep[0], keep[1] & 0x80 if frame.first else 0]) + bytes(frame.side_size - 2)
    check = b"" if begin == 4 else struct.pack(">H", _checksum(data[2:4] + side))
    return data[:4] + check + side + data[begin + frame.side_size :]


def _checksum(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc
