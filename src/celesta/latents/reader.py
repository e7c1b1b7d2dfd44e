"""Read .cel files window by window, any window first, and prove them whole."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from celesta._files import printable
from celesta.entropy import window as bits_window
from celesta.entropy.tables import load_tables
from celesta.entropy.window import BASE_GROUPS
from celesta.errors import LatentError, LatentWarning
from celesta.latents.header import CODED, LARGEST_HEADER, CelMeta, layout, unpack
from celesta.latents.packing import dequantise, unpack_bits
from celesta.latents.window import LatentWindow

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

    The header is checked on opening; :meth:`check_payload` and :func:`verify` check the payload.

    Args:
        path: the .cel file.

    Attributes:
        path: as given.
        meta: what the header says.
        encoding: ``float16``, ``float32``, ``bits-n`` or ``coded-1``.
        n_bytes: size of the file.

    Raises:
        LatentError: the file is missing, damaged or not a .cel file.

    Example:
        with CelReader("song.cel") as reader:
            print(reader.meta.model, len(reader), reader.window(0).base.shape)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
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
            self.meta, self._sha256, self._start = unpack(head + self._file.read(length), self.n_bytes, self.name)
        except BaseException:
            self._file.close()
            raise
        self.encoding = self.meta.encoding
        self._layout = layout(self.meta)

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
        envelope = self._part("envelope", i).astype(np.float32) if self.meta.envelope else None
        if not all(x is None or np.isfinite(x).all() for x in (base, values, gain, envelope)):
            raise LatentError(f"{self.name}: window {i} holds values that are not finite; encode the audio again")
        return LatentWindow(base, places, values, gain, envelope)

    def numbers(self, i: int) -> list[bits_window.Numbers]:
        """Read the quantised window ``i`` of a coded file, one entry per audio channel.

        Raises:
            LatentError: the file is not coded, or damaged.
        """
        if self.encoding != CODED:
            raise LatentError(f"{self.name}: is not coded; encode the audio with --kbps or --quality")
        m = self.meta
        index, starts = self._index
        made = []
        for channel, row in enumerate(index[i]):
            self._file.seek(self._start + self._layout["payload"].begin + int(starts[i, channel]))
            parts = [self._file.read(int(size)) for size in row[: BASE_GROUPS + 1]]
            try:
                made.append(bits_window.decode(parts, int(row[-1]), m.latent_dim, m.frames, load_tables()))
            except LatentError as error:
                raise LatentError(f"{self.name}: window {i}: {error}; encode the audio again") from None
        return made

    @functools.cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        """Sizes ``(windows, channels, parts + 1)`` and where each channel's bytes begin ``(windows, channels)``."""
        tensor = self._layout["index"]
        self._file.seek(self._start + tensor.begin)
        data = self._file.read(tensor.end - tensor.begin)
        if len(data) != tensor.end - tensor.begin:
            raise LatentError(f"{self.name}: it was cut short while being read")
        index = np.frombuffer(data, "<u4").reshape(tensor.shape)
        ends = np.cumsum(index[..., :-1].sum(-1, dtype=np.int64).ravel())
        if int(ends[-1]) != self.meta.payload_bytes or self.meta.latent_dim > len(load_tables().move):
            raise LatentError(f"{self.name}: damaged: its parts do not add up; encode the audio again")
        starts = np.concatenate([[0], ends[:-1]]).reshape(index.shape[:2])
        return index, starts

    def steps(self) -> np.ndarray:
        """Return the quantiser step indices of a coded file, ``(windows, channels)`` int64.

        Raises:
            LatentError: the file is damaged.
        """
        steps: np.ndarray = self._index[0][..., -1].astype(np.int64)
        return steps

    def _coded(self, i: int) -> LatentWindow:
        channels = [bits_window.floats(numbers, load_tables()) for numbers in self.numbers(i)]
        k = max(values.shape[0] for _, _, values in channels)
        places, values = (
            np.stack([np.pad(one[j], ((0, k - len(one[j])), (0, 0))) for one in channels]) for j in (1, 2)
        )
        return LatentWindow(
            np.stack([base for base, _, _ in channels]), places, values, np.ones(len(channels), np.float32)
        )

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

    def _part(self, name: str, i: int) -> np.ndarray:
        tensor = self._layout[name]
        dtype, shape = _DTYPES[tensor.dtype], tensor.shape[1:]
        count = int(np.prod(shape))
        self._file.seek(self._start + tensor.begin + i * count * dtype.itemsize)
        data = self._file.read(count * dtype.itemsize)
        if len(data) != count * dtype.itemsize:
            raise LatentError(f"{self.name}: it was cut short while being read")
        return np.frombuffer(data, dtype).reshape(shape)


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
    """
    with CelReader(path) as reader:
        reader.check_payload()
        for i in range(len(reader)):
            reader.window(i)
            if progress is not None:
                progress(reader.seconds * (i + 1) / len(reader), reader.seconds)
        return reader.meta


def find_cel(path: str | Path) -> list[Path]:
    """List the .cel files below a folder, whatever the case of the suffix, sorted; a file stands for itself.

    Hidden folders are left out, and unreadable ones named in a :class:`~celesta.errors.LatentWarning`.

    Raises:
        LatentError: the path does not exist, or the folder holds no .cel file.
    """
    root = Path(path)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise LatentError(f"{printable(root)}: no such file or folder")

    def unreadable(error: OSError) -> None:
        said = f"{printable(error.filename)}: skipped, cannot be read ({error.strerror})"
        warnings.warn(LatentWarning(said), stacklevel=3)

    found: list[Path] = []
    for folder, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names = (name for name in files if name.lower().endswith(".cel") and not name.startswith("."))
        found += [Path(folder, name) for name in names]
    if not found:
        raise LatentError(f"{printable(root)}: holds no .cel file")
    return sorted(found)
