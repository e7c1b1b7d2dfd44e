"""The latent of a song: all that its model needs to decode it, and the arithmetic that changes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path

import numpy as np

from celesta.errors import LatentError, UsageError
from celesta.latents.file import CelReader, CelWriter


@dataclass(frozen=True, eq=False)
class Latent:
    """A song as latent vectors: a dense base and, for some models, a sparse detail.

    Attributes:
        base: ``(windows, channels, latent_dim, frames)`` float32.
        places: ``(windows, channels, k, frames)`` uint16, the coefficient of each detail value; k = 0: no detail.
        values: ``(windows, channels, k, frames)`` float32.
        gain: ``(windows, channels)`` float32, the peak each window was divided by (1 where the model does not).
        model: the model's name or run folder.
        weights: SHA-256 of its weights, "" for a model without.
        sample_rate: Hz of the model.
        hop_length: samples a frame, at the model's rate.
        window: samples a window, at the model's rate.
        overlap: samples that neighbouring windows share.
        source_rate: Hz of the source.
        n_samples: of the source, at its rate.
        tags: of the source.
        mid_side: whether the two channels are middle and side, ``(left + right) / sqrt(2)`` and
            ``(left - right) / sqrt(2)``.
    """

    base: np.ndarray
    places: np.ndarray
    values: np.ndarray
    gain: np.ndarray
    model: str
    weights: str
    sample_rate: int
    hop_length: int
    window: int
    overlap: int
    source_rate: int
    n_samples: int
    tags: dict[str, str] = field(default_factory=dict)
    mid_side: bool = False

    __array_ufunc__ = None  # numpy scalars leave `number * latent` to __rmul__

    def __post_init__(self) -> None:
        b, v = self.base.shape, self.values.shape
        if len(b) != 4 or len(v) != 4 or self.places.shape != v or b[:2] != v[:2] or b[3] != v[3]:
            raise LatentError(f"latent: base {b}, places {self.places.shape} and values {v} do not fit together")
        if self.gain.shape != b[:2]:
            raise LatentError(f"latent: gain {self.gain.shape} does not fit {b[0]} windows of {b[1]} channels")
        if self.places.size and not (self.places.min() >= 0 and self.places.max() <= 0xFFFF):
            raise LatentError("latent: places must lie in 0..65535")
        for name, kind in (("base", np.float32), ("places", np.uint16), ("values", np.float32), ("gain", np.float32)):
            object.__setattr__(self, name, getattr(self, name).astype(kind, copy=False))

    @property
    def windows(self) -> int:
        """Number of windows."""
        return int(self.base.shape[0])

    @property
    def channels(self) -> int:
        """Number of sound channels."""
        return int(self.base.shape[1])

    @property
    def latent_dim(self) -> int:
        """Dense channels of a frame."""
        return int(self.base.shape[2])

    @property
    def detail_size(self) -> int:
        """Sparse coefficients of a frame."""
        return int(self.values.shape[2])

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return int(self.base.shape[3])

    @property
    def duration(self) -> float:
        """Seconds of the source."""
        return self.n_samples / self.source_rate

    @property
    def floats_per_second(self) -> float:
        """Numbers a second of one sound channel, a place counted as a number."""
        stride = self.window - self.overlap
        return (self.latent_dim + 2 * self.detail_size) * self.frames * self.sample_rate / stride

    @property
    def ratio(self) -> float:
        """Numbers per sample at the model's rate: above 1 the latent is larger than the sound."""
        return self.floats_per_second / self.sample_rate

    @property
    def continuous(self) -> bool:
        """Whether the windows' frames follow each other without overlap."""
        return self.overlap == 0

    def timeline(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Base, places and values with the windows joined: ``(channels, rows, windows * frames)`` each."""

        def joined(x: np.ndarray) -> np.ndarray:
            w, c, rows, frames = x.shape
            return x.transpose(1, 2, 0, 3).reshape(c, rows, w * frames)

        return joined(self.base), joined(self.places), joined(self.values)

    def replace(self, **arrays: np.ndarray) -> Latent:
        """The same latent with some of its arrays exchanged."""
        return dataclasses.replace(self, **arrays)  # type: ignore[arg-type]

    def truncate(self, latent_dim: int | None = None, detail: int | None = None) -> Latent:
        """Only the first channels of the base and the first coefficients of the detail, the ones of most worth.

        Raises:
            UsageError: a number is negative or more than there are.
        """
        for wanted, there, what in ((latent_dim, self.latent_dim, "channels"), (detail, self.detail_size, "details")):
            if wanted is not None and not 0 <= wanted <= there:
                raise UsageError(f"cannot keep {wanted} of {there} {what}")
        return self.replace(
            base=self.base[:, :, :latent_dim], places=self.places[:, :, :detail], values=self.values[:, :, :detail]
        )

    def save(self, path: str | Path, *, dtype: str = "float16", bits: int | None = None) -> None:
        """Write a .cel file. ``dtype`` and ``bits`` as in :class:`celesta.latents.file.CelWriter`.

        Raises:
            LatentError: the latent holds values that are not finite.
        """
        if self.mid_side:
            raise LatentError(
                "a latent of middle and side is kept by the coded file it came from; encode the sound again"
            )
        kept = ("model", "weights", "sample_rate", "hop_length", "window", "overlap", "source_rate", "tags")
        with CelWriter(path, {name: getattr(self, name) for name in kept}, dtype=dtype, bits=bits) as writer:
            for i in range(self.windows):
                writer.append(self.base[i], self.places[i], self.values[i], self.gain[i])
            writer.close(self.n_samples)

    @classmethod
    def load(cls, path: str | Path) -> Latent:
        """Read a whole .cel file, its payload verified.

        Raises:
            LatentError: the file is missing or damaged.
        """
        with CelReader(path) as reader:
            reader.check_payload()
            parts = [reader.window(i) for i in range(len(reader))]
            m = reader.meta
        most = max(part[1].shape[1] for part in parts)  # windows of coded files have details of their own sizes
        base, gain = (np.stack([part[j] for part in parts]) for j in (0, 3))
        places, values = (np.stack([fill_detail(part[j], most) for part in parts]) for j in (1, 2))
        return cls(
            base=base,
            places=places,
            values=values,
            gain=gain,
            model=m.model,
            weights=m.weights,
            sample_rate=m.sample_rate,
            hop_length=m.hop_length,
            window=m.window,
            overlap=m.overlap,
            source_rate=m.source_rate,
            n_samples=m.n_samples,
            tags=m.tags,
            mid_side=bool(m.mid_side),
        )

    def __mul__(self, factor: float) -> Latent:
        if not isinstance(factor, Real):
            return NotImplemented
        return self.replace(base=self.base * np.float32(factor), values=self.values * np.float32(factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Latent:
        if not isinstance(divisor, Real):
            return NotImplemented
        if divisor == 0:
            raise UsageError("a latent cannot be divided by 0")
        return self.replace(base=self.base / np.float32(divisor), values=self.values / np.float32(divisor))

    def __neg__(self) -> Latent:
        return self * -1.0

    def __add__(self, other: Latent) -> Latent:
        return self._with(other, np.add)

    def __sub__(self, other: Latent) -> Latent:
        return self._with(other, np.subtract)

    def _with(self, other: Latent, operation: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Latent:
        if not isinstance(other, Latent):
            return NotImplemented
        same = (self.model, self.weights, self.base.shape) == (other.model, other.weights, other.base.shape)
        if not same:
            raise LatentError(
                f"latents of {self.model} {self.base.shape} and {other.model} {other.base.shape} do not combine;"
                " they need the same model, weights, channels and number of windows"
            )
        if not np.array_equal(self.places, other.places):
            raise LatentError(
                f"{self.model}: sparse details at different places have no sum; combine latents with the same places,"
                " or truncate(detail=0) both"
            )
        return self.replace(base=operation(self.base, other.base), values=operation(self.values, other.values))


def fill_detail(part: np.ndarray, size: int) -> np.ndarray:
    """A detail ``(channels, k, frames)`` with zeros behind it, ``(channels, size, frames)``; a zero changes nothing."""
    return np.pad(part, ((0, 0), (0, size - part.shape[1]), (0, 0)))
