"""Write coded .cel files window by window; :class:`celesta.latents.reader.CelReader` reads them."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from celesta._files import disk_errors, printable, write_whole
from celesta.entropy import window as bits
from celesta.entropy.table_file import Tables
from celesta.entropy.window import Numbers
from celesta.errors import LatentError
from celesta.latents.header import pack
from celesta.latents.meta import CODED, INDEX, CelMeta, check

_BLOCK = 1 << 20


def checksum(row: np.ndarray, parts: Iterable[bytes]) -> int:
    """Compute the CRC-32 of a window and channel: of its row of the index, but for the last number, and its parts.

    Args:
        row: ``(INDEX,)`` numbers.
        parts: the bytes.
    """
    found = zlib.crc32(np.asarray(row[: INDEX - 1]).astype("<u4").tobytes())
    for part in parts:
        found = zlib.crc32(part, found)
    return found


@dataclass(frozen=True)
class WrittenFile:
    """A .cel file that was written.

    Attributes:
        path: the file.
        n_bytes: its size.
        seconds: duration of the source.
        target_kbps: bitrate asked for, kbit/s; None where none was.

    Example:
        >>> WrittenFile(Path("song.cel"), 45_000, 30.0, 12.0).kbps
        12.0
    """

    path: Path
    n_bytes: int
    seconds: float
    target_kbps: float | None = None

    @property
    def kbps(self) -> float:
        """Size of the whole file over the duration, kbit/s."""
        return self.n_bytes * 8 / self.seconds / 1000

    @property
    def meets_target(self) -> bool:
        """Whether the file is no larger than asked for."""
        return self.target_kbps is None or self.kbps <= self.target_kbps

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as numbers and texts, ready for JSON."""
        return {
            "path": printable(self.path),
            "bytes": self.n_bytes,
            "seconds": self.seconds,
            "kbps": self.kbps,
            "target_kbps": self.target_kbps,
            "meets_target": self.meets_target,
        }


class CodedWriter:
    """Write a coded .cel file; used with ``with``, nothing is left behind when an exception ends the block.

    Args:
        path: final name, which appears on :meth:`close`.
        meta: ``model weights sample_rate hop_length window overlap source_rate`` and, if wanted, ``tags`` and
            ``source``.
        channels: base channels in the file.
        tables: probability tables to code with.
        mid_side: whether two channels are mid and side.

    Example:
        >>> from celesta.latents import CelReader
        >>> from celesta.latents.meta import META
        >>> with CelReader("coded.cel") as reader:
        ...     m, tables = reader.meta, reader.tables
        ...     about = {name: getattr(m, name) for name in META}
        ...     with CodedWriter("copy.cel", about, m.latent_dim, tables) as writer:
        ...         for i in range(len(reader)):
        ...             writer.append(reader.numbers(i))
        ...         n_bytes = writer.close(m.n_samples)
        >>> n_bytes == Path("coded.cel").stat().st_size
        True
    """

    def __init__(
        self, path: str | Path, meta: Mapping[str, Any], channels: int, tables: Tables, *, mid_side: bool = False
    ) -> None:
        self.path, self.tables, self.channels = Path(path), tables, channels
        self.name = printable(self.path)
        self._meta, self._mid_side = dict(meta), mid_side
        self._index: list[list[list[int]]] = []
        self._bytes, self._most, self._frames = 0, 0, 0
        with disk_errors(self.path):
            self._spool: IO[bytes] = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115 (closed in __exit__)

    def size(self, n_samples: int) -> int:
        """Compute the size of the file in bytes if it were closed now.

        Args:
            n_samples: of the source, at its own sample rate.
        """
        head = len(pack(self._about(n_samples), "0" * 64))
        return head + self._bytes + 4 * INDEX * sum(map(len, self._index))

    def append(self, window: list[Numbers]) -> None:
        """Add a window: the quantised latent of each audio channel."""
        rows = []
        with disk_errors(self.path):
            for one in window:
                parts = bits.encode(one, self.tables)
                self._spool.write(b"".join(parts))
                row = [*map(len, parts), one.settings.packed()]
                rows.append([*row, checksum(np.array([*row, 0]), parts)])
                self._bytes += sum(map(len, parts))
                self._most = max(self._most, int((one.detail != 0).sum(0).max(initial=0)))
                self._frames = one.detail.shape[1]
        self._index.append(rows)

    def close(self, n_samples: int, check: Callable[[Path], None] | None = None) -> int:
        """Assemble the file and give it its name.

        Args:
            n_samples: of the source, at its own sample rate.
            check: called with the finished file before it gets its name, and may raise.

        Returns:
            Size of the file in bytes.

        Raises:
            LatentError: nothing was appended, n_samples does not fit, or the disk is full.
        """
        meta = self._about(n_samples)
        return write_whole(self.path, lambda sha256: pack(meta, sha256), self._payload, check)

    def _about(self, n_samples: int) -> CelMeta:
        if not self._index:
            raise LatentError(f"{self.name}: nothing to write")
        try:
            meta = CelMeta(
                **self._meta,
                n_samples=n_samples,
                windows=len(self._index),
                channels=len(self._index[0]),
                latent_dim=self.channels,
                detail_size=self._most,
                frames=self._frames,
                encoding=CODED,
                payload_bytes=self._bytes,
                mid_side=int(self._mid_side),
                envelope=self.tables.envelope_rows,
                tables=self.tables.digest,
            )
            check(meta)
        except ValueError as error:
            raise LatentError(f"{self.name}: cannot be written: {error}") from None
        return meta

    def _payload(self) -> Iterator[bytes]:
        yield np.array(self._index, "<u4").tobytes()
        self._spool.seek(0)
        while block := self._spool.read(_BLOCK):
            yield block

    def __enter__(self) -> CodedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._spool.close()
