"""Latents on disk: the .cel file, written and read a window at a time, so that hours need no more memory than seconds.

A .cel file is a safetensors file, which any reader of that format opens. Its name appears only when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from celesta._celheader import LARGEST_HEADER, CelMeta, layout, pack, unpack
from celesta.errors import LatentError, UsageError

_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
}
_BLOCK = 1 << 20

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class CelWriter:
    """Writes a .cel file window by window.

    Args:
        path: its final name, which appears on :meth:`close` and not before.
        meta: ``model weights sample_rate hop_length window overlap source_rate tags``.
        dtype: ``float16`` or ``float32``.
        bits: 1 to 16: store numbers as codes of so many bits, uniform over each row's range in each window (a row is
            one latent channel of one sound channel), so that no number is off by more than range / (2^bits - 1) / 2.

    Raises:
        UsageError: dtype or bits are out of range.
    """

    def __init__(
        self, path: str | Path, meta: Mapping[str, Any], *, dtype: str = "float16", bits: int | None = None
    ) -> None:
        if dtype not in ("float16", "float32"):
            raise UsageError(f"dtype must be float16 or float32, got {dtype!r}")
        if bits is not None and not 1 <= bits <= 16:
            raise UsageError(f"bits must lie in 1..16, got {bits}")
        self.path = Path(path)
        self._meta = dict(meta)
        self._bits = bits
        self._encoding = f"bits-{bits}" if bits else dtype
        self._spools: dict[str, IO[bytes]] = {}
        self._shape: tuple[int, int, int, int] | None = None
        self._windows = 0
        self._closed = False

    def append(self, base: np.ndarray, places: np.ndarray, values: np.ndarray, gain: np.ndarray) -> None:
        """Add a window: ``(channels, latent_dim, frames)``, twice ``(channels, k, frames)``, ``(channels,)``.

        Raises:
            LatentError: shapes change between windows, or values are not finite in the chosen precision.
        """
        shape = (base.shape[0], base.shape[1], values.shape[1], base.shape[2])
        self._shape = self._shape or shape
        if shape != self._shape or places.shape != values.shape or gain.shape != (shape[0],):
            raise LatentError(f"{self.path}: window {self._windows} has another shape than the first")
        arrays = self._encoded(base, places, values, gain)
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise LatentError(f"{self.path}: window {self._windows} is not finite as {self._encoding}")
            self._spool(name).write(np.ascontiguousarray(array).tobytes())
        self._windows += 1

    def close(self, n_samples: int) -> None:
        """Assemble the file and give it its name. ``n_samples``: of the source, at its own rate.

        Raises:
            LatentError: nothing was appended.
        """
        if self._shape is None:
            raise LatentError(f"{self.path}: nothing to write")
        channels, latent_dim, detail_size, frames = self._shape
        meta = CelMeta(
            **self._meta,
            n_samples=n_samples,
            windows=self._windows,
            channels=channels,
            latent_dim=latent_dim,
            detail_size=detail_size,
            frames=frames,
            encoding=self._encoding,
        )
        spools = [self._spools[name] for name in layout(meta)]
        digest = hashlib.sha256()
        for spool in spools:
            spool.seek(0)
            while block := spool.read(_BLOCK):
                digest.update(block)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(pack(meta, digest.hexdigest()))
                for spool in spools:
                    spool.seek(0)
                    while block := spool.read(_BLOCK):
                        file.write(block)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
            _sync_folder(self.path.parent)
        finally:
            temporary.unlink(missing_ok=True)
            self._drop()

    def __enter__(self) -> CelWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def _encoded(
        self, base: np.ndarray, places: np.ndarray, values: np.ndarray, gain: np.ndarray
    ) -> dict[str, np.ndarray]:
        rest = {"places": places.astype("<u2"), "gain": gain.astype("<f4")}
        if self._bits is None:
            kind = np.dtype("<f4" if self._encoding == "float32" else "<f2")
            with np.errstate(over="ignore"):  # shows as infinite, which append refuses
                return {"base": base.astype(kind), "values": values.astype(kind), **rest}
        rows = np.concatenate([base, values], axis=1).astype(np.float32)
        if not np.isfinite(rows).all():
            raise LatentError(f"{self.path}: window {self._windows} is not finite")
        low, high = rows.min(axis=2), rows.max(axis=2)
        scale = ((high.astype(np.float64) - low) / (2**self._bits - 1)).astype("<f4")
        steps = np.where(scale > 0, scale, 1)[..., None]
        codes = np.clip(np.rint((rows - low[..., None]) / steps), 0, 2**self._bits - 1).astype(np.uint16)
        return {"codes": pack_bits(codes.ravel(), self._bits), "scale": scale, "offset": low.astype("<f4"), **rest}

    def _spool(self, name: str) -> IO[bytes]:
        if name not in self._spools:
            try:
                self._spools[name] = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115 (closed in _drop)
            except FileNotFoundError:
                raise LatentError(f"{self.path}: its folder does not exist; make it first") from None
        return self._spools[name]

    def _drop(self) -> None:
        for spool in self._spools.values():
            spool.close()
        self._spools = {}


class CelReader:
    """Reads a .cel file window by window, any window first.

    The header is checked on opening; :func:`verify` checks the payload.

    Attributes:
        meta: what the file says of itself.
        encoding: ``float16``, ``float32`` or ``bits-n``.

    Raises:
        LatentError: the file is missing, damaged or no .cel file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = self.path.open("rb")
        except OSError as error:
            raise LatentError(f"{self.path}: cannot be opened ({error.strerror})") from None
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
        gain, places = self._part("gain", i), self._part("places", i)
        if self.encoding.startswith("bits-"):
            scale, offset = self._part("scale", i), self._part("offset", i)
            shape = (*scale.shape, self.meta.frames)
            codes = unpack_bits(self._part("codes", i), int(self.encoding[5:]), int(np.prod(shape)))
            with np.errstate(over="ignore", invalid="ignore"):
                rows = codes.reshape(shape).astype(np.float32) * scale[..., None] + offset[..., None]
            base, values = rows[:, : self.meta.latent_dim], rows[:, self.meta.latent_dim :]
        else:
            base, values = self._part("base", i).astype(np.float32), self._part("values", i).astype(np.float32)
        if not (np.isfinite(base).all() and np.isfinite(values).all() and np.isfinite(gain).all()):
            raise LatentError(f"{self.path}: window {i} holds values that are not finite; encode the sound again")
        return base, places, values, gain

    def check_payload(self) -> None:
        """Compare the payload with the SHA-256 in the header.

        Raises:
            LatentError: they differ.
        """
        digest = hashlib.sha256()
        self._file.seek(self._start)
        while block := self._file.read(_BLOCK):
            digest.update(block)
        if digest.hexdigest() != self._sha256:
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


def pack_bits(codes: np.ndarray, bits: int) -> np.ndarray:
    """Pack ``(n,)`` uint16 codes below ``2**bits`` into ``ceil(n * bits / 8)`` bytes, most significant bit first."""
    spread = np.unpackbits(codes.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 16 - bits :]
    return np.packbits(spread.ravel())


def unpack_bits(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """The ``count`` codes that :func:`pack_bits` packed, uint16."""
    spread = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    whole = np.zeros((count, 16), np.uint8)
    whole[:, 16 - bits :] = spread
    return np.packbits(whole, axis=1).view(">u2").ravel().astype(np.uint16)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
