"""The header of a .cel file: a safetensors header with our metadata, checked before anything is allocated.

Layout: 8 bytes little-endian length N, N bytes of JSON, then the tensors one behind the other (safetensors format).
The metadata hold the SHA-256 of the payload and one of the rest of the header, so that every flipped bit shows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celesta.entropy.window import BASE_GROUPS
from celesta.errors import LatentError
from celesta.latents.source import SourceFile
from celesta.latents.window import ENVELOPE_FRAMES

VERSION = 1
LARGEST_HEADER = 1 << 20
_SIZES = {"F32": 4, "U32": 4, "F16": 2, "U16": 2, "U8": 1}
CODED = "coded-1"
_NUMBERS = {
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
_CODED_NUMBERS = {"payload_bytes": (0, 1 << 48), "mid_side": (0, 1)}
_ALL_NUMBERS = (*_NUMBERS, *_CODED_NUMBERS)
_MOST_CODED_FRAMES = 4_096
_MOST_ROWS = 4_096


@dataclass(frozen=True)
class CelMeta:
    """The metadata of a .cel file. Numbers as in :class:`celesta.latents.Latent`.

    ``mid_side``: whether two channels are mid and side. ``payload_bytes`` (of range-coded windows) is 0 except in coded
    files. ``envelope``: rows of the band envelope in files of plain numbers. ``source`` is the audio file that was
    encoded, where it was one.
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
    window and channel the sizes in bytes of the base's groups and of the detail, and the step index, then the bytes.
    """
    w, c = meta.windows, meta.channels
    if meta.encoding == CODED:
        wanted = [("index", "U32", (w, c, BASE_GROUPS + 2)), ("payload", "U8", (meta.payload_bytes,))]
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
    return _placed(wanted)


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
    numbers = _NUMBERS | _CODED_NUMBERS if meta.encoding == CODED else _NUMBERS
    for name, (smallest, largest) in numbers.items():
        value = getattr(meta, name)
        if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= largest:
            raise ValueError(f"{name} is {value!r}, not an integer from {smallest} to {largest}")
    if meta.encoding not in _ENCODINGS:
        raise ValueError(f"unknown encoding {meta.encoding[:20]!r}")
    if meta.overlap >= meta.window:
        raise ValueError(f"overlap {meta.overlap} is not below window {meta.window}")
    if meta.latent_dim + meta.detail_size == 0:
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
    if meta.envelope and meta.encoding == CODED:
        raise ValueError("coded files have their envelope in the payload")
    if not all(isinstance(text, str) for pair in meta.tags.items() for text in pair):
        raise ValueError("tags are not texts")
    for name in ("model", "weights"):
        text = getattr(meta, name)
        if not isinstance(text, str) or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError(f"{name} is not text that a .cel file can hold")


def pack(meta: CelMeta, payload_sha256: str, *, escaped: bool | None = None) -> bytes:
    """Build the length and the JSON of a file with this payload.

    Args:
        meta: what the file says.
        payload_sha256: of the payload.
        escaped: write texts with JSON escapes, 6 to 12 bytes per character that is not ASCII, as earlier versions did,
            instead of UTF-8. None: only where UTF-8 cannot hold them (lone surrogates).

    Raises:
        ValueError: the texts are too long.
    """
    if escaped is None:
        escaped = any("\ud800" <= letter <= "\udfff" for pair in meta.tags.items() for text in pair for letter in text)
    digits = _digits(meta.encoding)
    metadata = {
        "format": "celesta",
        "format_version": str(VERSION),
        "model": meta.model,
        "weights": meta.weights,
        "encoding": meta.encoding,
        "tags": json.dumps(meta.tags, ensure_ascii=escaped, sort_keys=True),
        "payload_sha256": payload_sha256[:digits],
    }
    if meta.encoding == CODED:  # every byte counts: the numbers in a row
        metadata["numbers"] = " ".join(str(getattr(meta, name)) for name in _ALL_NUMBERS)
    else:
        metadata |= {name: str(getattr(meta, name)) for name in _NUMBERS}
        if meta.mid_side:
            metadata["mid_side"] = "1"
        if meta.envelope:
            metadata["envelope"] = str(meta.envelope)
    if meta.source is not None:
        metadata["source"] = str(meta.source)
    metadata["header_sha256"] = _digest(metadata)[:digits]
    header: dict[str, Any] = {"__metadata__": metadata}
    for name, tensor in layout(meta).items():
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [tensor.begin, tensor.end]}
    text = json.dumps(header, ensure_ascii=escaped, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LARGEST_HEADER:
        raise ValueError(f"its tags are longer than the {LARGEST_HEADER:,} bytes a .cel file takes; shorten them")
    return len(text).to_bytes(8, "little") + text


def unpack(head: bytes, file_size: int, where: str) -> tuple[CelMeta, str, int]:
    """Read the header of a file of ``file_size`` bytes: its metadata, the payload's SHA-256, where the payload begins.

    The header must be byte for byte what :func:`pack` writes for its own metadata, so
    that nothing in it can contradict the rest.

    Raises:
        LatentError: it is not a .cel file, is damaged, or is of a newer version.
    """
    length = int.from_bytes(head[:8], "little")
    if len(head) < 8 or not 2 <= length <= LARGEST_HEADER or 8 + length > file_size or len(head) < 8 + length:
        raise LatentError(f"{where}: not a .cel file, or cut short; encode the audio again")
    try:
        text = head[8 : 8 + length].decode("utf-8")
        metadata = json.loads(text, object_pairs_hook=_no_duplicates)["__metadata__"]
        if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
            raise ValueError("metadata are not texts")
        if metadata.get("format") != "celesta":
            raise LatentError(f"{where}: a safetensors file, but not a .cel file")
        version = _number("format_version", metadata["format_version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged(where, "its header is not readable") from None
    if version > VERSION:
        raise LatentError(f"{where}: written by a newer Celesta (format {version}); update Celesta")
    try:
        if metadata["encoding"] == CODED:
            texts = dict(zip(_ALL_NUMBERS, metadata["numbers"].split(" "), strict=True))
        else:
            texts = {name: metadata[name] for name in _NUMBERS}
            texts |= {name: metadata.get(name, "0") for name in ("mid_side", "envelope")}
        numbers = {name: _number(name, text) for name, text in texts.items()}
        tags = json.loads(metadata["tags"], object_pairs_hook=_no_duplicates)
        if not isinstance(tags, dict):
            raise ValueError("tags are not texts")
        about: dict[str, Any] = {**numbers, "encoding": metadata["encoding"], "tags": tags}
        if "source" in metadata:
            about["source"] = SourceFile.parse(metadata["source"])
        meta = CelMeta(metadata["model"], metadata["weights"], **about)
        check(meta)
        payload = metadata["payload_sha256"]
        if len(payload) != _digits(meta.encoding):
            raise ValueError("its payload's digest is cut short")
        same = any(pack(meta, payload, escaped=escaped) == head[: 8 + length] for escaped in (None, True))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(where, f"its header does not make sense ({error})") from None
    if not same:
        raise _damaged(where, "its header was changed")
    wanted = 8 + length + max(t.end for t in layout(meta).values())
    if wanted != file_size:
        raise _damaged(where, f"it has {file_size:,} bytes instead of {wanted:,}")
    return meta, payload, 8 + length


def _digest(metadata: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def _digits(encoding: str) -> int:
    """Return how many hexadecimal digits of a SHA-256 are stored: fewer in coded files; 64 bits show any accident."""
    return 16 if encoding == CODED else 64


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise ValueError(f"{name} is {text[:20]!r}, not a number")
    return int(text)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _damaged(where: str, how: str) -> LatentError:
    return LatentError(f"{where}: damaged: {how}; encode the audio again or restore the file")
