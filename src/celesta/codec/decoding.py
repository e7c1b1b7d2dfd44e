"""Decode latents window by window: the whole song, or only the windows that a stretch of it needs."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from celesta import audio
from celesta._files import printable
from celesta.codec import windowing
from celesta.codec.network import HALF_POWER, WindowNetwork
from celesta.errors import LatentError, LatentWarning, UsageError, warn
from celesta.latents import CelReader, Latent, LatentWindow, Progress, verify

if TYPE_CHECKING:
    from celesta.codec.codec import Codec

_MARGIN = 0.25  # seconds: longer than the resampler's filter at any ratio of the rates that are supported

_NAMED = 8  # stretches that a warning names


def check_latent(network: WindowNetwork, name: str, weights: str, latent: tuple[str, str, int, int]) -> None:
    """Check that a latent fits a model and its weights.

    Args:
        network: the model.
        name: what it was loaded by.
        weights: SHA-256 of its weights.
        latent: model, weights, dense channels and sparse coefficients of the latent.

    Raises:
        LatentError: it is of another model, other weights, or truncated where this model cannot decode that.
    """
    model, made_with, latent_dim, detail_size = latent
    shown = printable(model)
    if model != name and made_with != weights:
        raise LatentError(f"the latent was made by {shown!r}, not {name!r}; decode it with {shown!r}")
    if made_with != weights:
        raise LatentError(
            f"the latent was made with other weights of {shown} ({made_with[:12]}..., here {weights[:12]}...);"
            " load the weights or the run folder that made it"
        )
    if latent_dim > network.model.latent_dim or detail_size > network.model.detail_limit:
        raise LatentError(f"the latent has more channels than {name} decodes")
    if latent_dim < network.model.latent_dim and not network.model.capabilities.decodes_fewer_channels:
        raise LatentError(f"the latent has {latent_dim} channels, {name} needs all {network.model.latent_dim}")


@dataclass(frozen=True)
class WindowSource:
    """Windows to decode, from memory or from a file.

    Attributes:
        window: gives a window by its index.
        count: number of windows.
        source_rate: Hz of the source.
        n_samples: of the source, at its rate.
        mid_side: whether two channels are mid and side.
        lost: windows that are damaged: they decode to silence.
    """

    window: Callable[[int], LatentWindow]
    count: int
    source_rate: int
    n_samples: int
    mid_side: bool
    lost: frozenset[int] = frozenset()

    @classmethod
    def of_latent(cls, z: Latent) -> WindowSource:
        """Take the windows of a latent in memory."""
        return cls(z.window_latent, z.windows, z.source_rate, z.n_samples, z.mid_side)

    @classmethod
    def of_reader(cls, reader: CelReader, *, salvage: bool = False) -> WindowSource:
        """Read the windows from a file as they are needed.

        Args:
            reader: the file.
            salvage: look for damaged windows first.

        Raises:
            LatentError: all windows are damaged.
        """
        m = reader.meta
        lost = frozenset(reader.damaged() if salvage else [])

        def window(i: int) -> LatentWindow:
            return reader.silent_window() if i in lost else reader.window(i)

        return cls(window, len(reader), m.source_rate, m.n_samples, bool(m.mid_side), lost)

    def lost_seconds(self, seconds_of: Callable[[int], tuple[float, float]]) -> list[tuple[float, float]]:
        """Return the stretches that are lost, neighbours joined, in seconds."""
        stretches: list[tuple[float, float]] = []
        for begin, end in map(seconds_of, sorted(self.lost)):
            if stretches and begin <= stretches[-1][1]:
                stretches[-1] = (stretches[-1][0], end)
            else:
                stretches.append((begin, end))
        return stretches


@dataclass(frozen=True)
class Stretch:
    """Samples of the output.

    Attributes:
        sample_rate: Hz of the output.
        first, last: index of its first sample and of the one behind its last.
    """

    sample_rate: int
    first: int
    last: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return (self.last - self.first) / self.sample_rate

    @classmethod
    def of(cls, source: WindowSource, sample_rate: int | None, start: float | None, stop: float | None) -> Stretch:
        """Choose samples by seconds.

        Raises:
            UsageError: the seconds or the sample rate are out of range.
        """
        rate = source.source_rate if sample_rate is None else audio.check_rate(sample_rate)
        total = source.n_samples
        if rate != source.source_rate:
            total = audio.resampled_length(total, source.source_rate, rate)
        for name, value in (("start", start), ("stop", stop)):
            number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
            if value is not None and not (number and 0 <= value < math.inf):
                raise UsageError(f"{name} must be seconds from 0 on, got {value!r}")
        first = 0 if start is None else round(start * rate)
        last = total if stop is None else min(total, round(stop * rate))
        if stop is not None and last <= first and stop <= (start or 0):
            raise UsageError(f"stop ({stop:g} s) must lie behind start ({start or 0:g} s)")
        if first >= total:
            raise UsageError(f"start ({start:g} s) lies behind the end of the song ({total / rate:.3f} s)")
        return cls(rate, first, max(last, first + 1))


def warn_of_losses(reader: CelReader, lost: list[tuple[float, float]]) -> None:
    """Warn of the stretches of a damaged file that are silent."""
    seconds = sum(end - begin for begin, end in lost)
    stretches = ", ".join(f"{begin:.1f} to {end:.1f} s" for begin, end in lost[:_NAMED])
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    said = f"{reader.name}: damaged: {seconds:.1f} of {reader.seconds:.1f} s are lost and silent ({stretches}{more})"
    warn(LatentWarning(said))


def open_latent(codec: Codec, path: str | Path, *, whole: bool = True, salvage: bool = False) -> CelReader:
    """Open a .cel file of a codec.

    Args:
        codec: which must be that of the file.
        path: the file.
        whole: verify the payload first.
        salvage: open what is left of a damaged file.

    Raises:
        LatentError: the file is damaged, or of another model or other weights.
    """
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(CelReader(path, salvage=salvage))
        if whole:
            reader.check_payload()
        m = reader.meta
        codec.check(m.model, m.weights, m.latent_dim, m.detail_size)
        stack.pop_all()
    return reader


def decode_song(
    codec: Codec,
    source: str | Path,
    target: str | Path,
    sample_rate: int | None,
    start: float | None,
    stop: float | None,
    *,
    salvage: bool,
    progress: Progress | None,
) -> list[tuple[float, float]]:
    """Decode a .cel file as :meth:`celesta.codec.Codec.decode_file` says."""
    whole = start is None and stop is None and not salvage
    with open_latent(codec, source, whole=whole, salvage=salvage) as reader:
        windows = WindowSource.of_reader(reader, salvage=salvage)
        wanted = Stretch.of(windows, sample_rate, start, stop)
        lost = windows.lost_seconds(reader.seconds_of)
        if lost:
            warn_of_losses(reader, lost)
        done = 0
        with audio.Writer(target, wanted.sample_rate, reader.meta.channels) as writer:
            for block in decode_blocks(codec.network, windows, wanted):
                writer.write(block)
                done += block.shape[1]
                if progress is not None:
                    progress(done / wanted.sample_rate, wanted.seconds)
    return lost


def verify_song(codec: Codec, path: str | Path, progress: Progress | None) -> None:
    """Verify a .cel file as :meth:`celesta.codec.Codec.verify` says."""
    verify(path)
    with open_latent(codec, path) as reader:
        for i, _ in enumerate(decode_all(codec.network, WindowSource.of_reader(reader)), start=1):
            if progress is not None:
                progress(reader.seconds * i / len(reader), reader.seconds)


def decode_blocks(network: WindowNetwork, source: WindowSource, wanted: Stretch) -> Iterator[np.ndarray]:
    """Decode a stretch of a song to blocks ``(channels, n)``: the samples that decoding all of it gives there.

    Only the windows that it needs are asked for and decoded.
    """
    model = network.model
    rate, stride = model.sample_rate, model.window - model.overlap
    length = audio.resampled_length(source.n_samples, source.source_rate, rate)
    first, skipped, last = _at_model_rate(wanted, rate, length)
    begin = max(0, (first - model.overlap) // stride)
    end = min(source.count, (last - 1) // stride + 1)
    blocks = windowing.join(_windows(network, source, begin, end), model.overlap)
    blocks = windowing.limit(windowing.skip(_left_right(blocks, source.mid_side), first - begin * stride), last - first)
    resampled = windowing.skip(resample_blocks(blocks, rate, wanted.sample_rate), skipped)
    return windowing.limit(resampled, wanted.last - wanted.first)


def _at_model_rate(wanted: Stretch, rate: int, length: int) -> tuple[int, int, int]:
    """Return the first sample to decode, how many of the resampled ones to leave out, and the end of the decoding.

    The first sample lies on the grid on which both rates have samples, so that resampling from there gives the very
    samples of the whole song.
    """
    to = wanted.sample_rate
    if to == rate:
        return wanted.first, 0, min(length, wanted.last)
    common = math.gcd(rate, to)
    steps = max(0, (wanted.first - math.ceil(_MARGIN * to)) // (to // common))
    last = math.ceil(wanted.last * rate / to) + math.ceil(_MARGIN * rate)
    return steps * (rate // common), wanted.first - steps * (to // common), min(length, last)


def _windows(network: WindowNetwork, source: WindowSource, begin: int, end: int) -> Iterator[np.ndarray]:
    """Decode windows; a second thread reads and unpacks the next one meanwhile."""
    asked, last = max(0, begin - 1), min(source.count, end + 1)  # neighbours are context
    coming: dict[int, Future[LatentWindow]] = {}
    with ThreadPoolExecutor(1) as reader:
        i, step = begin, 1
        while i < end:
            for j in range(asked, min(i + 2 * step + 1, last)):  # the group, its neighbour and the next group
                coming[j] = reader.submit(source.window, j)
            asked = max(asked, min(i + 2 * step + 1, last))
            group = range(i, min(i + step, end))
            for j, decoded in zip(
                group, network.decode(lambda j: coming[j].result(), group, source.count), strict=True
            ):
                yield np.zeros_like(decoded) if j in source.lost else decoded
                step = network.windows_at_once(len(decoded))
            i = group.stop
            for j in [j for j in coming if j < i - 1]:
                del coming[j]


def decode_all(network: WindowNetwork, source: WindowSource) -> Iterator[np.ndarray]:
    """Decode every window, one after the other, as ``(channels, window)`` at the model's rate."""
    return _windows(network, source, 0, source.count)


def resample_blocks(blocks: Iterable[np.ndarray], from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """Resample a stream of blocks; the total is exactly ``resampled_length``."""
    resampler = None
    for block in blocks:
        if from_rate == to_rate:
            yield block
            continue
        resampler = resampler or audio.Resampler(from_rate, to_rate, len(block))
        yield resampler.push(block)
    if resampler is not None:
        yield resampler.finish()


def _left_right(blocks: Iterable[np.ndarray], mid_side: bool) -> Iterator[np.ndarray]:
    """Turn blocks ``(2, n)`` of mid and side into left and right; leave others as they are."""
    for block in blocks:
        yield np.stack([block[0] + block[1], block[0] - block[1]]) * HALF_POWER if mid_side else block
