"""Decode a latent piece by piece, so that its audio begins after a short time, at any place of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from celesta import audio
from celesta.codec import Codec, LatentWindow, windowing
from celesta.codec.decoding import resample_blocks
from celesta.errors import UsageError
from celesta.latents import Latent
from celesta.latents.window import ENVELOPE_FRAMES

_SIZES = (16, 32, 64, 160)
"""Frames of the first pieces; all further ones are as long as the last of these. Whole columns of the envelope."""
_MARGIN = 0.25  # seconds: longer than the resampler's filter


def decode_in_pieces(codec: Codec, z: Latent, first: int = 0) -> Iterator[np.ndarray]:
    """Decode a latent to blocks ``(channels, n)`` at the source's sample rate, the first one after a short time.

    Models whose frames follow each other are decoded in pieces shorter than their windows, with the model's own
    context on both sides of each; of others the whole latent is decoded.

    Args:
        codec: of the latent.
        z: the latent.
        first: sample at which the first block begins; what is before it comes at the end.

    Raises:
        UsageError: the latent does not decode to finite audio.
    """
    if not 0 <= first < z.n_samples:
        first = 0
    ranges = [(first, z.n_samples), (0, first)][: 2 if first else 1]
    if not z.continuous or codec.model.context == 0 or codec.model.normalise:
        x = codec.decode(z).samples
        yield from (x[:, begin:end] for begin, end in ranges)
        return
    whole = _joined(z)
    for begin, end in ranges:
        yield from _stretch(codec, z, whole, begin, end)


def _stretch(codec: Codec, z: Latent, whole: LatentWindow, first: int, last: int) -> Iterator[np.ndarray]:
    """Decode the samples from ``first`` to ``last`` at the source's sample rate."""
    rate, to = z.sample_rate, z.source_rate
    begin, skipped, end = first, 0, last
    if rate != to:  # begin where both rates have a sample
        common = math.gcd(rate, to)
        steps = max(0, (first - math.ceil(_MARGIN * to)) // (to // common))
        begin, skipped = steps * (rate // common), first - steps * (to // common)
        end = math.ceil(last * rate / to) + math.ceil(_MARGIN * rate)
    end = min(end, audio.resampled_length(z.n_samples, to, rate))
    blocks = resample_blocks(_pieces(codec, z, whole, begin, end), rate, to)
    yield from windowing.limit(windowing.skip(blocks, skipped), last - first)


def _pieces(codec: Codec, z: Latent, whole: LatentWindow, begin: int, end: int) -> Iterator[np.ndarray]:
    """Decode the samples from ``begin`` to ``end`` at the model's sample rate."""
    hop, total = z.hop_length, whole.base.shape[-1]
    context = codec.model.context // hop
    frame = begin // hop // ENVELOPE_FRAMES * ENVELOPE_FRAMES
    number = 0
    while frame * hop < end and frame < total:
        last = min(frame + _SIZES[min(number, len(_SIZES) - 1)], total)
        left, right = max(0, frame - context), min(last + context, total)
        block = _decoded(codec, whole.frames(slice(left, right)), left, (right - left) * hop)
        if z.mid_side:
            block = np.stack([block[0] + block[1], block[0] - block[1]]) * np.float32(0.5**0.5)
        here = block[:, (frame - left) * hop : (last - left) * hop]
        yield here[:, max(0, begin - frame * hop) : end - frame * hop]
        frame, number = last, number + 1


def _decoded(codec: Codec, part: LatentWindow, start: int, length: int) -> np.ndarray:
    """Decode frames, of which the first is number ``start``, channel by channel, to ``(channels, length)``."""
    rows = []
    for channel in range(len(part.base)):
        one = slice(channel, channel + 1)
        arrays: dict[str, np.ndarray | int] = {
            "base": part.base[one],
            "places": part.places[one].astype(np.int64),
            "values": part.values[one],
        }
        if part.envelope is not None:
            arrays |= {"envelope": part.envelope[one].astype(np.float32), "channel": channel}
        rows.append(codec.network.runtime.decoder.run(**arrays, length=length, start=start)["out"][0, 0])
    made = np.stack(rows)
    if not np.isfinite(made).all():
        raise UsageError("the changed latent does not decode to finite audio; use weaker settings")
    return made


def _joined(z: Latent) -> LatentWindow:
    """Return all windows as one; columns of the envelope are groups of frames, as windows are whole groups."""
    base, places, values = z.timeline()
    envelope = None
    if z.envelope is not None and z.frames % ENVELOPE_FRAMES == 0:
        w, c, rows, columns = z.envelope.shape
        envelope = z.envelope.transpose(1, 2, 0, 3).reshape(c, rows, w * columns)
    return LatentWindow(base, places, values, z.gain[0], envelope)
