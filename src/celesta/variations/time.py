"""Operations on the time of a latent: crop, join, repeat, reverse, stretch, transpose.

Frames are taken over as they are wherever time only moves. Where a detail must change (reverse, stretch, transpose) its
signal is changed and its largest coefficients are taken again; base and envelope are moved or interpolated.
"""

from __future__ import annotations

import numpy as np

from celesta.dsp import band_envelope as bands
from celesta.dsp import stretching
from celesta.errors import UsageError
from celesta.latents import Latent
from celesta.variations.coefficients import detail_of, signal_of
from celesta.variations.needs import check_detail
from celesta.variations.timeline import Timeline, check_same_model, full_frames, interpolated, joined, model_samples

_LONGEST = 100 * 3600.0  # seconds of a result


def crop(z: Latent, start: float = 0.0, stop: float | None = None) -> Latent:
    """Keep a stretch of a latent, to the nearest frame (with an envelope, four frames); the whole changes no bit.

    Args:
        z: the latent.
        start: seconds.
        stop: seconds; None for the end.

    Raises:
        UsageError: the stretch is empty or outside the song.

    Example:
        chorus = celesta.variations.crop(z, 30, 45)
    """
    if start >= z.duration:
        raise UsageError(f"crop begins at {start:g} s, and the song ends at {z.duration:.3f} s")
    stop = z.duration if stop is None else stop
    if not 0 <= start < stop:
        raise UsageError(f"crop keeps what is between start and stop, got {start:g} to {stop:g} s")
    if start == 0 and stop >= z.duration:
        return z
    t = Timeline.of(z)
    first, last = _frame(z, t, start), t.frames if stop >= z.duration else _frame(z, t, stop)
    first = min(first, t.frames - t.step)
    return t.part(first, max(last, first + t.step)).latent(z)


def concat(*latents: Latent) -> Latent:
    """Put latents of one model one after the other; one alone changes no bit.

    All but the last end with their last full frame (with an envelope, four frames), so that no silence is between them.

    Raises:
        UsageError: there is none.
        LatentError: they are of different models or channels.

    Example:
        both = celesta.variations.concat(z, other)
    """
    if not latents:
        raise UsageError("concat needs at least one latent")
    if len(latents) == 1:
        return latents[0]
    for one in latents[1:]:
        check_same_model(latents[0], one)
    parts = [Timeline.of(one).part(0, full_frames(one)) for one in latents[:-1]]
    return joined([*parts, Timeline.of(latents[-1])]).latent(latents[0])


def loop(z: Latent, times: int) -> Latent:
    """Play a latent several times; once changes no bit.

    Args:
        z: the latent.
        times: 1 to 1000.

    Raises:
        UsageError: times is out of range, or the result would be longer than 100 hours.

    Example:
        longer = celesta.variations.loop(z, 4)
    """
    return repeat(z, times)


def repeat(z: Latent, times: int, start: float = 0.0, stop: float | None = None) -> Latent:
    """Play a stretch of a latent several times in its place; once changes no bit.

    Args:
        z: the latent.
        times: 1 to 1000.
        start: seconds at which the stretch begins.
        stop: seconds at which it ends; None for the end.

    Raises:
        UsageError: times or the stretch is out of range, or the result would be longer than 100 hours.

    Example:
        stutter = celesta.variations.repeat(z, 4, 10.0, 10.5)
    """
    if times != int(times) or not 1 <= times <= 1000:
        raise UsageError(f"times must be an integer in 1..1000, got {times}")
    if start >= z.duration:
        raise UsageError(f"repeat begins at {start:g} s, and the song ends at {z.duration:.3f} s")
    stop = z.duration if stop is None else stop
    if not 0 <= start < stop:
        raise UsageError(f"repeat plays what is between start and stop again, got {start:g} to {stop:g} s")
    if z.duration + (times - 1) * (stop - start) > _LONGEST:
        raise UsageError("the result would be longer than 100 hours")
    if times == 1:
        return z
    t = Timeline.of(z)
    first, last = _frame(z, t, start), full_frames(z) if stop >= z.duration else _frame(z, t, stop)
    last = max(last, min(first + t.step, t.frames))
    parts = [t.part(0, last), *[t.part(first, last)] * int(times - 1), t.part(last, t.frames)]
    return joined([part for part in parts if part.frames]).latent(z)


def reverse(z: Latent) -> Latent:
    """Play a latent backwards.

    Example:
        backwards = celesta.variations.reverse(z)
    """
    t = Timeline.of(z)
    envelope = None if t.envelope is None else t.envelope[..., ::-1]
    places, values = t.places[..., ::-1], t.values[..., ::-1]
    if z.detail_size:
        check_detail(z.model, z, "reversing")
        # Without the samples that only fill the last frame, so that the song ends where it began.
        x = signal_of(t)[:, : model_samples(z)]
        places, values = detail_of(x[:, ::-1], t.frames, z.detail_size)
    return Timeline(t.base[..., ::-1], places, values, t.gain[..., ::-1], envelope).latent(z, z.n_samples)


def stretch(z: Latent, factor: float) -> Latent:
    """Make a latent longer or shorter and keep its pitch; 1 changes no bit.

    Base and envelope are interpolated; the signal of the detail is stretched.

    Args:
        z: the latent.
        factor: of the duration, 0.25 to 4.

    Raises:
        UsageError: the factor is out of range.

    Example:
        slower = celesta.variations.stretch(z, 1.25)
    """
    if not 0.25 <= factor <= 4:
        raise UsageError(f"stretch takes a factor in 0.25..4, got {factor}")
    if factor == 1:
        return z
    t = Timeline.of(z)
    frames = max(t.step, round(t.frames * factor / t.step) * t.step)
    moved = t.at((np.arange(frames) + 0.5) * t.frames / frames - 0.5)
    places, values = moved.places, moved.values
    if z.detail_size:
        check_detail(z.model, z, "stretching")
        x = stretching.stretch(signal_of(t), z.sample_rate, frames * z.hop_length)
        places, values = detail_of(x, frames, z.detail_size)
    n_samples = min(round(z.n_samples * factor), round(frames * z.hop_length * z.source_rate / z.sample_rate))
    return Timeline(moved.base, places, values, moved.gain, moved.envelope).latent(z, n_samples)


def transpose(z: Latent, semitones: float) -> Latent:
    """Move the pitch of a latent and keep its duration; 0 changes no bit.

    The signal of the detail is transposed, and the bands of an envelope move by the same ratio of frequencies. The base
    stays.

    Args:
        z: the latent.
        semitones: -24 to 24.

    Raises:
        UsageError: semitones is out of range.
        LatentError: the latent has no detail of MDCT coefficients.

    Example:
        higher = celesta.variations.transpose(z, 2)
    """
    if not -24 <= semitones <= 24:
        raise UsageError(f"transpose takes -24 to 24 semitones, got {semitones}")
    if semitones == 0:
        return z
    check_detail(z.model, z, "transposing")
    t = Timeline.of(z)
    x = stretching.stretch(signal_of(t), z.sample_rate, t.frames * z.hop_length, semitones)
    places, values = detail_of(x, t.frames, z.detail_size)
    envelope = None if t.envelope is None else _moved_bands(t.envelope, 2 ** (semitones / 12))
    return Timeline(t.base, places, values, t.gain, envelope).latent(z, z.n_samples)


def _frame(z: Latent, t: Timeline, seconds: float) -> int:
    """Return the nearest frame that begins a column."""
    frame = seconds * z.sample_rate / z.hop_length / t.step
    return int(min(max(round(frame), 0) * t.step, t.frames))


def _moved_bands(envelope: np.ndarray, ratio: float) -> np.ndarray:
    """Move the bands of an envelope ``(channels, 50, columns)`` by a ratio of frequencies, interpolated in dB."""
    edges = np.asarray(bands.EDGES, float)
    centres = np.log2((edges[:-1] + edges[1:]) / 2)
    position = np.interp(centres - np.log2(ratio), centres, np.arange(len(centres)))
    halves = [
        interpolated(half.transpose(0, 2, 1), position).transpose(0, 2, 1)
        for half in (envelope[:, : bands.BANDS], envelope[:, bands.BANDS :])
    ]
    return np.concatenate(halves, axis=1).astype(np.float32)
