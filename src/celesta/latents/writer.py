"""Write .cel files with floats or packed integers, window by window."""

from __future__ import annotations

import contextlib
import operator
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from celesta._files import disk_errors, printable, write_whole
from celesta.errors import LatentError, UsageError
from celesta.latents.header import pack
from celesta.latents.meta import CelMeta, check, layout
from celesta.latents.packing import dequantise, pack_bits, quantise
from celesta.latents.window import ENVELOPE_FRAMES, LatentWindow

_BLOCK = 1 << 20


class CelWriter:
    """Write a .cel file window by window, in flat memory.

    Used with ``with``, it leaves nothing behind when an exception ends the block.

    Args:
        path: final name, which appears on :meth:`close` and not before.
        meta: ``model weights sample_rate hop_length window overlap source_rate`` and, if wanted, ``tags`` and
            ``source``.
        dtype: ``float16`` or ``float32``.
        bits: 1 to 16: store numbers as codes of so many bits, uniform over each row's range in each window (a row is
            one latent channel of one audio channel). No number is then off by more than
            ``(high - low) / (2**bits - 1) / 2`` plus the rounding of float32.

    Raises:
        UsageError: dtype, bits or names in meta are unknown.
        LatentError: a number in meta is out of range, or the tags are too long.

    Example:
        >>> from celesta.latents import CelReader
        >>> from celesta.latents.meta import META
        >>> with CelReader("song.cel") as reader:
        ...     about = {name: getattr(reader.meta, name) for name in META}
        ...     with CelWriter("small.cel", about, bits=8) as writer:
        ...         for i in range(len(reader)):
        ...             writer.append(reader.window(i))
        ...         n_bytes = writer.close(reader.meta.n_samples)
        >>> n_bytes == Path("small.cel").stat().st_size
        True
    """

    def __init__(
        self, path: str | Path, meta: Mapping[str, Any], *, dtype: str = "float16", bits: int | None = None
    ) -> None:
        if dtype not in ("float16", "float32"):
            raise UsageError(f"dtype must be float16 or float32, got {dtype!r}")
        if bits is not None and not 1 <= bits <= 16:
            raise UsageError(f"bits must lie in 1..16, got {bits}")
        self.path = Path(path)
        self.name = printable(self.path)
        self._meta = {k: operator.index(v) if isinstance(v, np.integer) else v for k, v in meta.items()}
        self._bits = bits
        self._encoding = f"bits-{bits}" if bits else dtype
        self._spools: dict[str, IO[bytes]] = {}
        self._shape: tuple[int, int, int, int, int] | None = None
        self._windows = 0
        self._closed = False
        # Shows bad metadata before hours of work.
        fewest = 2 if self._meta.get("mid_side") else 1
        self._head((fewest, 1, 0, 1, 0), windows=1 << 20, n_samples=1, sha256="0" * 64)

    def append(self, window: LatentWindow) -> None:
        """Add a window.

        Raises:
            LatentError: shapes do not fit or change between windows, values are not finite in the chosen precision,
                places do not fit 16 bits, the disk is full, or the writer is closed.
        """
        if self._closed:
            raise LatentError(f"{self.name}: the writer is closed; open another one")
        base, places, values, gain, envelope = window
        fits = base.ndim == values.ndim == 3 and base.shape[::2] == values.shape[::2] and gain.shape == base.shape[:1]
        if not fits or places.shape != values.shape:
            shapes = f"base {base.shape}, places {places.shape}, values {values.shape}, gain {gain.shape}"
            raise LatentError(f"{self.name}: window {self._windows}: {shapes} do not fit together")
        columns = -(-base.shape[2] // ENVELOPE_FRAMES)
        if envelope is not None and (envelope.ndim, *envelope.shape[::2]) != (3, len(base), columns):
            raise LatentError(
                f"{self.name}: window {self._windows}: envelope {envelope.shape} does not fit {base.shape}"
            )
        rows = 0 if envelope is None else envelope.shape[1]
        shape = (base.shape[0], base.shape[1], values.shape[1], base.shape[2], rows)
        if self._shape is None:
            self._head(shape, windows=1 << 20, n_samples=1, sha256="0" * 64)
            self._shape = shape
        if shape != self._shape:
            raise LatentError(f"{self.name}: window {self._windows} has another shape than the first")
        arrays = {name: np.ascontiguousarray(array).tobytes() for name, array in self._encoded(window).items()}
        found = 0
        for name in self._names():
            found = zlib.crc32(arrays[name], found)
        arrays["crc"] = found.to_bytes(4, "little")
        with disk_errors(self.path):
            for name, array in arrays.items():
                if name not in self._spools:
                    folder = self.path.parent
                    self._spools[name] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed in _drop)
                self._spools[name].write(array)
        self._windows += 1

    def close(self, n_samples: int, check: Callable[[Path], None] | None = None) -> int:
        """Assemble the file and give it its name.

        Args:
            n_samples: of the source, at its own sample rate.
            check: called with the finished file before it gets its name, and may raise.

        Returns:
            Size of the file in bytes.

        Raises:
            LatentError: nothing was appended, n_samples does not fit the windows, the disk is full, or it is closed.
        """
        if self._shape is None or self._closed:
            raise LatentError(f"{self.name}: {'it is written already' if self._closed else 'nothing to write'}")
        shape, n = self._shape, operator.index(n_samples)
        try:
            return write_whole(
                self.path, lambda sha256: self._head(shape, self._windows, n, sha256)[0], self._payload, check
            )
        finally:
            self._drop()

    def __enter__(self) -> CelWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def _head(
        self, shape: tuple[int, int, int, int, int], windows: int, n_samples: int, sha256: str
    ) -> tuple[bytes, CelMeta]:
        sizes = dict(zip(("channels", "latent_dim", "detail_size", "frames", "envelope"), shape, strict=True))
        rest: dict[str, Any] = {"windows": windows, "n_samples": n_samples, "encoding": self._encoding}
        try:
            meta = CelMeta(**{**self._meta, **sizes, **rest})
            check(meta)
            return pack(meta, sha256), meta
        except TypeError as error:
            raise UsageError(f"{self.name}: metadata of a .cel file: {error}") from None
        except ValueError as error:
            raise LatentError(f"{self.name}: cannot be written: {error}") from None

    def _encoded(self, window: LatentWindow) -> dict[str, np.ndarray]:
        base, places, values, gain, envelope = window
        where = f"{self.name}: window {self._windows}"
        if places.size and not (places.min() >= 0 and places.max() <= 0xFFFF):
            raise LatentError(f"{where}: places must lie in 0..65535")
        kind = np.dtype("<f4" if self._encoding != "float16" else "<f2")
        with np.errstate(over="ignore"):  # shows as infinite
            numbers = {"base": base.astype(kind), "values": values.astype(kind), "gain": gain.astype("<f4")}
        if envelope is not None:
            numbers["envelope"] = envelope.astype("<f2")
        if not all(np.isfinite(x).all() for x in numbers.values()):
            if all(np.isfinite(x).all() for x in window if x is not None):
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

    def _names(self) -> list[str]:
        """Return the names of the tensors in the order of the file, but for the checksums."""
        assert self._shape is not None  # append sets it
        _, meta = self._head(self._shape, windows=1 << 20, n_samples=1, sha256="0" * 64)
        return [name for name in layout(meta) if name != "crc"]

    def _payload(self) -> Iterator[bytes]:
        """Yield the tensors' bytes in the order of the file, in blocks."""
        for name in ("crc", *self._names()):
            self._spools[name].seek(0)
            while block := self._spools[name].read(_BLOCK):
                yield block

    def _drop(self) -> None:
        self._closed = True
        for spool in self._spools.values():
            with contextlib.suppress(OSError):  # what a full disk still held back is not wanted any more
                spool.close()
        self._spools = {}
