"""Writes coded .cel files window by window; read back by :class:`celesta.latents.file.CelReader`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from celesta._files import disk_errors, write_whole
from celesta.entropy import window as bits_window
from celesta.entropy.tables import BitTables
from celesta.entropy.window import BASE_GROUPS, Numbers
from celesta.errors import LatentError
from celesta.latents.header import CODED, CelMeta, check, pack

_BLOCK = 1 << 20


class CodedWriter:
    """Used with `with`: nothing is left behind when an exception ends the block.

    Args:
        path: its final name, which appears on :meth:`close`.
        meta: ``model weights sample_rate hop_length window overlap source_rate tags``.
        channels: of the base that are kept.
        tables: to code with.
        mid_side: whether two channels are middle and side.
    """

    def __init__(
        self, path: str | Path, meta: Mapping[str, Any], channels: int, tables: BitTables, *, mid_side: bool = False
    ) -> None:
        self.path, self.tables, self.channels = Path(path), tables, channels
        self._meta, self._mid_side = dict(meta), mid_side
        self._index: list[list[list[int]]] = []
        self._bytes, self._most, self._frames = 0, 0, 0
        with disk_errors(self.path):
            self._spool: IO[bytes] = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115 (closed in __exit__)

    def size(self, n_samples: int) -> int:
        """Bytes of the file if it were closed now."""
        head = len(pack(self._about(n_samples), "0" * 64))
        return head + self._bytes + 4 * (BASE_GROUPS + 2) * sum(map(len, self._index))

    def append(self, window: list[Numbers]) -> None:
        """Add a window: the numbers of each channel."""
        rows = []
        with disk_errors(self.path):
            for one in window:
                parts = bits_window.encode(one, self.tables)
                self._spool.write(b"".join(parts))
                rows.append([*map(len, parts), one.step])
                self._bytes += sum(map(len, parts))
                self._most = max(self._most, int((one.detail != 0).sum(0).max(initial=0)))
                self._frames = one.detail.shape[1]
        self._index.append(rows)

    def close(self, n_samples: int) -> CelMeta:
        """Assemble the file and give it its name. ``n_samples``: of the source, at its own rate.

        Raises:
            LatentError: nothing was appended, n_samples does not fit, or the disk is full.
        """
        meta = self._about(n_samples)
        write_whole(self.path, lambda sha256: pack(meta, sha256), self._payload)
        return meta

    def _about(self, n_samples: int) -> CelMeta:
        if not self._index:
            raise LatentError(f"{self.path}: nothing to write")
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
            )
            check(meta)
        except ValueError as error:
            raise LatentError(f"{self.path}: cannot be written: {error}") from None
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
