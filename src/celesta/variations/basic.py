"""Variations: pure functions from latents to latents. The report's four are gain up and down, noise and smoothing.

What they do to the sound is up to the decoder: twice the latent is not twice the volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from celesta.errors import LatentError, UsageError
from celesta.latents.latent import Latent

KINDS = ("gain", "noise", "smooth")


@dataclass(frozen=True)
class Step:
    """One change of a latent: ``gain`` by a factor, ``noise`` of a relative spread, ``smooth`` over frames."""

    kind: str
    value: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"unknown variation {self.kind!r}; there are {', '.join(KINDS)}")

    def __str__(self) -> str:
        return f"{self.kind} {self.value:g}" + (f" (seed {self.seed})" if self.kind == "noise" else "")


def gain(z: Latent, factor: float) -> Latent:
    """Multiply base and detail by ``factor`` (report: 1.5 and 0.5). 1 changes no bit.

    Raises:
        UsageError: the factor is not finite.
    """
    if not np.isfinite(factor):
        raise UsageError(f"gain must be finite, got {factor}")
    return z if factor == 1 else z * factor


def noise(z: Latent, sigma: float, seed: int = 0) -> Latent:
    """Add Gaussian noise of ``sigma`` times the spread (standard deviation over the song) of each latent channel.

    The same seed gives the same noise. 0 changes no bit.

    Raises:
        UsageError: sigma is negative or not finite.
    """
    if not (np.isfinite(sigma) and sigma >= 0):
        raise UsageError(f"noise must be finite and not negative, got {sigma}")
    if sigma == 0:
        return z
    rng = np.random.default_rng(seed)

    def noisy(x: np.ndarray) -> np.ndarray:
        if x.size == 0:
            return x
        out = np.empty_like(x)
        spread = np.float32(sigma) * x.std(axis=(0, 3), dtype=np.float64).astype(np.float32)
        for i in range(len(x)):  # window by window: the widest latents do not fit in memory twice
            out[i] = x[i] + spread[..., None] * rng.standard_normal(x.shape[1:], np.float32)
        return out

    return z.replace(base=noisy(z.base), values=noisy(z.values))


def smooth(z: Latent, width: int) -> Latent:
    """Average over ``width`` neighbouring frames, the number of frames kept; 1 changes no bit.

    At the ends the average is over the frames that are there. Latents whose windows follow each other are smoothed
    across the windows' borders, overlapping ones inside each window. A sparse detail has no neighbours to average
    (its places change from frame to frame) and stays as it is; of a latent that is all detail, smoothing is refused.

    Raises:
        UsageError: width is not a whole number of at least 1.
        LatentError: there is no dense base to smooth.
    """
    if width != int(width) or width < 1:
        raise UsageError(f"smooth needs a whole number of frames of at least 1, got {width}")
    width = int(width)
    if width == 1:
        return z
    if z.latent_dim == 0:
        raise LatentError(f"{z.model}: smoothing needs a dense base, and this latent is all sparse detail")
    if not z.continuous:
        return z.replace(base=np.stack([_running_mean(window, width) for window in z.base]))
    joined = _running_mean(z.timeline()[0], width)
    w, c, rows, frames = z.base.shape
    return z.replace(base=np.ascontiguousarray(joined.reshape(c, rows, w, frames).transpose(2, 0, 1, 3)))


def morph(a: Latent, b: Latent, mix: float) -> Latent:
    """Go from ``a`` (mix 0) to ``b`` (mix 1) along a straight line, gains too. Both must have the same shape.

    Raises:
        UsageError: mix lies outside 0..1.
        LatentError: the latents do not combine; see :class:`Latent`.
    """
    if not 0 <= mix <= 1:
        raise UsageError(f"mix must lie in 0..1, got {mix}")
    if mix == 0:
        return a
    mixed = a * (1 - mix) + b * mix
    return mixed.replace(gain=(a.gain * np.float32(1 - mix) + b.gain * np.float32(mix)).astype(np.float32))


def apply(z: Latent, steps: Sequence[Step]) -> Latent:
    """Do the steps one after the other."""
    for step in steps:
        if step.kind == "gain":
            z = gain(z, step.value)
        elif step.kind == "noise":
            z = noise(z, step.value, step.seed)
        else:
            z = smooth(z, step.value)  # type: ignore[arg-type]  # checked to be whole there
    return z


def _running_mean(x: np.ndarray, width: int) -> np.ndarray:
    """Centred mean over the last axis; an even width reaches one frame further back."""
    n = x.shape[-1]
    total = np.zeros((*x.shape[:-1], n + 1))
    np.cumsum(x, axis=-1, dtype=np.float64, out=total[..., 1:])
    at = np.arange(n)
    begin, end = np.maximum(at - width // 2, 0), np.minimum(at - width // 2 + width, n)
    mean: np.ndarray = (total[..., end] - total[..., begin]) / (end - begin)
    return mean.astype(np.float32)
