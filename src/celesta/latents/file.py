"""Latents on disk: the .cel file, written and read a window at a time, so that hours need no more memory than seconds.

A .cel file is a safetensors file, which any reader of that format opens. Its name appears only when it is whole.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import operator
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from celesta._files import disk_errors, write_whole
from celesta.entropy import window as bits_window
from celesta.entropy.tables import load_tables
from celesta.entropy.window import BASE_GROUPS
from celesta.errors import LatentError, UsageError
from celesta.latents.header import CODED, LARGEST_HEADER, CelMeta, check, layout, pack, unpack
from celesta.latents.packing import dequantise, pack_bits, quantise, unpack_bits

_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "U32": np.dtype("<u4"),
    "F16": np.dtype("<f2"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
}
_BLOCK = 1 << 20

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class CelWriter:
    """Writes a .cel file window by window; used with `with`, it leaves nothing behind when an exception ends the block.

    Args:
        path: its final name, which appears on :meth:`close` and not before.
        meta: ``model weights sample_rate hop_length window overlap source_rate`` and, if wanted, ``tags``.
        dtype: ``float16`` or ``float32``.
        bits: 1 to 16: store numbers as codes of so many bits, uniform over each row's range in each window (a row is
            one latent channel of one sound channel). No number is then off by more than
            ``(high - low) / (2**bits - 1) / 2``, and the rounding of float32.

    Raises:
        UsageError: dtype, bits or names in meta are unknown.
        LatentError: a number in meta is out of range, or the tags are too long.
    """

    def __init__(
        self, path: str | Path, meta: Mapping[str, Any], *, dtype: str = "float16", bits: int | None = None
    ) -> None:
        if dtype not in ("float16", "float32"):
            raise UsageError(f"dtype must be float16 or float32, got {dtype!r}")
        if bits is not None and not 1 <= bits <= 16:
            raise UsageError(f"bits must lie in 1..16, got {bits}")
        self.path = Path(path)
        self._meta = {k: operator.index(v) if isinstance(v, np.integer) else v for k, v in meta.items()}
        self._bits = bits
        self._encoding = f"bits-{bits}" if bits else dtype
        self._spools: dict[str, IO[bytes]] = {}
        self._shape: tuple[int, int, int, int] | None = None
        self._windows = 0
        self._closed = False
        self._head(
            (1, 1, 0, 1), windows=1 << 20, n_samples=1, sha256="0" * 64
        )  # shows bad metadata before hours of work

    def append(self, base: np.ndarray, places: np.ndarray, values: np.ndarray, gain: np.ndarray) -> None:
        """Add a window: ``(channels, latent_dim, frames)``, twice ``(channels, k, frames)``, ``(channels,)``.

        Raises:
            LatentError: shapes do not fit or change between windows, values are not finite in the chosen precision,
                places do not fit 16 bits, the disk is full, or the writer is closed.
        """
        if self._closed:
            raise LatentError(f"{self.path}: the writer is closed; open another one")
        fits = base.ndim == values.ndim == 3 and base.shape[::2] == values.shape[::2] and gain.shape == base.shape[:1]
        if not fits or places.shape != values.shape:
            shapes = f"base {base.shape}, places {places.shape}, values {values.shape}, gain {gain.shape}"
            raise LatentError(f"{self.path}: window {self._windows}: {shapes} do not fit together")
        shape = (base.shape[0], base.shape[1], values.shape[1], base.shape[2])
        if self._shape is None:
            self._head(shape, windows=1 << 20, n_samples=1, sha256="0" * 64)
            self._shape = shape
        if shape != self._shape:
            raise LatentError(f"{self.path}: window {self._windows} has another shape than the first")
        arrays = self._encoded(base, places, values, gain)
        with disk_errors(self.path):
            for name, array in arrays.items():
                if name not in self._spools:
                    folder = self.path.parent
                    self._spools[name] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed in _drop)
                self._spools[name].write(np.ascontiguousarray(array).tobytes())
        self._windows += 1

    def close(self, n_samples: int) -> None:
        """Assemble the file and give it its name. ``n_samples``: of the source, at its own rate.

        Raises:
            LatentError: nothing was appended, n_samples does not fit the windows, the disk is full, or it is closed.
        """
        if self._shape is None or self._closed:
            raise LatentError(f"{self.path}: {'it is written already' if self._closed else 'nothing to write'}")
        shape, n = self._shape, operator.index(n_samples)
        try:
            write_whole(self.path, lambda sha256: self._head(shape, self._windows, n, sha256)[0], self._payload)
        finally:
            self._drop()

    def __enter__(self) -> CelWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def _head(
        self, shape: tuple[int, int, int, int], windows: int, n_samples: int, sha256: str
    ) -> tuple[bytes, CelMeta]:
        sizes = dict(zip(("channels", "latent_dim", "detail_size", "frames"), shape, strict=True))
        rest: dict[str, Any] = {"windows": windows, "n_samples": n_samples, "encoding": self._encoding}
        try:
            meta = CelMeta(**{**self._meta, **sizes, **rest})
            check(meta)
            return pack(meta, sha256), meta
        except TypeError as error:
            raise UsageError(f"{self.path}: metadata of a .cel file: {error}") from None
        except ValueError as error:
            raise LatentError(f"{self.path}: cannot be written: {error}") from None

    def _encoded(
        self, base: np.ndarray, places: np.ndarray, values: np.ndarray, gain: np.ndarray
    ) -> dict[str, np.ndarray]:
        where = f"{self.path}: window {self._windows}"
        if places.size and not (places.min() >= 0 and places.max() <= 0xFFFF):
            raise LatentError(f"{where}: places must lie in 0..65535")
        kind = np.dtype("<f4" if self._encoding != "float16" else "<f2")
        with np.errstate(over="ignore"):  # shows as infinite
            numbers = {"base": base.astype(kind), "values": values.astype(kind), "gain": gain.astype("<f4")}
        if not all(np.isfinite(x).all() for x in numbers.values()):
            if all(np.isfinite(x).all() for x in (base, values, gain)):
                raise LatentError(f"{where}: values are too large for {kind.name}; use float32 or make them smaller")
            raise LatentError(f"{where}: values are not finite, so they cannot be saved")
        numbers["places"] = places.astype("<u2")
        if self._bits is None:
            return numbers
        rows = np.concatenate([numbers.pop("base"), numbers.pop("values")], axis=1)
        codes, scale, offset = quantise(rows, self._bits)
        if not np.isfinite(dequantise(codes, scale, offset)).all():
            raise LatentError(f"{where}: values are too far apart to quantise; make them smaller")
        return {"codes": pack_bits(codes.ravel(), self._bits), "scale": scale, "offset": offset, **numbers}

    def _payload(self) -> Iterator[bytes]:
        """The tensors' bytes in the order of the file, in blocks."""
        assert self._shape is not None  # close has looked
        _, meta = self._head(self._shape, windows=self._windows, n_samples=1, sha256="0" * 64)
        for name in layout(meta):
            self._spools[name].seek(0)
            while block := self._spools[name].read(_BLOCK):
                yield block

    def _drop(self) -> None:
        self._closed = True
        for spool in self._spools.values():
            with contextlib.suppress(OSError):  # what a full disk still held back is not wanted any more
                spool.close()
        self._spools = {}


class CelReader:
    """Reads a .cel file window by window, any window first.

    The header is checked on opening; :func:`verify` checks the payload.

    Attributes:
        meta: what the file says of itself.
        encoding: ``float16``, ``float32``, ``bits-n`` or ``coded-1``.

    Raises:
        LatentError: the file is missing, damaged or no .cel file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):  # opening a pipe would wait for ever
                raise LatentError(f"{self.path}: is no file; name a .cel file")
            self._file = self.path.open("rb")
        except OSError as error:
            raise LatentError(f"{self.path}: cannot be opened ({error.strerror})") from None
        except ValueError:
            raise LatentError(f"{str(self.path)!r}: is no file name") from None
        try:
            size = os.fstat(self._file.fileno()).st_size
            head = self._file.read(8)
            length = min(int.from_bytes(head, "little"), LARGEST_HEADER)
            self.meta, self._sha256, self._start = unpack(head + self._file.read(length), size, str(self.path))
        except BaseException:
            self._file.close()
            raise
        self.encoding = self.meta.encoding
        self._layout = layout(self.meta)

    def __len__(self) -> int:
        return self.meta.windows

    def __enter__(self) -> CelReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def window(self, i: int) -> Arrays:
        """Base, places, values and gain of window ``i``, as :meth:`CelWriter.append` takes them (float32, uint16).

        Raises:
            LatentError: a value is not finite or the file has changed while it is read.
            IndexError: there is no such window.
        """
        if not 0 <= i < self.meta.windows:
            raise IndexError(f"{self.path}: window {i} of {self.meta.windows}")
        if self.encoding == CODED:
            return self._coded(i)
        gain, places = self._part("gain", i), self._part("places", i)
        if self.encoding.startswith("bits-"):
            scale, offset = self._part("scale", i), self._part("offset", i)
            shape = (*scale.shape, self.meta.frames)
            codes = unpack_bits(self._part("codes", i), int(self.encoding[5:]), int(np.prod(shape)))
            rows = dequantise(codes.reshape(shape), scale, offset)
            base, values = rows[:, : self.meta.latent_dim], rows[:, self.meta.latent_dim :]
        else:
            base, values = self._part("base", i).astype(np.float32), self._part("values", i).astype(np.float32)
        if not (np.isfinite(base).all() and np.isfinite(values).all() and np.isfinite(gain).all()):
            raise LatentError(f"{self.path}: window {i} holds values that are not finite; encode the sound again")
        return base, places, values, gain

    def numbers(self, i: int) -> list[bits_window.Numbers]:
        """The whole numbers of window ``i`` of a coded file, one entry a channel.

        Raises:
            LatentError: the file is not coded, or damaged.
        """
        if self.encoding != CODED:
            raise LatentError(f"{self.path}: is not coded; encode the sound with --kbps or --quality")
        m = self.meta
        index, starts = self._index
        made = []
        for channel, row in enumerate(index[i]):
            self._file.seek(self._start + self._layout["payload"].begin + int(starts[i, channel]))
            parts = [self._file.read(int(size)) for size in row[: BASE_GROUPS + 1]]
            try:
                made.append(bits_window.decode(parts, int(row[-1]), m.latent_dim, m.frames, load_tables()))
            except LatentError as error:
                raise LatentError(f"{self.path}: window {i}: {error}; encode the sound again") from None
        return made

    @functools.cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        """Sizes ``(windows, channels, parts + 1)`` and where each channel's bytes begin ``(windows, channels)``."""
        tensor = self._layout["index"]
        self._file.seek(self._start + tensor.begin)
        data = self._file.read(tensor.end - tensor.begin)
        if len(data) != tensor.end - tensor.begin:
            raise LatentError(f"{self.path}: it was cut short while being read")
        index = np.frombuffer(data, "<u4").reshape(tensor.shape)
        ends = np.cumsum(index[..., :-1].sum(-1, dtype=np.int64).ravel())
        if int(ends[-1]) != self.meta.payload_bytes or self.meta.latent_dim > len(load_tables().move):
            raise LatentError(f"{self.path}: damaged: its parts do not add up; encode the sound again")
        starts = np.concatenate([[0], ends[:-1]]).reshape(index.shape[:2])
        return index, starts

    def _coded(self, i: int) -> Arrays:
        made = [bits_window.floats(numbers, load_tables()) for numbers in self.numbers(i)]
        k = max(values.shape[0] for _, _, values in made)
        places, values = (np.stack([np.pad(one[j], ((0, k - len(one[j])), (0, 0))) for one in made]) for j in (1, 2))
        return np.stack([base for base, _, _ in made]), places, values, np.ones(len(made), np.float32)

    def check_payload(self) -> None:
        """Compare the payload with the SHA-256 in the header.

        Raises:
            LatentError: they differ.
        """
        digest = hashlib.sha256()
        self._file.seek(self._start)
        while block := self._file.read(_BLOCK):
            digest.update(block)
        if digest.hexdigest()[: len(self._sha256)] != self._sha256:
            raise LatentError(f"{self.path}: damaged: its payload was changed; encode the sound again or restore it")

    def _part(self, name: str, i: int) -> np.ndarray:
        tensor = self._layout[name]
        dtype, shape = _DTYPES[tensor.dtype], tensor.shape[1:]
        count = int(np.prod(shape))
        self._file.seek(self._start + tensor.begin + i * count * dtype.itemsize)
        data = self._file.read(count * dtype.itemsize)
        if len(data) != count * dtype.itemsize:
            raise LatentError(f"{self.path}: it was cut short while being read")
        return np.frombuffer(data, dtype).reshape(shape)


def verify(path: str | Path) -> CelMeta:
    """Prove a .cel file whole: its header, its payload's SHA-256, finite values. Its metadata come back.

    Raises:
        LatentError: it is not whole; the message says how.
    """
    with CelReader(path) as reader:
        reader.check_payload()
        for i in range(len(reader)):
            reader.window(i)
        return reader.meta
