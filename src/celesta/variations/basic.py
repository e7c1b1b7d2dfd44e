"""Gain, noise and smoothing of latents: the variations of the 2024 report; the detail's share.

Each works on a :class:`~celesta.latents.Latent` in memory and, window by window, on a
:class:`~celesta.variations.WindowStream`; both give the same bits. The decoder decides what a change does to the audio:
twice the latent is not twice the volume.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from celesta.errors import LatentError, UsageError
from celesta.latents import Latent, LatentWindow, envelopes
from celesta.variations.stream import WindowStream

_BASE, _DETAIL = 0, 1  # keys of the generators of noise


def gain(z: Latent, factor: float) -> Latent:
    """Multiply base, detail and band envelope by ``factor``; 1 changes no bit.

    Args:
        z: the latent.
        factor: finite number.

    Raises:
        UsageError: the factor is not finite.

    Example:
        louder = celesta.gain(z, 1.5)
    """
    return _in_memory(z, lambda stream: gain_stream(stream, factor))


def noise(z: Latent, sigma: float, seed: int = 0) -> Latent:
    """Add Gaussian noise of ``sigma`` times the standard deviation of each latent channel; 0 changes no bit.

    The standard deviation is that of the channel over the whole song. Of a sparse detail only the coefficients that
    are there change; a band envelope stays. The noise of a frame depends on the seed and on the frame's place in the
    song alone.

    Args:
        z: the latent.
        sigma: from 0 on.
        seed: integer from 0 on; the same seed gives the same noise.

    Raises:
        UsageError: sigma or seed is out of range.

    Example:
        rough = celesta.noise(z, 0.1, seed=7)
    """
    return _in_memory(z, lambda stream: noise_stream(stream, sigma, seed))


def smooth(z: Latent, width: int) -> Latent:
    """Average the base over ``width`` neighbouring frames; the number of frames stays, and 1 changes no bit.

    An even width reaches one frame further back. At the ends the average is over the frames that are there. Latents
    whose windows follow each other are smoothed across the borders of windows, overlapping ones within each window. A
    sparse detail has no neighbours to average (its places change from frame to frame) and stays as it is; so does a
    band envelope.

    Args:
        z: the latent.
        width: frames, an integer of at least 1.

    Raises:
        UsageError: width is no integer of at least 1.
        LatentError: the latent has no dense base.

    Example:
        dull = celesta.smooth(z, 5)
    """
    return _in_memory(z, lambda stream: smooth_stream(stream, width))


def detail(z: Latent, factor: float) -> Latent:
    """Multiply the sparse detail by ``factor``; 0 leaves the base alone, 1 changes no bit.

    Base and band envelope stay as they are.

    Args:
        z: the latent.
        factor: finite number.

    Raises:
        UsageError: the factor is not finite.
        LatentError: the latent has no detail or no base.

    Example:
        sketch = celesta.variations.detail(z, 0)
    """
    return _in_memory(z, lambda stream: detail_stream(stream, factor))


def gain_stream(stream: WindowStream, factor: float) -> WindowStream:
    """Do what :func:`gain` does, window by window."""
    if not np.isfinite(factor):
        raise UsageError(f"gain must be finite, got {factor}")
    if factor == 1:
        return stream
    scale = np.float32(factor)

    def windows() -> Iterator[LatentWindow]:
        for w in stream.windows():
            envelope = envelopes.scaled(w.envelope, float(factor))
            yield w._replace(base=w.base * scale, values=w.values * scale, envelope=envelope)

    return stream.changed(windows)


def noise_stream(stream: WindowStream, sigma: float, seed: int = 0) -> WindowStream:
    """Do what :func:`noise` does, window by window, with one pass more for the standard deviations."""
    if not (np.isfinite(sigma) and sigma >= 0):
        raise UsageError(f"noise must be finite and not negative, got {sigma}")
    if seed != int(seed) or seed < 0:
        raise UsageError(f"the seed of noise must be an integer from 0 on, got {seed}")
    if sigma == 0:
        return stream

    @functools.cache
    def scales() -> tuple[np.ndarray, np.ndarray]:
        base, detail = _Spread(), _Spread(nonzero=True)
        for w in stream.windows():
            base.add(w.base)
            detail.add(w.values)
        return np.float32(sigma) * base.deviation(), np.float32(sigma) * detail.deviation()

    def windows() -> Iterator[LatentWindow]:
        base, detail = scales()
        for i, w in enumerate(stream.windows()):
            grain = _gaussian((int(seed), _DETAIL, i), w.values.shape) * detail[:, : w.values.shape[1], None]
            values = w.values + np.where(w.values != 0, grain, np.float32(0))
            yield w._replace(
                base=w.base + _gaussian((int(seed), _BASE, i), w.base.shape) * base[..., None], values=values
            )

    return stream.changed(windows)


def smooth_stream(stream: WindowStream, width: int) -> WindowStream:
    """Do what :func:`smooth` does, window by window, holding the frames that an average reaches."""
    if width != int(width) or width < 1:
        raise UsageError(f"smooth needs an integer number of frames of at least 1, got {width}")
    width = int(width)
    if width == 1:
        return stream
    if stream.latent_dim == 0:
        raise LatentError(f"{stream.model}: smoothing needs a dense base, and this latent is all sparse detail")
    if not stream.continuous:
        return stream.changed(lambda: (w._replace(base=_running_mean(w.base, width, 0)) for w in stream.windows()))
    return stream.changed(lambda: _smoothed(stream.windows(), width))


def detail_stream(stream: WindowStream, factor: float) -> WindowStream:
    """Do what :func:`detail` does, window by window."""
    if not np.isfinite(factor):
        raise UsageError(f"the factor of the detail must be finite, got {factor}")
    if stream.latent_dim == 0:
        raise LatentError(f"{stream.model}: there is no base, the latent is all sparse detail; use gain")
    if not stream.has_detail:
        raise LatentError(f"{stream.model}: this latent has no detail; it is its base alone")
    if factor == 1:
        return stream

    def windows() -> Iterator[LatentWindow]:
        for w in stream.windows():
            if factor == 0:
                yield w._replace(places=w.places[:, :0], values=w.values[:, :0])
            else:
                yield w._replace(values=w.values * np.float32(factor))

    return stream.changed(windows)


def _in_memory(z: Latent, change: Callable[[WindowStream], WindowStream]) -> Latent:
    """Change a latent window by window; what changes nothing gives the latent itself."""
    stream = WindowStream.of_latent(z)
    changed = change(stream)
    return z if changed is stream else changed.collect(z)


def _gaussian(key: tuple[int, int, int], shape: tuple[int, ...]) -> np.ndarray:
    """Draw normal numbers ``(channels, rows, frames)`` of which each row depends on its index alone."""
    return np.stack(
        [np.random.default_rng((*key, channel)).standard_normal(shape[1:], np.float32) for channel in range(shape[0])]
    )


class _Spread:
    """Standard deviation of each row of a latent over the windows that were added.

    Source: Chan, Golub and LeVeque 1983, the combination of means and sums of squares of parts.

    Args:
        nonzero: leave out zeros, with which windows of fewer coefficients are filled.
    """

    def __init__(self, nonzero: bool = False) -> None:
        self._nonzero = nonzero
        self._count = self._mean = self._squares = np.zeros((1, 0))

    def add(self, x: np.ndarray) -> None:
        """Add a window ``(channels, rows, frames)``."""
        there = (x != 0) if self._nonzero else np.ones(x.shape, bool)
        n = there.sum(axis=2).astype(np.float64)
        mean = np.sum(x, axis=2, dtype=np.float64, where=there) / np.maximum(n, 1)
        squares = np.sum((x - mean[..., None]) ** 2, axis=2, where=there)
        rows = max(n.shape[1], self._count.shape[1])
        old = [_rows(a, len(x), rows) for a in (self._count, self._mean, self._squares)]
        new = [_rows(a, len(x), rows) for a in (n, mean, squares)]
        total = old[0] + new[0]
        share = new[0] / np.maximum(total, 1)
        step = new[1] - old[1]
        self._count, self._mean = total, old[1] + step * share
        self._squares = old[2] + new[2] + step**2 * old[0] * share

    def deviation(self) -> np.ndarray:
        """Return the standard deviations ``(channels, rows)``."""
        made: np.ndarray = np.sqrt(self._squares / np.maximum(self._count, 1)).astype(np.float32)
        return made


def _rows(a: np.ndarray, channels: int, rows: int) -> np.ndarray:
    """Fill statistics up to ``(channels, rows)`` with zeros."""
    out = np.zeros((channels, rows))
    out[: len(a), : a.shape[1]] = a if a.size else 0
    return out


def _smoothed(windows: Iterator[LatentWindow], width: int) -> Iterator[LatentWindow]:
    """Average the base over frames of neighbouring windows."""
    back, ahead = width // 2, width - width // 2 - 1
    waiting: deque[LatentWindow] = deque()  # read, and not averaged yet
    frames: np.ndarray | None = None  # of the base, from `back` frames before the first one that waits on
    before = 0  # how many of them lie before that
    for window in windows:
        waiting.append(window)
        frames = window.base if frames is None else np.concatenate([frames, window.base], axis=-1)
        while waiting and frames.shape[-1] >= before + waiting[0].base.shape[-1] + ahead:
            made, frames, before = _averaged(waiting.popleft(), frames, before, width, back)
            yield made
    while waiting and frames is not None:
        made, frames, before = _averaged(waiting.popleft(), frames, before, width, back)
        yield made


def _averaged(
    window: LatentWindow, frames: np.ndarray, before: int, width: int, back: int
) -> tuple[LatentWindow, np.ndarray, int]:
    """Average one window among the frames around it; return it, the frames still needed and how many lie before."""
    size = window.base.shape[-1]
    reach = before + size + width - back - 1
    base = _running_mean(frames[..., :reach], width, before)[..., :size]
    kept = min(back, before + size)
    return window._replace(base=np.ascontiguousarray(base)), frames[..., before + size - kept :], kept


def _running_mean(x: np.ndarray, width: int, first: int) -> np.ndarray:
    """Average over the last axis, centred, from frame ``first`` on; at the ends over the frames that are there."""
    n = x.shape[-1]
    total = np.zeros((*x.shape[:-1], n + 1))
    np.cumsum(x, axis=-1, dtype=np.float64, out=total[..., 1:])
    at = np.arange(first, n)
    begin, end = np.maximum(at - width // 2, 0), np.minimum(at - width // 2 + width, n)
    mean: np.ndarray = (total[..., end] - total[..., begin]) / (end - begin)
    return mean.astype(np.float32)
