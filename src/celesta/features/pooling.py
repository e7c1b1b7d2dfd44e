"""Pool a latent of any length to one vector: statistics over time of its channels and of the spectrum of its detail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from celesta.dsp.band_envelope import BANDS, FRAMES
from celesta.errors import UsageError
from celesta.latents.latent import Latent

VERSION = "2"
STATISTICS = ("mean", "std", "delta")
DETAIL_BANDS = 64
_FLOOR = 1e-10
_PERCENTILE = re.compile(r"p(100|[1-9]?\d)")
_BLOCK_FRAMES = 4096
_SUM_FRAMES = 256
_Statistic = Callable[[np.ndarray], np.ndarray]


def pool(latent: Latent, statistics: Sequence[str] = STATISTICS) -> np.ndarray:
    """Return one vector ``(D,)`` float32 of a song: the arrays of :func:`pool_parts`, one after the other."""
    return np.concatenate(list(pool_parts(latent, statistics).values()))


def pool_parts(latent: Latent, statistics: Sequence[str] = STATISTICS) -> dict[str, np.ndarray]:
    """Compute statistics over the frames of a song, averaged over its audio channels.

    Frames after the end of the audio do not count. Windows that overlap are joined as they are.

    Args:
        latent: of one song.
        statistics: of ``mean``, ``std``, ``delta`` (mean size of the difference of neighbouring frames) and
            percentiles ``p0`` ... ``p100``.

    Returns:
        ``base.<statistic>`` ``(latent_dim,)`` for models with a base; ``detail.mean`` and ``detail.std`` ``(bands,)``
        for models with a detail: log10 energy in 64 bands of its places (fewer for models with fewer coefficients),
        narrow ones first, whatever statistics are asked for. ``envelope.mean`` and ``envelope.std`` ``(bands,)``, dB,
        of the coded band powers, for models with a band envelope.

    Raises:
        UsageError: a statistic is unknown, or none is asked for.
    """
    wanted = {name: _statistic(name) for name in statistics}
    if not wanted:
        raise UsageError(f"pooling needs a statistic: {', '.join(STATISTICS)}, p0 ... p100")
    base, places, values = latent.timeline()
    frames = audio_frames(latent)
    parts: dict[str, np.ndarray] = {}
    if latent.latent_dim:
        for name, statistic in wanted.items():
            per_channel = [statistic(channel[:, :frames]) for channel in base]
            parts[f"base.{name}"] = np.mean(per_channel, axis=0).astype(np.float32)
    if latent.detail_size:
        edges = band_edges(latent.hop_length)
        spectra = [_detail_spectrum(p[:, :frames], v[:, :frames], edges) for p, v in zip(places, values, strict=True)]
        for name in ("mean", "std"):
            over_time = _statistic(name)
            parts[f"detail.{name}"] = np.mean([over_time(s) for s in spectra], axis=0).astype(np.float32)
    if latent.envelope is not None:
        powers = np.concatenate(list(latent.envelope[:, :, :BANDS]), axis=-1)[..., : -(-frames // FRAMES)]
        for name in ("mean", "std"):
            over_time = _statistic(name)
            parts[f"envelope.{name}"] = np.mean([over_time(p) for p in powers], axis=0).astype(np.float32)
    return parts


def window_means(latent: Latent) -> dict[str, np.ndarray]:
    """Return ``mean`` ``(windows, channels * latent_dim)`` float32: means over the frames of each window."""
    frames = np.full(latent.windows, latent.frames)
    frames[-1] = audio_frames(latent) - (latent.windows - 1) * latent.frames
    rows = [
        np.concatenate([_mean(channel[:, :count]) for channel in base])
        for base, count in zip(latent.base, frames, strict=True)
    ]
    return {"mean": np.stack(rows).astype(np.float32)}


def statistics(x: np.ndarray, names: Sequence[str] = STATISTICS) -> dict[str, np.ndarray]:
    """Compute statistics ``(C,)`` float64 over the frames of ``(C, F)``; see :func:`pool_parts`.

    Raises:
        UsageError: one is unknown.
    """
    return {name: _statistic(name)(x) for name in names}


def audio_frames(latent: Latent) -> int:
    """Count the frames of the joined windows that hold audio, at least one."""
    total = latent.duration * latent.sample_rate
    last = total - (latent.windows - 1) * (latent.window - latent.overlap)
    within = int(np.clip(np.ceil(last * latent.frames / latent.window), 1, latent.frames))
    return (latent.windows - 1) * latent.frames + within


def band_edges(coefficients: int) -> np.ndarray:
    """Return the edges of at most 64 bands of the places 0..coefficients - 1, wider and wider, none empty.

    The models of this package have as many coefficients a frame as samples (an MDCT), so these are ``hop_length``.
    """
    bands = min(DETAIL_BANDS, coefficients)
    share = np.arange(bands + 1) / bands
    edges = np.rint(coefficients * (32**share - 1) / 31).astype(int)
    strict: np.ndarray = np.maximum(edges, np.arange(bands + 1))
    return strict


def _statistic(name: str) -> _Statistic:
    if name == "mean":
        return _mean
    if name == "std":
        return _deviation
    if name == "delta":
        return _mean_difference
    match = _PERCENTILE.fullmatch(name)
    if match is None:
        raise UsageError(f"unknown statistic {name!r}; there are {', '.join(STATISTICS)} and p0 ... p100")
    percent = int(match[1])
    return lambda x: np.asarray(np.percentile(x, percent, axis=1))


def _mean(x: np.ndarray) -> np.ndarray:
    return np.asarray(_sum_over_time(x, lambda block: block) / x.shape[1])


def _deviation(x: np.ndarray) -> np.ndarray:
    mean = _mean(x).astype(x.dtype)[:, None]
    return np.asarray(np.sqrt(_sum_over_time(x, lambda block: (block - mean) ** 2) / x.shape[1]))


def _mean_difference(x: np.ndarray) -> np.ndarray:
    if x.shape[1] < 2:
        return np.zeros(x.shape[0])
    steps = _sum_over_time(x, lambda block: np.abs(np.diff(block, axis=1)), shared=1)
    return np.asarray(steps / (x.shape[1] - 1))


def _sum_over_time(x: np.ndarray, of: Callable[[np.ndarray], np.ndarray], shared: int = 0) -> np.ndarray:
    """Sum to ``(C,)`` float64 over the frames of ``(C, F)``, in short blocks of their own precision.

    Args:
        x: rows of frames.
        of: what is summed, block by block.
        shared: frames that a block has in common with the next.
    """
    total: np.ndarray = np.zeros(x.shape[0])
    for first in range(0, x.shape[1] - shared, _SUM_FRAMES):
        made = of(x[:, first : first + _SUM_FRAMES + shared])
        total += made @ np.ones(made.shape[1], made.dtype)
    return total


def _detail_spectrum(places: np.ndarray, values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Compute the log10 energy ``(bands, F)`` of coefficients ``(k, F)``."""
    return np.concatenate(list(_detail_blocks(places, values, edges)), axis=1)


def _detail_blocks(places: np.ndarray, values: np.ndarray, edges: np.ndarray) -> Iterator[np.ndarray]:
    bands = len(edges) - 1
    for first in range(0, places.shape[1], _BLOCK_FRAMES):
        here, size = places[:, first : first + _BLOCK_FRAMES], values[:, first : first + _BLOCK_FRAMES]
        count = here.shape[1]
        band = np.minimum(np.searchsorted(edges, here, side="right") - 1, bands - 1)
        flat = (band * count + np.arange(count)).ravel()
        energy = np.bincount(flat, weights=size.ravel().astype(np.float64) ** 2, minlength=bands * count)
        yield np.log10(energy.reshape(bands, count) + _FLOOR)
