from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from celesta.errors import LatentError, UsageError
from celesta.latents import CelReader, CelWriter, Latent, LatentWindow, verify
from celesta.latents.meta import layout
from celesta.latents.packing import pack_bits, unpack_bits

META: dict[str, Any] = {
    "model": "linear-4",
    "weights": "",
    "sample_rate": 22_050,
    "hop_length": 512,
    "window": 4096,
    "overlap": 0,
    "source_rate": 22_050,
    "tags": {"title": "Étude"},
}


def window(seed: int = 0, channels: int = 2, dim: int = 4, detail: int = 2, frames: int = 8) -> LatentWindow:
    rng = np.random.default_rng(seed)
    return LatentWindow(
        rng.standard_normal((channels, dim, frames)).astype(np.float32),
        rng.integers(0, 512, (channels, detail, frames)).astype(np.uint16),
        rng.standard_normal((channels, detail, frames)).astype(np.float32),
        np.ones(channels, np.float32),
    )


def write(path: Path, count: int = 3, **how: Any) -> None:
    with CelWriter(path, META, **how) as writer:
        for i in range(count):
            writer.append(window(i))
        writer.close(4096 * count)


@pytest.mark.parametrize("how", [{"dtype": "float32"}, {"dtype": "float16"}, {"bits": 5}])
@pytest.mark.parametrize("detail", [0, 2])
def test_safetensors_opens_it(tmp_path: Path, how: dict[str, Any], detail: int) -> None:
    path = tmp_path / "a.cel"
    with CelWriter(path, META, **how) as writer:
        for i in range(3):
            writer.append(window(i, detail=detail))
        writer.close(4096 * 3)
    with safe_open(path, "numpy") as file:
        names = {"crc", "gain", "places"} | ({"codes", "scale", "offset"} if "bits" in how else {"base", "values"})
        assert set(file.keys()) == names
        metadata = file.metadata()
        assert (metadata["format"], metadata["format_version"], metadata["model"]) == ("celesta", "2", "linear-4")
        np.testing.assert_array_equal(file.get_tensor("places")[2], window(2, detail=detail)[1])
        if "dtype" in how:
            np.testing.assert_array_equal(file.get_tensor("base")[1], window(1)[0].astype(how["dtype"]))


def test_tensors_lie_aligned(tmp_path: Path) -> None:
    for how in ({"bits": 3}, {"dtype": "float16"}):
        write(tmp_path / "a.cel", **how)
        reader = CelReader(tmp_path / "a.cel")
        for tensor in layout(reader.meta).values():
            assert (reader._start + tensor.begin) % {"F32": 4, "U32": 4, "F16": 2, "U16": 2, "U8": 1}[tensor.dtype] == 0


@pytest.mark.parametrize("how", [{"dtype": "float32"}, {"dtype": "float16"}, {"bits": 7}])
def test_streaming_gives_the_bytes_of_one_shot(tmp_path: Path, how: dict[str, Any]) -> None:
    write(tmp_path / "streamed.cel", **how)
    arrays = [np.stack(part) for part in zip(*(window(i)[:4] for i in range(3)), strict=True)]
    Latent(*arrays, **META, n_samples=4096 * 3).save(tmp_path / "whole.cel", **how)
    assert (tmp_path / "streamed.cel").read_bytes() == (tmp_path / "whole.cel").read_bytes()


def test_windows_in_any_order(tmp_path: Path) -> None:
    write(tmp_path / "a.cel", dtype="float32")
    with CelReader(tmp_path / "a.cel") as reader:
        assert len(reader) == 3
        assert (reader.meta.model, reader.meta.n_samples, reader.meta.tags) == ("linear-4", 4096 * 3, META["tags"])
        for i in (2, 0, 1):
            for got, wanted in zip(reader.window(i)[:4], window(i)[:4], strict=True):
                np.testing.assert_array_equal(got, wanted)
                assert got.dtype == wanted.dtype
        for wrong in (-1, 3):
            with pytest.raises(IndexError):
                reader.window(wrong)


def test_verify_gives_the_metadata(tmp_path: Path) -> None:
    write(tmp_path / "a.cel", bits=4)
    meta = verify(tmp_path / "a.cel")
    assert (meta.windows, meta.channels, meta.latent_dim, meta.detail_size, meta.frames) == (3, 2, 4, 2, 8)
    assert meta.encoding == "bits-4"


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> None:
        with CelWriter(tmp_path / "a.cel", META) as writer:
            writer.append(window())
            raise RuntimeError("as a decoder would")

    with pytest.raises(RuntimeError, match="decoder"):
        broken()
    with CelWriter(tmp_path / "a.cel", META) as writer:
        writer.append(window())  # never closed
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(LatentError, match="closed"):
        writer.append(window())


def test_a_failing_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.cel", 1)
    before = (tmp_path / "a.cel").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LatentError, match=r"a\.cel.*No space left"):
        write(tmp_path / "a.cel", 2)
    assert [p.name for p in tmp_path.iterdir()] == ["a.cel"]
    assert (tmp_path / "a.cel").read_bytes() == before


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(LatentError, match="cannot be written"):
        write(tmp_path / "missing" / "a.cel")
    with pytest.raises(LatentError, match="cannot be written"):
        write(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(LatentError, match="cannot be written"):
        write(tmp_path / "file" / "a.cel")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("how", [{"dtype": "float32"}, {"dtype": "float16"}, {"bits": 3}])
@pytest.mark.parametrize("part", [0, 2, 3])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, how: dict[str, Any], part: int, bad: float) -> None:
    arrays = list(window())
    arrays[part].flat[1] = bad
    with (
        CelWriter(tmp_path / "a.cel", META, **how) as writer,
        pytest.raises(LatentError, match=r"window 0.*not finite"),
    ):
        writer.append(LatentWindow(*arrays))


def test_values_too_large_for_the_precision_are_refused(tmp_path: Path) -> None:
    base, *rest = window()
    base[0, 0, 0] = 70_000
    with CelWriter(tmp_path / "a.cel", META) as writer, pytest.raises(LatentError, match="use float32"):
        writer.append(LatentWindow(base, *rest))
    base[0, 0, :2] = 3.4e38, -3.4e38
    with CelWriter(tmp_path / "a.cel", META, bits=1) as writer, pytest.raises(LatentError, match="too far apart"):
        writer.append(LatentWindow(base, *rest))


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    base, places, values, gain, _ = window()
    wrong = [
        (base[0], places, values, gain),
        (base[:1], places, values, gain),
        (base, places[:, :1], values, gain),
        (base, places[..., :3], values[..., :3], gain),
        (base, places, values, gain[:1]),
        (base[..., :0], places[..., :0], values[..., :0], gain),
        (base[:, :0], places[:, :0], values[:, :0], gain),
        (base, places.astype(np.int64) - 600, values, gain),
    ]
    for arrays in wrong:
        with CelWriter(tmp_path / "a.cel", META) as writer, pytest.raises(LatentError, match=r"a\.cel"):
            writer.append(LatentWindow(*arrays))
    with CelWriter(tmp_path / "a.cel", META) as writer:
        writer.append(window())
        with pytest.raises(LatentError, match="another shape"):
            writer.append(window(frames=7))


@pytest.mark.parametrize(
    "change",
    [
        {"sample_rate": 0},
        {"sample_rate": 22_050.0},
        {"overlap": 4096},
        {"hop_length": -1},
        {"tags": {"lyrics": "la" * (1 << 20)}},
        {"tags": {"year": 1999}},
        {"model": "\ud800"},
    ],
)
def test_metadata_that_could_not_be_read_back_are_refused_at_once(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(LatentError, match=r"a\.cel: cannot be written"):
        CelWriter(tmp_path / "a.cel", {**META, **change})


def test_wrong_arguments(tmp_path: Path) -> None:
    for how in ({"dtype": "float64"}, {"bits": 0}, {"bits": 17}):
        with pytest.raises(UsageError):
            CelWriter(tmp_path / "a.cel", META, **how)
    with pytest.raises(UsageError, match="colour"):
        CelWriter(tmp_path / "a.cel", {**META, "colour": 1})
    with pytest.raises(UsageError, match="model"):
        CelWriter(tmp_path / "a.cel", {k: v for k, v in META.items() if k != "model"})


def test_close_wants_windows_and_a_length_that_fits_them(tmp_path: Path) -> None:
    with CelWriter(tmp_path / "a.cel", META) as writer, pytest.raises(LatentError, match="nothing to write"):
        writer.close(1)
    for n_samples in (0, -1, 4097):
        with CelWriter(tmp_path / "a.cel", META) as writer:
            writer.append(window())
            with pytest.raises(LatentError, match="cannot be written"):
                writer.close(n_samples)
    with CelWriter(tmp_path / "a.cel", META) as writer:
        writer.append(window())
        writer.close(np.int64(4096))  # type: ignore[arg-type]
        with pytest.raises(LatentError, match="already"):
            writer.close(4096)
    assert verify(tmp_path / "a.cel").n_samples == 4096


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe", tmp_path / "empty", "a\0b", "/dev/zero"):
        with pytest.raises(LatentError):
            verify(path)


@pytest.mark.parametrize("bits", range(1, 17))
def test_bits_pack_without_gaps(bits: int) -> None:
    for count in (0, 1, 7, 8, 1000, 3 * (1 << 16) + 5):
        codes = np.random.default_rng(count).integers(0, 1 << bits, count).astype(np.uint16)
        packed = pack_bits(codes, bits)
        assert len(packed) == -(-count * bits // 8)
        np.testing.assert_array_equal(unpack_bits(packed, bits, count), codes)


def test_fewer_bits_make_smaller_files(tmp_path: Path) -> None:
    sizes = []
    for bits in (2, 4, 8):
        with CelWriter(tmp_path / "a.cel", META, bits=bits) as writer:
            writer.append(window(frames=512, detail=0))
            writer.close(4096)
        sizes.append((tmp_path / "a.cel").stat().st_size)
    assert sizes[1] - sizes[0] == 2 * 4 * 512 * 2 // 8
    assert sizes[2] - sizes[1] == 2 * 4 * 512 * 4 // 8


@pytest.mark.parametrize("how", [{"dtype": "float16"}, {"bits": 6}])
def test_memory_is_flat(tmp_path: Path, how: dict[str, Any]) -> None:
    def peak(count: int) -> int:
        arrays = window(dim=64, detail=16, frames=256)
        tracemalloc.start()
        with CelWriter(tmp_path / "a.cel", META, **how) as writer:
            for _ in range(count):
                writer.append(LatentWindow(*arrays))
            writer.close(4096 * count)
        verify(tmp_path / "a.cel")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(20), peak(100)
    assert (tmp_path / "a.cel").stat().st_size > 3_000_000
    assert many < few + 300_000
