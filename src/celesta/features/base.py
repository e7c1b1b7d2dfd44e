"""What every feature extractor is made of: an analysis of a stream of audio, and a summary of any stretch of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from celesta.errors import UsageError

Arrays = dict[str, np.ndarray]
"""Named parts of a song's vector, in order."""
PRECISIONS = ("float32", "bfloat16")
_IN_MEMORY = 2 << 20  # bytes of rows that stay in memory


class Analysis(Protocol):
    """The part of an extractor that sees the audio, once, block by block."""

    def push(self, x: np.ndarray) -> None:
        """Take the next samples ``(n,)``, mono at the extractor's sample rate."""

    def finish(self) -> None:
        """End the stream."""


@dataclass(frozen=True)
class Stage:
    """Work that several analyses share, such as spectra: done once, each analysis takes the result.

    Attributes:
        name: of the work; extractors whose stages have one name share it.
        start: make an object whose ``push(x)`` and ``finish()`` return lists, which ``take`` of each analysis is given.
    """

    name: str
    start: Callable[[], Any]


@dataclass(frozen=True)
class Extractor:
    """A feature extractor, ready to use.

    Attributes:
        name: see :func:`celesta.features.names`.
        version: of the code. Change it whenever results change, so that the cache forgets the old ones.
        sample_rate: Hz of the mono audio that it needs.
        analysis: name of the analysis. Extractors whose analyses have one name share its result.
        start: make a new analysis.
        summarise: turn a finished analysis, from ``start`` to ``stop`` seconds, into arrays by name, which one after
            the other are the vector of that stretch; ``(analysis, 0.0, None)`` for the whole song.
        weights: SHA-256 of the weights, "" without any.
        precision: of the network, ``float32`` or ``bfloat16``.
        stage: what the analysis begins with, where others begin with it too; its ``take`` then takes the place of
            ``push`` and ``finish``.
    """

    name: str
    version: str
    sample_rate: int
    analysis: str
    start: Callable[[], Any]
    summarise: Callable[[Any, float, float | None], Arrays]
    weights: str = ""
    precision: str = "float32"
    stage: Stage | None = None

    def measure(self, samples: np.ndarray) -> Arrays:
        """Extract the features of samples ``(n,)``, mono at :attr:`sample_rate`."""
        analysis = self.start()
        analysis.push(checked(samples))
        analysis.finish()
        return self.summarise(analysis, 0.0, None)


class Rows:
    """Rows of numbers that a song's analysis leaves behind: in memory up to 2 MB, beyond that in a temporary file.

    Args:
        width: numbers of a row, float32.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (closed with the object)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, rows: np.ndarray) -> None:
        """Add rows ``(n, width)``."""
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(rows, np.float32).tobytes())
        self._count += len(rows)

    def blocks(self, first: int = 0, last: int | None = None, size: int = 2048) -> Iterator[np.ndarray]:
        """Yield rows ``first`` up to ``last`` in blocks ``(size, width)``."""
        last = self._count if last is None else min(last, self._count)
        for at in range(max(first, 0), last, size):
            count = min(size, last - at)
            self._file.seek(4 * self.width * at)
            data = self._file.read(4 * self.width * count)
            yield np.frombuffer(data, np.float32).reshape(count, self.width)

    def between(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Return rows ``first`` up to ``last`` at once."""
        return np.concatenate([np.zeros((0, self.width), np.float32), *self.blocks(first, last)])

    def __del__(self) -> None:
        self._file.close()


class Recording:
    """The analysis of extractors that need all samples at once.

    Attributes:
        samples: ``(n,)`` after :meth:`finish`.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.samples = np.zeros(0, np.float32)
        self._parts: list[np.ndarray] = []
        self._result: tuple[tuple[str, float, float | None], Any] | None = None

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        self._parts.append(x)

    def finish(self) -> None:
        """Join the samples."""
        self.samples, self._parts = np.concatenate([self.samples, *self._parts]), []

    def shared(
        self, name: str, compute: Callable[[np.ndarray], Any], start: float = 0.0, stop: float | None = None
    ) -> Any:
        """Return ``compute(samples)`` of a stretch; the last result is kept for the next extractor with this name."""
        key = (name, start, stop)
        if self._result is None or self._result[0] != key:
            self._result = None  # free the memory of the old one first
            first, last = frame_range(start, stop, self.sample_rate, len(self.samples))
            self._result = (key, compute(self.samples[first:last]))
        return self._result[1]


def frame_range(start: float, stop: float | None, frame_rate: float, count: int) -> tuple[int, int]:
    """Return the first frame of a stretch and the one after its last: at least one, if there is any.

    Frame i stands for the time ``i / frame_rate``.

    Args:
        start: seconds.
        stop: seconds; None for the end.
        frame_rate: frames a second.
        count: frames there are.

    Example:
        >>> frame_range(10.0, 20.0, 43.0, 1000), frame_range(0.0, None, 43.0, 1000), frame_range(5.0, 5.01, 1.0, 3)
        ((430, 860), (0, 1000), (2, 3))
    """
    first = min(int(np.ceil(start * frame_rate - 1e-9)), max(count - 1, 0))
    last = count if stop is None else min(int(np.ceil(stop * frame_rate - 1e-9)), count)
    return first, max(last, min(first + 1, count))


def checked(samples: np.ndarray) -> np.ndarray:
    """Return samples as float32.

    Raises:
        UsageError: not mono, empty or not finite.
    """
    x = np.asarray(samples, np.float32)
    if x.ndim != 1 or x.size == 0 or not np.isfinite(x).all():
        raise UsageError(f"features need finite mono samples (n,), got shape {x.shape}; mix to mono, repair the file")
    return x


def check_precision(precision: str) -> str:
    """Return the precision if it exists.

    Raises:
        UsageError: it does not.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    return precision
