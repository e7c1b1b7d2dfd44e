"""What the header of a .cel file says, which numbers it may say, and where its tensors lie."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from celesta.entropy.window import PARTS
from celesta.latents.source import SourceFile
from celesta.latents.window import ENVELOPE_FRAMES

_SIZES = {"F32": 4, "U32": 4, "F16": 2, "U16": 2, "U8": 1}
CODED = "coded-2"
NUMBERS = {
    # name: (smallest, largest)
    "sample_rate": (8_000, 192_000),
    "hop_length": (1, 1 << 24),
    "window": (1, 1 << 30),
    "overlap": (0, 1 << 30),
    "source_rate": (8_000, 192_000),
    "n_samples": (1, 1 << 48),
    "windows": (1, 1 << 32),
    "channels": (1, 8),
    "latent_dim": (0, 1 << 16),
    "detail_size": (0, 1 << 16),
    "frames": (1, 1 << 24),
}
_ENCODINGS = ("float32", "float16", *(f"bits-{n}" for n in range(1, 17)), CODED)
_MOST_ROWS = 4_096
_CODED_NUMBERS = {"payload_bytes": (0, 1 << 48), "mid_side": (0, 1), "envelope": (0, _MOST_ROWS)}
ALL_NUMBERS = (*NUMBERS, *_CODED_NUMBERS)
META = ("model", "weights", "sample_rate", "hop_length", "window", "overlap", "source_rate", "tags", "source")
"""Metadata that a writer takes; the sizes it counts itself."""
_MOST_CODED_FRAMES = 4_096
_TABLES = 8
INDEX = len(PARTS) + 2
"""Numbers of a window and channel in the index of a coded file: sizes of its parts, quantiser settings, CRC-32."""


@dataclass(frozen=True)
class CelMeta:
    """The metadata of a .cel file.

    Attributes:
        model: name of the model, or folder of its run.
        weights: SHA-256 of its weights, "" for a model without.
        sample_rate: Hz of the model.
        hop_length: samples a frame, at the model's rate.
        window: samples a window, at the model's rate.
        overlap: samples that neighbouring windows share.
        source_rate: Hz of the source.
        n_samples: of the source, at its rate.
        windows: number of windows.
        channels: number of audio channels.
        latent_dim: dense channels per frame.
        detail_size: sparse coefficients per frame.
        frames: frames per window.
        encoding: ``float16``, ``float32``, ``bits-n`` or ``coded-2``.
        tags: of the source.
        payload_bytes: of range-coded windows; 0 except in coded files.
        mid_side: 1 where the two channels are mid and side, else 0.
        envelope: rows of the band envelope, 0 for models without one.
        source: the audio file that was encoded, where it was one.
        tables: names the probability tables of a coded file, "" in others.

    Example:
        >>> from celesta.latents import CelReader
        >>> with CelReader("song.cel") as reader:
        ...     print(reader.meta.model, reader.meta.encoding, reader.meta.windows)
        linear-16 float16 1
    """

    model: str
    weights: str
    sample_rate: int
    hop_length: int
    window: int
    overlap: int
    source_rate: int
    n_samples: int
    windows: int
    channels: int
    latent_dim: int
    detail_size: int
    frames: int
    encoding: str
    tags: dict[str, str] = field(default_factory=dict)
    payload_bytes: int = 0
    mid_side: int = 0
    envelope: int = 0
    source: SourceFile | None = None
    tables: str = ""


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies in the payload."""

    dtype: str
    shape: tuple[int, ...]
    begin: int

    @property
    def end(self) -> int:
        """First byte behind it."""
        return self.begin + math.prod(self.shape) * _SIZES[self.dtype]


def layout(meta: CelMeta) -> dict[str, Tensor]:
    """List the tensors of a file with these numbers, in order: wide numbers first, so that each lies aligned.

    ``float32`` and ``float16`` files hold base and values as such; ``bits-n`` files hold them as n-bit codes, packed
    window by window, and for each window and channel a ``scale`` and ``offset`` per row. Coded files hold for each
    window and channel an index of :data:`INDEX` numbers, then the bytes. Others hold a CRC-32 of each window.
    """
    w, c = meta.windows, meta.channels
    if meta.encoding == CODED:
        wanted = [("index", "U32", (w, c, INDEX)), ("payload", "U8", (meta.payload_bytes,))]
        return _placed(wanted)
    dense, sparse = (meta.latent_dim, meta.frames), (meta.detail_size, meta.frames)
    rows = meta.latent_dim + meta.detail_size
    if meta.encoding.startswith("bits-"):
        packed = -(-rows * meta.frames * c * int(meta.encoding[5:]) // 8)
        wanted = [
            ("gain", "F32", (w, c)),
            ("scale", "F32", (w, c, rows)),
            ("offset", "F32", (w, c, rows)),
            ("places", "U16", (w, c, *sparse)),
            ("codes", "U8", (w, packed)),
        ]
    else:
        kind = {"float32": "F32", "float16": "F16"}[meta.encoding]
        wanted = [
            ("gain", "F32", (w, c)),
            ("base", kind, (w, c, *dense)),
            ("values", kind, (w, c, *sparse)),
            ("places", "U16", (w, c, *sparse)),
        ]
    if meta.envelope:
        columns = -(-meta.frames // ENVELOPE_FRAMES)
        wanted.insert(-1, ("envelope", "F16", (w, c, meta.envelope, columns)))
    return _placed([("crc", "U32", (w,)), *wanted])


def _placed(wanted: list[tuple[str, str, tuple[int, ...]]]) -> dict[str, Tensor]:
    tensors, at = {}, 0
    for name, dtype, shape in wanted:
        tensors[name] = Tensor(dtype, shape, at)
        at = tensors[name].end
    return tensors


def check(meta: CelMeta) -> None:
    """Refuse numbers and texts that no song can have.

    Raises:
        ValueError: one of them is out of range, or they contradict each other; the message says which.
    """
    numbers = NUMBERS | _CODED_NUMBERS if meta.encoding == CODED else NUMBERS
    for name, (smallest, largest) in numbers.items():
        value = getattr(meta, name)
        if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= largest:
            raise ValueError(f"{name} is {value!r}, not an integer from {smallest} to {largest}")
    if meta.encoding not in _ENCODINGS:
        raise ValueError(f"unknown encoding {meta.encoding[:20]!r}")
    if meta.overlap >= meta.window:
        raise ValueError(f"overlap {meta.overlap} is not below window {meta.window}")
    if meta.latent_dim + meta.detail_size + meta.envelope == 0:
        raise ValueError("it has neither base nor detail")
    coded = meta.windows * (meta.window - meta.overlap) + meta.overlap
    if meta.n_samples * meta.sample_rate > coded * meta.source_rate:
        raise ValueError(f"{meta.n_samples} samples do not fit into {meta.windows} windows")
    if meta.encoding == CODED and (meta.frames > _MOST_CODED_FRAMES or meta.frames * meta.hop_length != meta.window):
        raise ValueError(f"{meta.frames} coded frames do not make a window")
    if meta.mid_side not in (0, 1) or (meta.mid_side and meta.channels != 2):
        raise ValueError("only two channels are mid and side")
    if isinstance(meta.envelope, bool) or not isinstance(meta.envelope, int) or not 0 <= meta.envelope <= _MOST_ROWS:
        raise ValueError(f"envelope is {meta.envelope!r}, not a number of rows")
    if meta.encoding == CODED and not (len(meta.tables) == _TABLES and set(meta.tables) <= set("0123456789abcdef")):
        raise ValueError(f"its tables are {meta.tables[:20]!r}, not {_TABLES} hexadecimal digits")
    if not all(isinstance(text, str) for pair in meta.tags.items() for text in pair):
        raise ValueError("tags are not texts")
    for name in ("model", "weights"):
        text = getattr(meta, name)
        if not isinstance(text, str) or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError(f"{name} is not text that a .cel file can hold")
