"""The index of a coded file: where the parts of each window lie, how they are quantised, whether they are undamaged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from celesta.entropy.window import PARTS, Settings
from celesta.errors import LatentError
from celesta.latents.coded import checksum

_PARTS = len(PARTS)


class CodedIndex:
    """The index of a coded file.

    The parts lie one behind the other, so a damaged size would misplace all that follow. With ``salvage`` a window that
    does not match its checksum is looked for again, counted from the end of the payload.

    Args:
        numbers: ``(windows, channels, INDEX)`` uint32.
        payload_bytes: size of the payload.
        read: gives bytes of the payload by where they begin and their number, fewer at the end of a file cut short.
        salvage: accept sizes that do not add up to the payload.

    Raises:
        LatentError: the sizes do not add up.
    """

    def __init__(
        self, numbers: np.ndarray, payload_bytes: int, read: Callable[[int, int], bytes], *, salvage: bool = False
    ) -> None:
        self.numbers, self._read = numbers, read
        sizes = numbers[..., :_PARTS].sum(-1, dtype=np.int64).ravel()
        ends = np.cumsum(sizes)
        if int(ends[-1]) != payload_bytes and not salvage:
            raise LatentError("damaged: its parts do not add up")
        self._starts = (ends - sizes).reshape(numbers.shape[:2])
        self._from_end = self._starts + (payload_bytes - int(ends[-1]))

    def parts(self, window: int, channel: int) -> tuple[list[bytes], Settings]:
        """Read the parts of a window and channel, and how they are quantised.

        Raises:
            LatentError: they do not match their checksum.
        """
        row = self.numbers[window, channel]
        for starts in (self._starts, self._from_end):
            parts = self._at(int(starts[window, channel]), row)
            if parts is not None and checksum(row, parts) == int(row[-1]):
                return parts, Settings.unpacked(int(row[_PARTS]))
        raise LatentError("does not match its checksum")

    def _at(self, start: int, row: np.ndarray) -> list[bytes] | None:
        """Read the parts from a place on; None where there are none."""
        sizes = [int(size) for size in row[:_PARTS]]
        if start < 0:
            return None
        data = self._read(start, sum(sizes))
        if len(data) != sum(sizes):
            return None
        ends = np.cumsum(sizes)
        return [data[end - size : end] for size, end in zip(sizes, ends.tolist(), strict=True)]

    def settings(self) -> list[list[Settings]]:
        """Return the quantiser settings of each window and channel.

        Raises:
            LatentError: they are out of range.
        """
        return [[Settings.unpacked(int(number)) for number in row] for row in self.numbers[..., _PARTS]]
