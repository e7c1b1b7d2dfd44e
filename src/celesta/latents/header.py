"""The header of a .cel file: a safetensors header with our metadata, checked before anything is allocated.

Layout: 8 bytes little-endian length N, N bytes of JSON, then the tensors one behind the other (safetensors format).
The metadata hold the SHA-256 of the payload and one of the rest of the header, so that every flipped bit shows; the
payload holds a CRC-32 of each window, so that damage is found where it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from celesta.errors import LatentError
from celesta.latents.meta import ALL_NUMBERS, CODED, NUMBERS, CelMeta, check, layout
from celesta.latents.source import SourceFile

VERSION = 2
LARGEST_HEADER = 1 << 20


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
        metadata["numbers"] = " ".join(str(getattr(meta, name)) for name in ALL_NUMBERS)
        metadata["tables"] = meta.tables
    else:
        metadata |= {name: str(getattr(meta, name)) for name in NUMBERS}
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


def unpack(head: bytes, file_size: int, where: str, *, cut: bool = False) -> tuple[CelMeta, str, int]:
    """Read the header of a file: its metadata, the payload's SHA-256, where the payload begins.

    The header must be byte for byte what :func:`pack` writes for its own metadata, so that nothing in it can contradict
    the rest.

    Args:
        head: first bytes of the file, at least the header.
        file_size: bytes of the file.
        where: name of the file, for messages.
        cut: accept a file whose end is missing or has more bytes.

    Raises:
        LatentError: it is not a .cel file, is damaged, or is of another version.
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
    if version < VERSION:
        raise LatentError(
            f"{where}: written by Celesta before its first release (format {version}, now {VERSION});"
            " encode the audio again"
        )
    about: dict[str, Any] = {"encoding": metadata.get("encoding")}
    try:
        if metadata["encoding"] == CODED:
            texts = dict(zip(ALL_NUMBERS, metadata["numbers"].split(" "), strict=True))
            about["tables"] = metadata["tables"]
        else:
            texts = {name: metadata[name] for name in NUMBERS}
            texts |= {name: metadata.get(name, "0") for name in ("mid_side", "envelope")}
        numbers = {name: _number(name, text) for name, text in texts.items()}
        tags = json.loads(metadata["tags"], object_pairs_hook=_no_duplicates)
        if not isinstance(tags, dict):
            raise ValueError("tags are not texts")
        about |= {**numbers, "tags": tags}
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
    if wanted != file_size and not cut:
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
