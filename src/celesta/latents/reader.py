"""Read .cel files window by window, any window first, and prove them whole."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from celesta._files import printable
from celesta.dsp.band_envelope import FLOOR_DB
from celesta.entropy import window as bits
from celesta.entropy.table_file import Tables, load_tables
from celesta.entropy.window import Numbers, Settings
from celesta.errors import LatentError, ModelError
from celesta.latents.coded_index import CodedIndex
from celesta.latents.coded_window import as_floats
from celesta.latents.header import LARGEST_HEADER, unpack
from celesta.latents.meta import CODED, CelMeta, layout
from celesta.latents.packing import dequantise, unpack_bits
from celesta.latents.window import ENVELOPE_FRAMES, LatentWindow

_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "U32": np.dtype("<u4"),
    "F16": np.dtype("<f2"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
}
_BLOCK = 1 << 20


class CelReader:
    """Read a .cel file window by window, any window first.

    The header is checked on opening, and a window's checksum when it is read; :meth:`check_payload` and :func:`verify`
    check all of the payload.

    Args:
        path: the .cel file.
        salvage: also open a file whose payload is damaged or cut short; :meth:`damaged` lists the windows that are
            lost.

    Attributes:
        path: as given.
        meta: what the header says.
        encoding: ``float16``, ``float32``, ``bits-n`` or ``coded-2``.
        n_bytes: size of the file.

    Raises:
        LatentError: the file is missing or not a .cel file, its header is damaged, or, without ``salvage``, it is cut
            short.

    Example:
        >>> with CelReader("song.cel") as reader:
        ...     print(reader.meta.model, len(reader), reader.window(0).base.shape)
        linear-16 1 (2, 16, 215)
    """

    def __init__(self, path: str | Path, *, salvage: bool = False) -> None:
        self.path, self._salvage = Path(path), salvage
        self.name = printable(self.path)
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):  # opening a pipe would wait for ever
                raise LatentError(f"{self.name}: is not a file; name a .cel file")
            self._file = self.path.open("rb")
        except OSError as error:
            raise LatentError(f"{self.name}: cannot be opened ({error.strerror})") from None
        except ValueError:
            raise LatentError(f"{str(self.path)!r}: is not a file name") from None
        try:
            self.n_bytes = os.fstat(self._file.fileno()).st_size
            head = self._file.read(8)
            length = min(int.from_bytes(head, "little"), LARGEST_HEADER)
            head += self._file.read(length)
            self.meta, self._sha256, self._start = unpack(head, self.n_bytes, self.name, cut=salvage)
            self._layout = layout(self.meta)
            first = next(iter(self._layout.values()))  # index or checksums: without them nothing is known of a window
            if self._start + first.end > self.n_bytes:
                raise LatentError(f"{self.name}: cut short before its first window; nothing can be salvaged")
        except BaseException:
            self._file.close()
            raise
        self.encoding = self.meta.encoding

    @property
    def seconds(self) -> float:
        """Duration of the source."""
        return self.meta.n_samples / self.meta.source_rate

    @property
    def kbps(self) -> float:
        """Size of the whole file over the duration, kbit/s."""
        return self.n_bytes * 8 / self.seconds / 1000

    def __len__(self) -> int:
        return self.meta.windows

    def __enter__(self) -> CelReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def window(self, i: int) -> LatentWindow:
        """Read window ``i``.

        Raises:
            LatentError: a value is not finite or the file has changed while it is read.
            IndexError: there is no such window.
        """
        if not 0 <= i < self.meta.windows:
            raise IndexError(f"{self.name}: window {i} of {self.meta.windows}")
        if self.encoding == CODED:
            return as_floats(self.numbers(i), self.tables)
        parts = self._parts(i)
        gain, places = parts["gain"], parts["places"]
        if self.encoding.startswith("bits-"):
            shape = (*parts["scale"].shape, self.meta.frames)
            codes = unpack_bits(parts["codes"], int(self.encoding[5:]), int(np.prod(shape)))
            rows = dequantise(codes.reshape(shape), parts["scale"], parts["offset"])
            base, values = rows[:, : self.meta.latent_dim], rows[:, self.meta.latent_dim :]
        else:
            base, values = parts["base"].astype(np.float32), parts["values"].astype(np.float32)
        envelope = parts["envelope"].astype(np.float32) if self.meta.envelope else None
        if not all(x is None or np.isfinite(x).all() for x in (base, values, gain, envelope)):
            raise LatentError(f"{self.name}: window {i} holds values that are not finite; encode the audio again")
        return LatentWindow(base, places, values, gain, envelope)

    def numbers(self, i: int) -> list[Numbers]:
        """Read the quantised window ``i`` of a coded file, one entry per audio channel.

        Raises:
            LatentError: the file is not coded, or damaged.
        """
        if self.encoding != CODED:
            raise LatentError(f"{self.name}: is not coded; encode the audio with --kbps or --quality")
        m, made = self.meta, []
        for channel in range(m.channels):
            try:
                parts, settings = self._index.parts(i, channel)
                made.append(bits.decode(parts, settings, m.latent_dim, m.frames, self.tables))
            except LatentError as error:
                raise self._damaged(i, str(error)) from None
        return made

    @functools.cached_property
    def tables(self) -> Tables:
        """Tables that a coded file is coded with.

        Raises:
            LatentError: they are not those of this version.
        """
        try:
            tables = load_tables(self.meta.envelope)
        except ModelError as error:
            raise LatentError(f"{self.name}: {error}") from None
        if tables.digest != self.meta.tables or self.meta.latent_dim > tables.base_channels:
            raise LatentError(f"{self.name}: coded with tables of another version of Celesta; encode the audio again")
        return tables

    @functools.cached_property
    def _index(self) -> CodedIndex:
        tensor, payload = self._layout["index"], self._start + self._layout["payload"].begin
        numbers = np.frombuffer(self._bytes(tensor.begin, tensor.end), "<u4").reshape(tensor.shape)

        def read(start: int, count: int) -> bytes:
            self._file.seek(payload + start)
            return self._file.read(count) if payload + start + count <= self.n_bytes else b""

        try:
            return CodedIndex(numbers, self.meta.payload_bytes, read, salvage=self._salvage)
        except LatentError as error:
            raise LatentError(f"{self.name}: {error}; encode the audio again") from None

    def settings(self) -> list[list[Settings]]:
        """Return the quantiser settings of each window and channel of a coded file.

        Raises:
            LatentError: the file is damaged.
        """
        return self._index.settings()

    def damaged(self) -> list[int]:
        """Read all windows and list those that are lost.

        Raises:
            LatentError: they all are.
        """
        lost = []
        for i in range(len(self)):
            try:
                if self.encoding == CODED:
                    for channel in range(self.meta.channels):
                        self._index.parts(i, channel)
                else:
                    self._parts(i)
            except LatentError:
                lost.append(i)
        if len(lost) == len(self):
            raise LatentError(f"{self.name}: no window of it is undamaged")
        return lost

    def silent_window(self) -> LatentWindow:
        """Return a latent of nothing, in place of a window that is lost."""
        m = self.meta
        window = LatentWindow.dense(np.zeros((m.channels, m.latent_dim, m.frames), np.float32))
        columns = -(-m.frames // ENVELOPE_FRAMES)
        envelope = np.full((m.channels, m.envelope, columns), FLOOR_DB, np.float32) if m.envelope else None
        return window._replace(envelope=envelope)

    def seconds_of(self, i: int) -> tuple[float, float]:
        """Return where window ``i`` begins and ends in the song, seconds."""
        m = self.meta
        begin = i * (m.window - m.overlap) / m.sample_rate
        return begin, min(self.seconds, begin + m.window / m.sample_rate)

    def _damaged(self, i: int, how: str) -> LatentError:
        begin, end = self.seconds_of(i)
        where = f"window {i} ({begin:.1f} to {end:.1f} s) {how}"
        return LatentError(f"{self.name}: damaged: {where}; restore the file, or decode the rest with --salvage")

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
            raise LatentError(f"{self.name}: damaged: its payload was changed; encode the audio again or restore it")

    def _parts(self, i: int) -> dict[str, np.ndarray]:
        """Read the arrays of window ``i`` of a file of plain numbers, and check their checksum."""
        found, parts = 0, {}
        for name, tensor in self._layout.items():
            dtype, shape = _DTYPES[tensor.dtype], tensor.shape[1:]
            size = math.prod(shape) * dtype.itemsize
            data = self._bytes(tensor.begin + i * size, tensor.begin + (i + 1) * size, i)
            parts[name] = np.frombuffer(data, dtype).reshape(shape)
            if name != "crc":
                found = zlib.crc32(data, found)
        if found != int(parts["crc"]):
            raise self._damaged(i, "does not match its checksum")
        return parts

    def _bytes(self, begin: int, end: int, window: int = 0) -> bytes:
        """Read bytes of the payload."""
        data = b""
        if self._start + end <= self.n_bytes:  # more is never allocated
            self._file.seek(self._start + begin)
            data = self._file.read(end - begin)
        if len(data) != end - begin:
            raise self._damaged(window, "is cut short")
        return data


def verify(path: str | Path, progress: Callable[[float, float | None], None] | None = None) -> CelMeta:
    """Prove a .cel file whole: its header, its payload's SHA-256, finite values.

    Holds one window at a time. What cannot be proved without the model's weights is whether it decodes; see
    :meth:`celesta.codec.Codec.verify`.

    Args:
        path: the .cel file.
        progress: called with the seconds of audio checked and in all.

    Returns:
        The file's metadata.

    Raises:
        LatentError: it is not whole; the message says how.

    Example:
        >>> verify("song.cel").n_samples
        132300
    """
    with CelReader(path) as reader:
        reader.check_payload()
        for i in range(len(reader)):
            reader.window(i)
            if progress is not None:
                progress(reader.seconds * (i + 1) / len(reader), reader.seconds)
        return reader.meta
