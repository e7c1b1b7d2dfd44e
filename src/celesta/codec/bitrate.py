"""Songs coded to a bitrate, a quality or fixed sizes by the codec ``nested``, and coded files made smaller.

One step of worth serves the whole song, which is the best use of its bits for the squared error of worth; a bitrate is
met by looking for that step, on windows spread over the song first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from celesta import audio
from celesta.audio import Audio
from celesta.codec import windowing
from celesta.codec.codec import Codec
from celesta.codec.rate_control import first_step, next_step, quality_step, search, step_of_count
from celesta.entropy import window as bits
from celesta.entropy.tables import BitTables, load_tables
from celesta.entropy.window import NO_DETAIL, Numbers
from celesta.errors import ModelError, UsageError
from celesta.latents.coded import CodedWriter
from celesta.latents.file import CelReader
from celesta.models import registry
from celesta.models.nested import Nested

BESIDE_DETAIL = 4
"""Channels of the base beside a detail: more of them cost more bits than they are worth, at every bitrate."""
Analysis = list[tuple[np.ndarray, np.ndarray]]
"""Base ``(channels, frames)`` and coefficients ``(bands, frames)`` of each sound channel of a window."""
_SAMPLES = 8
_HALF = np.float32(0.5**0.5)
_TRIES, _PASSES = 12, 4  # by what it would cost, and with all of it coded
_AIM = 0.996  # of the bitrate: what is estimated errs by so much
_INDEX, _HEADER = 8 * 24, 8 * 480  # bits of a window's index in the file, and of its header
_SPARSE = 29  # every so many coefficients stand for all where only their spread matters


@dataclass(frozen=True)
class Target:
    """What a coded song is to be: one of kbps, quality and detail, or none of them for the base alone.

    Attributes:
        kbps: average of the whole file over the song, header included, 0.5 to 2000.
        quality: 0 to 10: constant quality, a step for each.
        channels: of the base; None to choose by the bitrate.
        detail: coefficients a frame that are kept on average over the song, those of most worth.
    """

    kbps: float | None = None
    quality: float | None = None
    channels: int | None = None
    detail: float | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.kbps, self.quality, self.detail)) > 1:
            raise UsageError("give one of --kbps, --quality and --detail, not several")
        if self.detail is not None and not 0 <= self.detail <= 1_024:
            raise UsageError(f"detail must lie within 0..1024 coefficients a frame, got {self.detail:g}")
        if self.kbps is not None and not 0.5 <= self.kbps <= 2_000:
            raise UsageError(f"kbps must lie within 0.5..2000, got {self.kbps:g}")
        if self.quality is not None and not 0 <= self.quality <= 10:
            raise UsageError(f"quality must lie within 0..10, got {self.quality:g}")
        if self.channels is not None and self.channels < 1:
            raise UsageError(f"the base has at least 1 channel, got {self.channels}")


def encode_file(
    codec: Codec,
    source: str | Path | Audio,
    target: str | Path,
    wanted: Target,
    *,
    mono: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Encode a sound to a coded .cel file, holding a window at a time.

    Args:
        codec: of the model ``nested``.
        source: sound file or sound in memory.
        target: the .cel file.
        wanted: bitrate or quality.
        mono: mix to one channel first.
        progress: told the seconds of sound done, from 0 again in a pass that corrects the step.

    Raises:
        ModelError: the codec is of another model.
        AudioError, LatentError: reading or writing failed.
    """
    model, tables = _nested(codec), load_tables()
    opened = _open(codec, source, mono)
    sampled, stride = _sampled(model, opened.blocks)
    mid_side = opened.channels == 2 and _worth_less_as_mid_side(model, sampled, tables)
    analyses = [_analysed(model, window, mid_side) for window in sampled]
    file = _File(Path(target), codec.meta(opened.rate, opened.tags), mid_side, opened.seen(), progress)

    def windows() -> Iterator[Analysis]:
        """The song's analyses: those at hand where they are all of it, else made anew, a window at a time."""
        if stride == 1:
            yield from analyses
            return
        blocks = _open(codec, source, mono).blocks
        for window in windowing.cut(blocks, model.window, model.context, model.overlap):
            yield _analysed(model, window, mid_side)

    channels = min(model.latent_dim, wanted.channels or _channels(wanted, model))
    while True:

        def numbers(step: int, channels: int = channels) -> Iterator[list[Numbers]]:
            for made in windows():
                yield [bits.quantise(base[:channels], c, step, tables) for base, c in made]

        step = NO_DETAIL if wanted.quality is None else quality_step(wanted.quality)
        coefficients = [c for made in analyses for _, c in made]
        if wanted.detail:
            step = step_of_count(coefficients, wanted.detail, tables)
        if wanted.kbps is not None:
            step = first_step(coefficients, wanted.kbps, channels, opened.channels, tables)
            parts = [(base[:channels], c) for made in analyses for base, c in made]

            def details(step: int, parts: Analysis = parts) -> Iterator[Numbers]:
                return (bits.quantise(base[:0], c, step, tables) for base, c in parts)

            bases = (bits.quantise(base, c[:0], NO_DETAIL, tables) for base, c in parts)
            step = file.estimate(bases, details, len(analyses), wanted.kbps, step, tables)
        fits = file.write(numbers, channels, wanted.kbps, step, tables)
        if fits or channels == 1 or wanted.channels is not None:
            return
        channels //= 2  # the base alone costs too much


def truncate_file(
    source: str | Path,
    target: str | Path,
    *,
    kbps: float | None = None,
    channels: int | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Make a coded .cel file smaller without decoding its sound: fewer channels of the base, a coarser step.

    Args:
        source: coded .cel file.
        target: the smaller file.
        kbps: average of the whole file; None to keep the detail.
        channels: of the base; None to choose by the bitrate, or to keep all where none is given.
        progress: told the seconds of sound done.

    Raises:
        LatentError: the source is damaged or not coded.
        UsageError: it is smaller than that already.
    """
    tables = load_tables()
    with CelReader(source) as reader:
        reader.check_payload()
        m = reader.meta
        seconds = m.n_samples / m.source_rate
        now = os.path.getsize(source) * 8 / seconds / 1000
        if kbps is not None and kbps >= now:
            raise UsageError(f"{source}: has {now:.2f} kbit/s, less than the {kbps:g} asked for; encode the sound anew")
        kept = channels or (m.latent_dim if kbps is None else BESIDE_DETAIL)
        kept = min(m.latent_dim, kept)
        about = {
            name: getattr(m, name)
            for name in ("model", "weights", "sample_rate", "hop_length", "window", "overlap", "source_rate", "tags")
        }
        file = _File(Path(target), about, bool(m.mid_side), m.n_samples, progress)

        def numbers(step: int) -> Iterator[list[Numbers]]:
            for i in range(len(reader)):
                yield [_coarser(n, step, kept, tables) for n in reader.numbers(i)]

        step = 0  # finer than any: every window keeps its own
        if kbps is not None:
            some = [n for i in range(0, len(reader), max(1, len(reader) // _SAMPLES)) for n in reader.numbers(i)]

            def details(step: int) -> Iterator[Numbers]:
                return (replace(_coarser(n, step, kept, tables), base=n.base[:0]) for n in some)

            step = min(n.step for n in some)
            bases = (replace(n, base=n.base[:kept], detail=n.detail[:0]) for n in some)
            step = file.estimate(bases, details, len(some) // m.channels, kbps, step, tables)
        file.write(numbers, kept, kbps, step, tables)


@dataclass(frozen=True)
class _File:
    """Where a coded song goes."""

    path: Path
    meta: dict[str, Any]
    mid_side: bool
    n_samples: int
    progress: Callable[[float], None]

    @property
    def seconds(self) -> float:
        """How long the song is."""
        return float(self.n_samples / self.meta["source_rate"])

    def estimate(
        self,
        bases: Iterable[Numbers],
        details: Callable[[int], Iterable[Numbers]],
        windows: int,
        kbps: float,
        step: int,
        tables: BitTables,
    ) -> int:
        """The step at which the windows at hand would cost nearly the bitrate, beginning with a guess."""
        share = min(1.0, windows * self.meta["window"] / self.meta["sample_rate"] / self.seconds)
        fixed = sum(bits.cost(n, tables) + _INDEX for n in bases) + _HEADER * share

        def kbps_at(step: int) -> float:
            return float((fixed + sum(bits.cost(n, tables) for n in details(step))) / (share * self.seconds) / 1000)

        return search(kbps_at, max(0.5, _AIM * kbps), step, _TRIES)

    def write(
        self,
        numbers: Callable[[int], Iterator[list[Numbers]]],
        channels: int,
        kbps: float | None,
        step: int,
        tables: BitTables,
    ) -> bool:
        """Write the windows of a step; with a bitrate, of the steps near it until it is met. False: it never is."""
        tried: dict[int, float] = {}
        while True:
            with CodedWriter(self.path, self.meta, channels, tables, mid_side=self.mid_side) as writer:
                window = self.meta["window"] / self.meta["sample_rate"]
                for number, made in enumerate(numbers(step), start=1):
                    writer.append(made)
                    self.progress(number * window)
                tried[step] = writer.size(self.n_samples) * 8 / self.seconds / 1000
                better = step if kbps is None else next_step(tried, kbps, _PASSES)
                if better is None or better == step:
                    writer.close(self.n_samples)
                    return better is not None
                step = better


def _nested(codec: Codec) -> Nested:
    if not codec.model.capabilities.codes_to_bitrate:
        able = ", ".join(one.name for one in registry.shipped() if one.model.capabilities.codes_to_bitrate)
        raise ModelError(f"{codec.name}: cannot be coded to a bitrate or quality; use --bits, or one of {able}")
    assert isinstance(codec.model, Nested)  # the only class that says so
    return codec.model


@dataclass(frozen=True)
class _Opened:
    rate: int
    channels: int
    tags: dict[str, str]
    seen: Callable[[], int]
    blocks: Iterator[np.ndarray]


def _open(codec: Codec, source: str | Path | Audio, mono: bool) -> _Opened:
    rate, seen, tags, blocks = codec.open(source, mono)
    count = len(source.samples) if isinstance(source, Audio) else audio.probe(source).channels
    return _Opened(rate, 1 if mono else count, tags, seen, blocks)


@torch.inference_mode()
def _analysed(model: Nested, window: windowing.Window, mid_side: bool) -> Analysis:
    """Base and coefficients of each channel, the context's frames taken off."""
    x = np.ascontiguousarray(window.samples)
    if mid_side:
        x = np.stack([x[0] + x[1], x[0] - x[1]]) * _HALF
    first = window.left // model.hop_length
    keep = slice(first, first + model.window_frames)
    sound = torch.from_numpy(x)[:, None]
    c = model.mdct(sound[:, 0])
    # Channel by channel, so that a channel's numbers do not hang on the others'.
    bases = [model.base(one[None], coefficients[None])[0] for one, coefficients in zip(sound, c, strict=True)]
    return [(base[keep].T.float().numpy(), own[keep].T.numpy()) for base, own in zip(bases, c, strict=True)]


def _sampled(model: Nested, blocks: Iterator[np.ndarray]) -> tuple[list[windowing.Window], int]:
    """A few windows spread over the song: every window, or every second one, and so on; and every how many-th."""
    kept: list[windowing.Window] = []
    stride = 1
    for i, window in enumerate(windowing.cut(blocks, model.window, model.context, model.overlap)):
        if i % stride == 0:
            kept.append(windowing.Window(window.samples.copy(), window.left, window.right))
        if len(kept) > _SAMPLES:
            kept, stride = kept[::2], 2 * stride
    return kept, stride


def _worth_less_as_mid_side(model: Nested, sampled: list[windowing.Window], tables: BitTables) -> bool:
    """Whether two channels take fewer bits as middle and side."""
    pairs = np.concatenate([_coefficients(model, window.samples)[:, :, ::_SPARSE] for window in sampled], axis=1)
    spread = tables.spread[::_SPARSE]
    turned = np.stack([pairs[0] + pairs[1], pairs[0] - pairs[1]]) * _HALF
    plain, other = (np.abs(c / spread).ravel() for c in (pairs, turned))
    unit = max(float(np.quantile(plain, 0.98)), 1e-9)
    return bool(np.log2(1 + other / unit).sum() < np.log2(1 + plain / unit).sum())


@torch.inference_mode()
def _coefficients(model: Nested, x: np.ndarray) -> np.ndarray:
    """``(channels, n)`` samples to ``(channels, frames, bands)``."""
    return np.asarray(model.mdct(torch.from_numpy(np.ascontiguousarray(x))).numpy())


def _channels(wanted: Target, model: Nested) -> int:
    """Channels of the base for a target: all where there is nothing else."""
    alone = wanted.kbps is None and wanted.quality is None and not wanted.detail
    return model.latent_dim if alone else BESIDE_DETAIL


def _coarser(n: Numbers, step: int, channels: int, tables: BitTables) -> Numbers:
    """Numbers of a coarser step, or the same where the step is not coarser."""
    if step <= n.step or n.step == NO_DETAIL:
        return replace(n, base=n.base[:channels])
    if step == NO_DETAIL:
        return Numbers(n.base[:channels], np.zeros_like(n.detail), step)
    c = n.detail * (np.float32(bits.step_of(n.step)) * tables.spread[:, None])
    whole = bits.quantise(np.zeros((0, c.shape[1]), np.float32), c, step, tables)
    return Numbers(n.base[:channels], whole.detail, step)
