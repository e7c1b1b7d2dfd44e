"""Damaged and hostile .cel files: every one is refused with a LatentError that names it, in little memory."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from celesta.errors import LatentError
from celesta.latents import CelReader, CelWriter, Latent, LatentWindow, verify
from celesta.latents import header as cel_header
from celesta.latents import meta as cel_meta

META: dict[str, Any] = {
    "model": "m",
    "weights": "",
    "sample_rate": 8000,
    "hop_length": 4,
    "window": 8,
    "overlap": 0,
    "source_rate": 8000,
    "tags": {"t": 'a"b'},
}


def write(path: Path, **how: Any) -> bytes:
    rng = np.random.default_rng(0)
    with CelWriter(path, META, **how) as writer:
        for _ in range(2):
            x = rng.standard_normal((1, 3, 2)).astype(np.float32)
            writer.append(LatentWindow(x, np.ones((1, 1, 2), np.uint16), x[:, :1], np.ones(1, np.float32)))
        writer.close(15)
    return path.read_bytes()


def refused(path: Path) -> bool:
    """Whether verify refuses the file; any other exception than a one-line LatentError naming it fails the test."""
    try:
        verify(path)
    except LatentError as error:
        message = str(error)
    else:
        return False
    assert path.name in message
    assert "\n" not in message
    return True


def put(path: Path, data: bytes) -> None:
    """Overwrite in place: emptying the file first would make some file systems write to the disk at once."""
    with path.open("r+b") as file:
        file.write(data)
        file.truncate(len(data))


@pytest.mark.parametrize("how", [{"dtype": "float32"}, {"bits": 3}])
def test_every_flipped_bit_is_found(tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / "a.cel"
    data = write(path, **how)
    handle = os.open(path, os.O_RDWR)
    for at, byte in enumerate(data):
        for bit in range(8):
            os.pwrite(handle, bytes([byte ^ 1 << bit]), at)
            assert refused(path), (at, bit)
        os.pwrite(handle, bytes([byte]), at)
    os.close(handle)
    assert not refused(path)


def test_every_truncation_and_every_addition_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.cel"
    data = write(path)
    for tail in (b"\0", b" ", b"{}", data[-4:], data):
        put(path, data + tail)
        assert refused(path)
        put(path, tail + data)
        assert refused(path)
    for size in reversed(range(len(data))):
        put(path, data[:size])
        assert refused(path), size
        if size:
            put(path, data[-size:])
            assert refused(path), -size


def test_random_mutations_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.cel"
    data = write(path, bits=5)
    rng = np.random.default_rng(1)
    for _ in range(2000):
        broken = bytearray(data)
        for _ in range(rng.integers(1, 5)):
            at, n = int(rng.integers(len(broken))), int(rng.integers(1, 9))
            kind = rng.integers(4)
            if kind == 0:
                broken[at : at + n] = rng.bytes(n)
            elif kind == 1:
                del broken[at : at + n]
            elif kind == 2:
                broken[at:at] = broken[:n]
            else:
                broken[at : at + 1] = b"-" if rng.random() < 0.5 else b"9" * n
            broken = broken or bytearray(b"\0")
        put(path, broken)
        assert refused(path) or broken == data


def test_swapped_blocks_of_two_files_are_found(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.cel"), write(tmp_path / "b.cel", dtype="float32")
    for head, body in ((a, b), (b, a)):
        start = 8 + int.from_bytes(head[:8], "little")
        path = tmp_path / "mixed.cel"
        path.write_bytes(head[:start] + body[8 + int.from_bytes(body[:8], "little") :])
        assert refused(path)


# ---- crafted headers


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    start = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:start]), data[start:]


def join(header: dict[str, Any] | bytes, payload: bytes) -> bytes:
    """A file of this header; a dict gets true hashes, as an attacker would compute them."""
    if isinstance(header, dict):
        metadata = header.get("__metadata__")
        if isinstance(metadata, dict):
            metadata["payload_sha256"] = hashlib.sha256(payload).hexdigest()
            metadata.pop("header_sha256", None)
            metadata["header_sha256"] = cel_header._digest(metadata)
        header = json.dumps(header, separators=(",", ":")).encode()
        header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + payload


def checked(header: dict[str, Any], payload: bytes) -> bytes:
    """The payload with true checksums of its windows."""
    tensors = {name: one for name, one in header.items() if name != "__metadata__"}
    windows = tensors.pop("crc")["shape"][0]
    made = b""
    for i in range(windows):
        found = 0
        for tensor in tensors.values():
            begin, end = tensor["data_offsets"]
            size = (end - begin) // windows
            found = zlib.crc32(payload[begin + i * size : begin + (i + 1) * size], found)
        made += found.to_bytes(4, "little")
    return made + payload[len(made) :]


def in_metadata(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header["__metadata__"].update(changes)


def in_tensor(name: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header[name].update(changes)


HUGE = str((1 << 53) - 1)
NOT_SIZES = ("-1", "NaN", "1e3", "", HUGE, "9" * 5000)
CHANGES = [
    *(
        in_metadata(**{name: value})
        for name in cel_meta.NUMBERS
        for value in ("-1", "NaN", "1e3", "", HUGE, "9" * 5000)
    ),
    *(in_metadata(**{name: " 1"}) for name in cel_meta.NUMBERS),
    *(in_metadata(**{name: 1}) for name in cel_meta.NUMBERS),
    *(in_metadata(**{name: "٣"}) for name in cel_meta.NUMBERS),
    in_metadata(windows=str(1 << 32)),
    in_metadata(n_samples=str(1 << 48)),
    in_metadata(n_samples="17"),
    in_metadata(latent_dim="0", detail_size="0"),
    in_metadata(encoding="bits-99"),
    in_metadata(encoding="bits-01"),
    in_metadata(encoding="float64"),
    in_metadata(encoding=None),
    in_metadata(format="other"),
    in_metadata(format_version="x"),
    in_metadata(format_version="-1"),
    in_metadata(format_version="9" * 5000),
    in_metadata(tags="[" * 100_000),
    in_metadata(tags='{"a":1}'),
    in_metadata(tags='{"a":"1","a":"2"}'),
    in_metadata(tags="[]"),
    in_metadata(tags='{ "t": "a" }'),
    in_metadata(model="\ud800"),
    in_metadata(extra="1"),
    lambda header: header["__metadata__"].pop("model"),
    lambda header: header.update(__metadata__=[]),
    lambda header: header.update(__metadata__="celesta"),
    lambda header: header.pop("__metadata__"),
    lambda header: header.pop("gain"),
    lambda header: header.update(more={"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}),
    in_tensor("base", shape=[2, 1, 3, -2]),
    in_tensor("base", shape=[1 << 62, 4, 4, 4]),
    in_tensor("base", shape=[float("nan")]),
    in_tensor("base", shape=[float("inf")]),
    in_tensor("base", shape=[2, 1, 2, 3]),
    in_tensor("base", data_offsets=[-8, 0]),
    in_tensor("base", data_offsets=[0, 1 << 63]),
    in_tensor("base", data_offsets=[16, 0]),
    in_tensor("base", dtype="F64"),
    in_tensor("base", dtype=["F16"]),
    in_tensor("places", data_offsets=[0, 8]),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_crafted_metadata_are_refused(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.cel"
    header, payload = split(write(path))
    path.write_bytes(join(header, payload))
    assert not refused(path)  # so that what is refused below is the change, not this test's header
    CHANGES[number](header)
    path.write_bytes(join(header, payload))
    tracemalloc.start()
    assert refused(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20_000_000
    with pytest.raises(LatentError) as error:
        Latent.load(path)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"NaN",
        b"1" * 10_000,
        b"[" * 500_000,
        b'{"__metadata__":' * 50_000,
        b'{"__metadata__":{"format":"celesta","format_version":"1"}}',
        b'{"__metadata__":{"format":"celesta","format":"celesta"}}',
        b'\xff\xfe{"__metadata__":{}}',
        b'{"__metadata__":{"format":"\xc3\x28"}}',
        b'{"__metadata__":{"format":1e999}}',
        b"\0" * 1000,
    ],
)
def test_headers_that_are_no_header_are_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.cel"
    path.write_bytes(join(header, b"payload"))
    assert refused(path)


@pytest.mark.parametrize("length", [0, 1, 2, 1 << 20, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_lengths_that_lie_are_refused_without_memory(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.cel"
    data = write(path)
    with path.open("r+b") as file:
        file.write(length.to_bytes(8, "little"))
        file.truncate(1 << 33)  # sparse: the size allows what the length asks for
    tracemalloc.start()
    assert refused(path)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert len(data) < 2000


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.cel"
    header, payload = split(write(path))
    text = json.dumps(header, separators=(",", ":")).encode()
    path.write_bytes(join(text.replace(b'"gain":', b'"gain":{},"gain":', 1), payload))
    assert refused(path)


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.cel"
    header, payload = split(write(path))
    header["__metadata__"]["format_version"] = "3"
    path.write_bytes(join(header, payload))
    with pytest.raises(LatentError, match=r"a\.cel.*newer Celesta \(format 3\); update"):
        verify(path)


@pytest.mark.parametrize("version", ["0", "1"])
def test_files_from_before_the_first_release_are_refused_and_say_what_to_do(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.cel"
    header, payload = split(write(path))
    header["__metadata__"]["format_version"] = version
    path.write_bytes(join(header, payload))
    with pytest.raises(LatentError, match=r"a\.cel.*before its first release \(format [01], now 2\); encode the audio"):
        verify(path)


def test_another_safetensors_file_is_named(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "a.cel"
    for metadata in ({"a": "b"}, None):
        save_file({"x": np.zeros(3)}, path, metadata)
        assert refused(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_even_with_a_true_hash(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "a.cel"
    for name, how in (("gain", {}), ("base", {"dtype": "float32"}), ("scale", {"bits": 2}), ("offset", {"bits": 2})):
        header, payload = split(write(path, **how))
        begin = header[name]["data_offsets"][0]
        payload = payload[:begin] + np.float32(bad).tobytes() + payload[begin + 4 :]
        path.write_bytes(join(header, checked(header, payload)))
        with pytest.raises(LatentError, match="not finite"):
            verify(path)


def test_a_file_cut_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.cel"
    with CelWriter(path, META) as writer:
        for _ in range(3):
            writer.append(
                LatentWindow(np.zeros((1, 4, 9000)), np.zeros((1, 0, 9000)), np.zeros((1, 0, 9000)), np.ones(1))
            )
        writer.close(24)
    with CelReader(path) as reader:
        os.truncate(path, path.stat().st_size - 1)
        assert reader.window(1)[0].shape == (1, 4, 9000)
        with pytest.raises(LatentError, match=r"a\.cel.*cut short"):
            reader.window(2)
