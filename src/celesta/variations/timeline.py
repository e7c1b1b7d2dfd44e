"""A latent as one run of frames, for operations on time: no windows, all parts together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from celesta import audio
from celesta.errors import LatentError
from celesta.latents import Latent
from celesta.latents.window import ENVELOPE_FRAMES, pad_detail
from celesta.variations.needs import check_frames


@dataclass(frozen=True)
class Timeline:
    """The frames of a latent.

    Attributes:
        base: ``(channels, latent_dim, F)`` float32.
        places, values: ``(channels, k, F)``, the sparse detail.
        gain: ``(channels, F)``, of the window of each frame.
        envelope: ``(channels, rows, F / 4)`` dB, or None.
    """

    base: np.ndarray
    places: np.ndarray
    values: np.ndarray
    gain: np.ndarray
    envelope: np.ndarray | None

    @classmethod
    def of(cls, z: Latent) -> Timeline:
        """Join the windows of a latent; frames that only fill the last window are left out.

        Raises:
            LatentError: its windows overlap, or it holds values that are not finite.
        """
        check_frames(z.model, z)
        if not all(x is None or np.isfinite(x).all() for x in (z.base, z.values, z.gain, z.envelope)):
            raise LatentError(f"{z.model}: the latent holds values that are not finite; encode the song again")
        frames = frame_count(z)
        base, places, values = (part[..., :frames] for part in z.timeline())
        gain = np.repeat(z.gain.T, z.frames, axis=1)[:, :frames]
        envelope = None
        if z.envelope is not None:
            w, c, rows, columns = z.envelope.shape
            joined = z.envelope.transpose(1, 2, 0, 3).reshape(c, rows, w * columns)
            envelope = joined[..., : frames // ENVELOPE_FRAMES]
        return cls(base, places, values, gain, envelope)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.base.shape[-1])

    @property
    def step(self) -> int:
        """Frames that stay together: those of a column of the envelope."""
        return 1 if self.envelope is None else ENVELOPE_FRAMES

    def part(self, first: int, last: int) -> Timeline:
        """Return frames ``first`` to ``last``, both multiples of :attr:`step`."""
        envelope = None if self.envelope is None else self.envelope[..., first // self.step : last // self.step]
        cut = slice(first, last)
        return Timeline(
            self.base[..., cut], self.places[..., cut], self.values[..., cut], self.gain[..., cut], envelope
        )

    def at(self, positions: np.ndarray) -> Timeline:
        """Return the frames at fractional positions ``(n,)``: base and envelope interpolated, the detail the nearest.

        ``n`` is a multiple of :attr:`step`.
        """
        nearest = np.clip(np.round(positions).astype(np.int64), 0, self.frames - 1)
        envelope = None
        if self.envelope is not None:
            centres = (positions.reshape(-1, self.step).mean(axis=1) - (self.step - 1) / 2) / self.step
            envelope = interpolated(self.envelope, centres)
        return Timeline(
            interpolated(self.base, positions),
            self.places[..., nearest],
            self.values[..., nearest],
            self.gain[..., nearest],
            envelope,
        )

    def latent(self, like: Latent, n_samples: int | None = None) -> Latent:
        """Return the frames as a latent like another one.

        Args:
            like: of the same model; its metadata are taken.
            n_samples: of the result at the source's rate; None for all frames.
        """
        total = self.frames
        if n_samples is None:
            n_samples = round(total * like.hop_length * like.source_rate / like.sample_rate)
        windows = max(1, -(-total // like.frames))
        short = windows * like.frames - total

        def cut(x: np.ndarray, per_window: int, missing: int) -> np.ndarray:
            padded = np.pad(x, ((0, 0), (0, 0), (0, missing)))
            c, rows, _ = padded.shape
            return padded.reshape(c, rows, windows, per_window).transpose(2, 0, 1, 3)

        arrays: dict[str, Any] = {
            "base": cut(self.base, like.frames, short),
            "places": cut(self.places, like.frames, short),
            "values": cut(self.values, like.frames, short),
            "gain": self.gain[:, np.minimum(np.arange(windows) * like.frames, max(total - 1, 0))].T,
        }
        if self.envelope is not None:
            columns = -(-like.frames // ENVELOPE_FRAMES)
            filled = np.pad(
                self.envelope,
                ((0, 0), (0, 0), (0, windows * columns - self.envelope.shape[-1])),
                constant_values=SILENT_DB,
            )
            arrays["envelope"] = filled.reshape(*filled.shape[:2], windows, columns).transpose(2, 0, 1, 3)
        return dataclasses.replace(like.replace(**arrays), n_samples=n_samples, source=None)


SILENT_DB = -96.0
"""Power that an envelope gives to silence."""


def frame_count(z: Latent) -> int:
    """Return the frames that hold a latent's song, rounded up to whole columns of its envelope."""
    frames = min(max(1, -(-model_samples(z) // z.hop_length)), z.windows * z.frames)
    step = 1 if z.envelope is None else ENVELOPE_FRAMES
    return -(-frames // step) * step


def full_frames(z: Latent) -> int:
    """Return the frames that the song fills, in whole columns of its envelope and at least one.

    What follows a seam must follow these: the column behind them ends in silence.
    """
    step = 1 if z.envelope is None else ENVELOPE_FRAMES
    return max(step, min(model_samples(z) // z.hop_length, z.windows * z.frames) // step * step)


def model_samples(z: Latent) -> int:
    """Return the samples of a latent's song at the model's sample rate."""
    if z.source_rate == z.sample_rate:
        return z.n_samples
    return audio.resampled_length(z.n_samples, z.source_rate, z.sample_rate)


def joined(parts: Sequence[Timeline]) -> Timeline:
    """Put timelines one after the other; details are filled up to the largest.

    Raises:
        LatentError: they do not fit together.
    """
    parts = with_equal_bases(*parts)
    first = parts[0]
    if any(p.base.shape[:2] != first.base.shape[:2] or (p.envelope is None) != (first.envelope is None) for p in parts):
        raise LatentError("latents with different numbers of channels do not combine; encode both mono or both stereo")
    most = max(p.values.shape[1] for p in parts)
    envelope = None
    if first.envelope is not None:
        envelope = np.concatenate([p.envelope for p in parts if p.envelope is not None], axis=-1)
    return Timeline(
        np.concatenate([p.base for p in parts], axis=-1),
        np.concatenate([pad_detail(p.places, most) for p in parts], axis=-1),
        np.concatenate([pad_detail(p.values, most) for p in parts], axis=-1),
        np.concatenate([p.gain for p in parts], axis=-1),
        envelope,
    )


def with_equal_bases(*parts: Timeline) -> list[Timeline]:
    """Fill bases up with channels of zeros to the largest one: of a coded latent, the last channels may be left out."""
    most = max(p.base.shape[1] for p in parts)
    return [
        dataclasses.replace(p, base=np.pad(p.base, ((0, 0), (0, most - p.base.shape[1]), (0, 0))))
        if p.base.shape[1] < most
        else p
        for p in parts
    ]


def interpolated(x: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Interpolate the last axis linearly at fractional positions; beyond the ends the last value holds."""
    at = np.clip(positions, 0, x.shape[-1] - 1)
    below = np.minimum(at.astype(np.int64), max(x.shape[-1] - 2, 0))
    share = (at - below).astype(np.float32)
    above = np.minimum(below + 1, x.shape[-1] - 1)
    made: np.ndarray = x[..., below] * (1 - share) + x[..., above] * share
    return made


def check_same_model(a: Latent, b: Latent) -> None:
    """Check that two latents are of one model.

    Raises:
        LatentError: they are not.
    """
    if a.model != b.model:
        raise LatentError(f"latents of {a.model} and {b.model} do not combine; encode both songs with one model")
    if a.weights != b.weights:
        raise LatentError(f"latents of {a.model} with different weights do not combine; encode both songs again")
    if a.channels != b.channels:
        counts = f"{a.channels} and {b.channels}"
        raise LatentError(f"latents with {counts} channels do not combine; mix both songs to mono or stereo first")
    if a.mid_side != b.mid_side:
        raise LatentError("latents of left/right and of mid/side do not combine; encode both songs in the same way")
