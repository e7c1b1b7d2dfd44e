"""Songs coded to a bitrate, a quality or fixed sizes by the codec ``nested``, and coded files made smaller.

One step of worth serves the whole song, which is the best use of its bits for the squared error of worth; a bitrate is
met by looking for that step, on windows spread over the song first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from celesta import audio, grid
from celesta._celcoded import CodedWriter
from celesta.audio import Audio
from celesta.bits import window as bits
from celesta.bits.tables import BitTables, load_tables
from celesta.bits.window import NO_DETAIL, Numbers
from celesta.celfile import CelReader
from celesta.codec import Codec
from celesta.errors import ModelError, UsageError
from celesta.models.nested import Nested

BASE_LADDER = ((4.5, 8), (9.0, 16), (16.0, 24))
"""Below so many kbit/s a sound channel, so many channels of the base; above, all of them."""
Analysis = list[tuple[np.ndarray, np.ndarray]]
"""Base ``(channels, frames)`` and coefficients ``(bands, frames)`` of each sound channel of a window."""
_SAMPLES = 8
_HALF = np.float32(0.5**0.5)
_TOLERANCE = 0.01
_TRIES, _PASSES = 8, 4  # with the analyses at hand, and with the song read again
COARSEST, FINEST = 864, 384
FEWEST = 8
_DENSITY = np.array([1.0, 4.0, 12.0, 24.0, 48.0, 400.0])
_BITS_EACH = np.array([8.5, 7.2, 6.0, 5.6, 5.35, 5.3])
"""Bits a coefficient costs where a frame has so many, place and sign included: measured, to begin a search with."""


@dataclass(frozen=True)
class Target:
    """What a coded song is to be: exactly one of kbps and quality, or neither for the base alone.

    Attributes:
        kbps: average of the whole file over the song, header included, 0.5 to 2000.
        quality: 0 to 10: constant quality, a step for each.
        channels: of the base; None to choose by the bitrate.
    """

    kbps: float | None = None
    quality: float | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.kbps is not None and self.quality is not None:
            raise UsageError("give --kbps or --quality, not both")
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
    mid_side = False
    if opened.channels == 2:
        sides = [[_analysed(model, window, flag) for window in sampled] for flag in (False, True)]
        mid_side = bool(_worths(sides[1], tables).sum() < _worths(sides[0], tables).sum())
        analyses = sides[mid_side]
    else:
        analyses = [_analysed(model, window, False) for window in sampled]
    channels = min(model.latent_dim, wanted.channels or _channels(wanted, opened.channels))
    n_samples = opened.seen()
    meta = codec.meta(opened.rate, opened.tags)

    def windows() -> Iterator[Analysis]:
        """The song's analyses: those at hand where they are all of it, else made anew, a window at a time."""
        if stride == 1:
            yield from analyses
            return
        blocks = _open(codec, source, mono).blocks
        for window in grid.cut(blocks, model.window, model.context, model.overlap):
            yield _analysed(model, window, mid_side)

    first = _first_step(analyses, wanted, channels, opened.channels, tables)
    step = first if stride == 1 else _step_of_some(analyses[::2], wanted, channels, first, tables)
    tried: dict[int, float] = {}
    while True:
        with CodedWriter(target, meta, channels, tables, mid_side=mid_side) as writer:
            seconds = model.window / model.sample_rate
            for number, made in enumerate(windows(), start=1):
                writer.append([bits.quantise(base[:channels], c, step, tables) for base, c in made])
                progress(number * seconds)
            tried[step] = writer.size(n_samples) * 8 / (n_samples / opened.rate) / 1000
            better = _next_step(tried, wanted, _TRIES if stride == 1 else _PASSES)
            dear = better is None and wanted.kbps is not None and tried[step] > wanted.kbps
            if dear and channels > FEWEST and wanted.channels is None:
                channels, tried = channels - FEWEST, {}  # the base alone costs too much
                step = _first_step(analyses, wanted, channels, opened.channels, tables)
                continue
            if better is None or better == step:
                writer.close(n_samples)
                return
            step = better


def truncate_file(
    source: str | Path, target: str | Path, *, kbps: float | None = None, channels: int | None = None
) -> None:
    """Make a coded .cel file smaller without decoding its sound: fewer channels of the base, a coarser step.

    Args:
        source: coded .cel file.
        target: the smaller file.
        kbps: average of the whole file; None to keep the detail.
        channels: of the base; None to choose by the bitrate, or to keep all where none is given.

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
        wanted = Target(kbps=kbps, channels=channels)
        kept = channels or (m.latent_dim if kbps is None else _channels(wanted, m.channels))
        kept = min(m.latent_dim, kept)
        about = {
            name: getattr(m, name)
            for name in ("model", "weights", "sample_rate", "hop_length", "window", "overlap", "source_rate", "tags")
        }
        finest = min(n.step for i in range(len(reader)) for n in reader.numbers(i))
        low, high = finest - 1, NO_DETAIL  # too large below, fits above (or nothing does)
        while True:
            step = finest if kbps is None else (high if high - low <= 1 else (low + high) // 2)
            with CodedWriter(target, about, kept, tables, mid_side=bool(m.mid_side)) as writer:
                for i in range(len(reader)):
                    writer.append([_coarser(n, step, kept, tables) for n in reader.numbers(i)])
                if kbps is None or high - low <= 1:
                    writer.close(m.n_samples)
                    return
                fits = writer.size(m.n_samples) * 8 / seconds / 1000 <= kbps
            low, high = (low, step) if fits else (step, high)


def _nested(codec: Codec) -> Nested:
    if not isinstance(codec.model, Nested):
        raise ModelError(f"{codec.name}: only the codec nested codes to a bitrate or quality; use --bits, or -m nested")
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
def _analysed(model: Nested, window: grid.Window, mid_side: bool) -> Analysis:
    """Base and coefficients of each channel, the context's frames taken off."""
    x = np.ascontiguousarray(window.samples)
    if mid_side:
        x = np.stack([x[0] + x[1], x[0] - x[1]]) * _HALF
    first = window.left // model.hop_length
    keep = slice(first, first + model.window_frames)
    made = []
    for channel in x:
        sound = torch.from_numpy(channel)[None, None]
        c = model.mdct(sound[:, 0])
        base = model.base(sound, c)
        made.append((base[0, keep].T.float().numpy(), c[0, keep].T.float().numpy()))
    return made


def _sampled(model: Nested, blocks: Iterator[np.ndarray]) -> tuple[list[grid.Window], int]:
    """A few windows spread over the song: every window, or every second one, and so on; and every how many-th."""
    kept: list[grid.Window] = []
    stride = 1
    for i, window in enumerate(grid.cut(blocks, model.window, model.context, model.overlap)):
        if i % stride == 0:
            kept.append(grid.Window(window.samples.copy(), window.left, window.right))
        if len(kept) > _SAMPLES:
            kept, stride = kept[::2], 2 * stride
    return kept, stride


def _worths(analyses: list[Analysis], tables: BitTables) -> np.ndarray:
    """A measure of bits: log2 of every coefficient's worth in units of the hundredth largest of a thousand, from 0."""
    worth = np.concatenate([(np.abs(c) / tables.spread[:, None]).ravel() for a in analyses for _, c in a])
    return np.log2(1 + worth / max(float(np.quantile(worth, 0.98)), 1e-9))


def _channels(wanted: Target, sound_channels: int) -> int:
    """Channels of the base for a bitrate."""
    if wanted.kbps is None:
        return len(load_tables().move)
    each = wanted.kbps / (1 if sound_channels == 1 else 0.7 * sound_channels)
    return next((count for below, count in BASE_LADDER if each < below), len(load_tables().move))


def _first_step(analyses: list[Analysis], wanted: Target, channels: int, sounds: int, tables: BitTables) -> int:
    """The step to begin with: of the quality, or by how many coefficients the bitrate pays for."""
    if wanted.kbps is None:
        return NO_DETAIL if wanted.quality is None else _quality_step(wanted.quality)
    frames = sum(c.shape[1] for a in analyses for _, c in a) / max(1, sounds)
    worth = np.concatenate([(np.abs(c) / tables.spread[:, None]).ravel() for a in analyses for _, c in a])
    ordered = np.sort(worth)[::-1]
    base_bits = 57 * channels / 32 * sounds  # a frame, all channels of the base: measured
    frame_rate = 44_100 / 1_024
    left = wanted.kbps * 1000 / frame_rate - base_bits
    if left <= 2:
        return NO_DETAIL
    counts = np.geomspace(0.05, tables.spread.size * sounds, 200)
    cost = counts * np.interp(counts / sounds, _DENSITY, _BITS_EACH)
    count = float(np.interp(left, cost, counts))
    at = min(len(ordered) - 1, round(count * frames))
    return bits.step_keeping(float(ordered[at]))


def _step_of_some(analyses: list[Analysis], wanted: Target, channels: int, step: int, tables: BitTables) -> int:
    """The step at which some windows of a long song have the bitrate; no header weighs there."""
    if wanted.kbps is None:
        return step
    seconds = sum(made[0][1].shape[1] for made in analyses) * 1_024 / 44_100
    tried: dict[int, float] = {}
    while True:
        made = (bits.quantise(base[:channels], c, step, tables) for one in analyses for base, c in one)
        tried[step] = sum(len(part) for n in made for part in bits.encode(n, tables)) * 8 / seconds / 1000
        better = _next_step(tried, wanted, _TRIES)
        if better is None or better == step:
            return step
        step = better


def _quality_step(quality: float) -> int:
    """Quality 0 has few coefficients a frame, 10 is beyond what is heard; 6 dB of worth are 48 numbers."""
    return round(COARSEST - quality * (COARSEST - FINEST) / 10)


def _next_step(tried: dict[int, float], wanted: Target, most: int) -> int | None:
    """The step to try next, given the kbit/s of those tried; one of them to end with it, None to end here."""
    if wanted.kbps is None:
        return None
    # Sizes fall with the step's number: too large below, fitting above.
    low = max((s for s, kbps in tried.items() if kbps > wanted.kbps), default=-1)
    high = min((s for s, kbps in tried.items() if kbps <= wanted.kbps and s > low), default=None)
    if high is None:
        # A doubled step is 6 dB of worth, at which about half of the bits go.
        return (
            None
            if low >= NO_DETAIL
            else min(NO_DETAIL, low + max(1, round(1.25 * bits.PER_OCTAVE * np.log2(tried[low] / wanted.kbps))))
        )
    short = wanted.kbps / tried[high]
    if short <= 1 + _TOLERANCE or high - low == 1 or len(tried) >= most:
        return high
    if low < 0 or high == NO_DETAIL:
        return max(
            low + 1,
            high - max(1, int(1.1 * bits.PER_OCTAVE * np.log2(short))) if high < NO_DETAIL else (low + high) // 2,
        )
    share = np.log(tried[low] / wanted.kbps) / np.log(tried[low] / tried[high])
    return int(np.clip(round(low + share * (high - low)), low + 1, high - 1))


def _coarser(n: Numbers, step: int, channels: int, tables: BitTables) -> Numbers:
    """Numbers of a coarser step, or the same where the step is not coarser."""
    if step <= n.step or n.step == NO_DETAIL:
        return replace(n, base=n.base[:channels])
    if step == NO_DETAIL:
        return Numbers(n.base[:channels], np.zeros_like(n.detail), step)
    c = n.detail * (np.float32(bits.step_of(n.step)) * tables.spread[:, None])
    whole = bits.quantise(np.zeros((0, c.shape[1]), np.float32), c, step, tables)
    return Numbers(n.base[:channels], whole.detail, step)
