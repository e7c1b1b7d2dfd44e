"""The latent of a song: all that its model needs to decode it, and arithmetic on it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path

import numpy as np

from celesta.errors import LatentError, UsageError
from celesta.latents import arithmetic, envelopes
from celesta.latents.coded import WrittenFile
from celesta.latents.saving import Coding, load, save
from celesta.latents.source import SourceFile
from celesta.latents.window import ENVELOPE_FRAMES, LatentWindow


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
        mid_side: whether the two channels are mid and side, ``(left + right) / sqrt(2)`` and
            ``(left - right) / sqrt(2)``.
        source: the audio file that was encoded, where it was one.
        envelope: ``(windows, channels, 50, frames / 4)`` float32 dB, for models with a band envelope: the power of
            each band, then the power of what the detail leaves out of it; None for other models. See :meth:`equalise`.
        coding: how the latent is quantised when it is saved; None for models that do not code to a bitrate.

    Example:
        >>> z = Latent.load("song.cel")
        >>> z
        Latent(linear-16, 3.00 s, 2 channels, 1 window of 16 x 215)
        >>> louder = 1.5 * z  # also +, -, / and unary -
        >>> bool((louder.base == 1.5 * z.base).all())
        True
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
    source: SourceFile | None = None
    coding: Coding | None = None
    envelope: np.ndarray | None = None

    __array_ufunc__ = None  # numpy scalars leave `number * latent` to __rmul__

    def __post_init__(self) -> None:
        b, v = self.base.shape, self.values.shape
        if len(b) != 4 or len(v) != 4 or self.places.shape != v or b[:2] != v[:2] or b[3] != v[3]:
            raise LatentError(f"latent: base {b}, places {self.places.shape} and values {v} do not fit together")
        if self.gain.shape != b[:2]:
            raise LatentError(f"latent: gain {self.gain.shape} does not fit {b[0]} windows of {b[1]} channels")
        if self.places.size and not (self.places.min() >= 0 and self.places.max() <= 0xFFFF):
            raise LatentError("latent: places must lie in 0..65535")
        if self.envelope is not None:
            e = self.envelope.shape
            if (len(e), *e[:2], e[-1]) != (4, *b[:2], -(-b[3] // ENVELOPE_FRAMES)):
                raise LatentError(f"latent: envelope {e} does not fit base {b}")
            object.__setattr__(self, "envelope", self.envelope.astype(np.float32, copy=False))
        for name, kind in (("base", np.float32), ("places", np.uint16), ("values", np.float32), ("gain", np.float32)):
            object.__setattr__(self, name, getattr(self, name).astype(kind, copy=False))

    def __repr__(self) -> str:
        def count(n: int, what: str) -> str:
            return f"{n} {what}{'s' * (n != 1)}"

        shape = f"{count(self.windows, 'window')} of {self.latent_dim} x {self.frames}"
        detail = f", detail {self.detail_size}" if self.detail_size else ""
        return f"Latent({self.model}, {self.duration:.2f} s, {count(self.channels, 'channel')}, {shape}{detail})"

    @property
    def windows(self) -> int:
        """Number of windows."""
        return int(self.base.shape[0])

    @property
    def channels(self) -> int:
        """Number of audio channels."""
        return int(self.base.shape[1])

    @property
    def latent_dim(self) -> int:
        """Dense channels per frame."""
        return int(self.base.shape[2])

    @property
    def detail_size(self) -> int:
        """Sparse coefficients per frame."""
        return int(self.values.shape[2])

    @property
    def envelope_rows(self) -> int:
        """Rows of the band envelope, 0 for models without one."""
        return 0 if self.envelope is None else int(self.envelope.shape[2])

    @property
    def frames(self) -> int:
        """Frames per window."""
        return int(self.base.shape[3])

    @property
    def duration(self) -> float:
        """Duration of the source, seconds."""
        return self.n_samples / self.source_rate

    @property
    def floats_per_second(self) -> float:
        """Numbers per second of one audio channel, a place counted as a number."""
        stride = self.window - self.overlap
        return (self.latent_dim + 2 * self.detail_size) * self.frames * self.sample_rate / stride

    @property
    def ratio(self) -> float:
        """Numbers per sample at the model's sample rate: above 1 the latent is larger than the audio."""
        return self.floats_per_second / self.sample_rate

    @property
    def continuous(self) -> bool:
        """Whether the frames of the windows follow each other without overlap."""
        return self.overlap == 0

    def timeline(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return base, places and values with the windows joined: ``(channels, rows, windows * frames)`` each.

        Example:
            >>> base, places, values = Latent.load("song.cel").timeline()
            >>> base.shape
            (2, 16, 215)
        """

        def joined(x: np.ndarray) -> np.ndarray:
            return x.transpose(1, 2, 0, 3).reshape(*x.shape[1:3], self.windows * self.frames)

        return joined(self.base), joined(self.places), joined(self.values)

    def window_latent(self, i: int) -> LatentWindow:
        """Return the latent of window ``i``."""
        envelope = None if self.envelope is None else self.envelope[i]
        return LatentWindow(self.base[i], self.places[i], self.values[i], self.gain[i], envelope)

    def replace(self, **arrays: np.ndarray) -> Latent:
        """Return the same latent with some of its arrays exchanged.

        An envelope that is exchanged alone takes the detail with it: 6 dB more in all its rows is 6 dB more of output.
        """
        coding = self.coding and self.coding.changed()
        old, new = self.envelope, arrays.get("envelope")
        if old is not None and new is not None and new.shape == old.shape and not {"places", "values"} & arrays.keys():
            arrays["values"] = envelopes.followed(old, new, self.places, self.values)
        return dataclasses.replace(self, coding=coding, **arrays)  # type: ignore[arg-type]

    def equalise(self, gain_db: np.ndarray | float) -> Latent:
        """Amplify bands of a latent with a band envelope.

        Args:
            gain_db: one gain in dB, or one per band ``(25,)`` (their centres:
                :func:`celesta.dsp.band_envelope.centres`), or ``(windows, channels, 25, frames / 4)``, any of these 1.

        Raises:
            UsageError: the latent has no envelope, or the gains are not finite or do not fit it.

        Example:
            >>> z = Latent.load("coded.cel")
            >>> brighter = z.equalise(np.linspace(-3, 3, 25))  # a tilt
            >>> change = brighter.envelope - z.envelope
            >>> float(change.min()), float(change.max())
            (-3.0, 3.0)
        """
        if self.envelope is None:
            raise UsageError(f"{self.model}: its latents have no band envelope; use gain, or another model")
        try:
            envelope = envelopes.raised(self.envelope, gain_db)
        except ValueError:
            raise UsageError(f"gains {np.shape(gain_db)} do not fit an envelope {self.envelope.shape}") from None
        if not np.isfinite(envelope).all():
            raise UsageError("gain_db must be finite")
        return self.replace(envelope=envelope)

    def truncate(self, latent_dim: int | None = None, detail: int | None = None) -> Latent:
        """Keep the first channels of the base and the most important coefficients of the detail.

        Args:
            latent_dim: channels of the base; None to keep all.
            detail: coefficients per frame; None to keep all.

        Raises:
            UsageError: a number is negative or more than there are.

        Example:
            >>> Latent.load("song.cel").truncate(latent_dim=4)
            Latent(linear-16, 3.00 s, 2 channels, 1 window of 4 x 215)
        """
        for wanted, there, what in ((latent_dim, self.latent_dim, "channels"), (detail, self.detail_size, "details")):
            if wanted is not None and not 0 <= wanted <= there:
                raise UsageError(f"cannot keep {wanted} of {there} {what}")
        places, values = self.places, self.values
        if detail is not None and self.coding is not None and self.coding.settings is not None:
            places, values = arithmetic.by_importance(self, self.coding.settings[0][0].power)  # they come by place
        arrays = {
            "base": self.base[:, :, :latent_dim],
            "places": places[:, :, :detail],
            "values": values[:, :, :detail],
        }
        if self.envelope is not None and detail is not None:
            arrays["envelope"] = envelopes.without(self.envelope, places, values, detail)
        return self.replace(**arrays)

    def save(
        self, path: str | Path, *, kbps: float | None = None, dtype: str | None = None, bits: int | None = None
    ) -> WrittenFile:
        """Write a .cel file.

        Latents of a model that codes to a bitrate are saved coded: a latent that :meth:`Codec.encode` has just made is
        coded from its source, as ``celesta encode`` does, at the default quality or to ``kbps`` (mid/side stereo and
        the choice of coefficients need the whole song); one that was loaded from a coded file keeps its quantiser
        steps; one that was changed is quantised as it is. Latents of other models are saved as float16.

        Args:
            path: the .cel file; its name appears only when it is complete.
            kbps: code to a bitrate, kbit/s of the whole file. Tags take a bounded share of it.
            dtype: ``float16`` or ``float32``: all numbers, not coded.
            bits: 1 to 16: quantise to so many bits per number, see :class:`celesta.latents.CelWriter`.

        Returns:
            The file with its size. Where the bitrate cannot be met the smallest file is written, with a
            :class:`~celesta.errors.LatentWarning`.

        Raises:
            UsageError: options contradict each other, or the latent cannot be coded.
            LatentError: the latent holds values that are not finite, or the file cannot be written.

        Example:
            >>> z = Latent.load("song.cel")
            >>> z.save("small.cel", bits=8).n_bytes < z.save("large.cel", dtype="float32").n_bytes
            True
        """
        return save(self, path, kbps, dtype, bits)

    @classmethod
    def load(cls, path: str | Path) -> Latent:
        """Read a whole .cel file, its payload verified.

        Args:
            path: the .cel file.

        Raises:
            LatentError: the file is missing or damaged.

        Example:
            >>> Latent.load("song.cel").tags
            {'artist': 'Anna', 'title': 'Ballad'}
        """
        return cls(**load(path))

    def __mul__(self, factor: float) -> Latent:
        if not isinstance(factor, Real):
            return NotImplemented
        return arithmetic.scaled(self, float(factor), np.multiply)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Latent:
        if not isinstance(divisor, Real):
            return NotImplemented
        if divisor == 0:
            raise UsageError("a latent cannot be divided by 0")
        return arithmetic.scaled(self, float(divisor), np.divide)

    def __neg__(self) -> Latent:
        return arithmetic.scaled(self, -1.0, np.multiply)

    def __add__(self, other: Latent) -> Latent:
        return arithmetic.combined(self, other, np.add) if isinstance(other, Latent) else NotImplemented

    def __sub__(self, other: Latent) -> Latent:
        return arithmetic.combined(self, other, np.subtract) if isinstance(other, Latent) else NotImplemented
