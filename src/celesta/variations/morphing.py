"""Morph two songs, and give one song the statistics of another; all parts of their latents together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np

from celesta.dsp import band_envelope as bands
from celesta.errors import UsageError
from celesta.latents import Latent
from celesta.variations.coefficients import COEFFICIENTS, band_levels, dense, sparse, with_gain
from celesta.variations.timeline import Timeline, check_same_model, full_frames, with_equal_bases

Fit = Literal["loop", "stretch", "cut"]
FITS = ("loop", "stretch", "cut")
Path = Literal["linear", "spherical"]
PATHS = ("linear", "spherical")
_CHUNK = 432


def morph(
    a: Latent,
    b: Latent,
    mix: float | Sequence[float] | np.ndarray,
    *,
    fit: str = "cut",
    path: str = "linear",
    beats: tuple[np.ndarray, np.ndarray] | None = None,
) -> Latent:
    """Morph two latents of one model, of any lengths.

    The base is interpolated, a band envelope is interpolated in dB, and of the details each song gives its most
    important coefficients: at mix 0.25 three quarters of the first song's and a quarter of the second one's.

    Args:
        a: the result for mix 0, bit for bit.
        b: the result for mix 1, bit for bit.
        mix: 0 to 1, or a curve over the time of the result: numbers at equal distances from beginning to end.
        fit: what to do where the lengths differ: ``cut`` the longer one, ``loop`` the shorter one, or ``stretch`` its
            frames.
        path: ``linear``, or ``spherical`` for the base: its length is interpolated too.
        beats: seconds of the beats of both songs, to move the second one's frames so that its beats lie on the first
            one's (:attr:`SongAnalysis.beats` over its sample rate); None to leave them.

    Raises:
        UsageError: mix lies outside 0..1, or an option is unknown.
        LatentError: the latents are of different models or channels.

    Example:
        between = celesta.morph(z, other, 0.5)
        over = celesta.morph(z, other, [0, 0, 1, 1], fit="loop")
    """
    curve = checked_curve(mix, fit, path)
    check_same_model(a, b)
    if (curve == 0).all():
        return a
    if (curve == 1).all():
        return b
    if not a.continuous and a.base.shape == b.base.shape and np.array_equal(a.places, b.places) and curve.size == 1:
        return _linear(a, b, float(curve[0]))
    first, second = with_equal_bases(Timeline.of(a), Timeline.of(b))
    if fit == "loop" and first.frames < second.frames:
        first = first.part(0, full_frames(a))
    elif fit == "loop":
        second = second.part(0, full_frames(b))
    if beats is not None:
        second = second.at(_onto_beats(first, second, beats, a.sample_rate / a.hop_length))
    first, second = _fitted(first, second, cast(Fit, fit))
    at = np.interp(np.linspace(0, 1, first.frames), np.linspace(0, 1, curve.size), curve).astype(np.float32)
    made = _mixed(first, second, at, cast(Path, path))
    samples = {"cut": min(a.n_samples, b.n_samples)}.get(fit, max(a.n_samples, b.n_samples))
    return made.latent(a, min(samples, round(first.frames * a.hop_length * a.source_rate / a.sample_rate)))


def checked_curve(mix: float | Sequence[float] | np.ndarray, fit: str, path: str) -> np.ndarray:
    """Check the options of :func:`morph`, and return the curve of its mix ``(n,)``.

    Raises:
        UsageError: mix lies outside 0..1, or an option is unknown.
    """
    curve = np.atleast_1d(np.asarray(mix, np.float64))
    if curve.ndim != 1 or not curve.size or not ((curve >= 0) & (curve <= 1)).all():
        raise UsageError(f"mix must lie in 0..1, got {mix}")
    for name, value, known in (("fit", fit, FITS), ("path", path, PATHS)):
        if value not in known:
            raise UsageError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return curve


def style(z: Latent, other: Latent, strength: float) -> Latent:
    """Give a latent the statistics of another one: level and spread of each band over time, and those of the base.

    Args:
        z: whose song it stays.
        other: of the same model; any length.
        strength: 0 (changes no bit) to 1.

    Raises:
        UsageError: strength lies outside 0..1.
        LatentError: the latents are of different models or channels.

    Example:
        like_other = celesta.variations.style(z, other, 0.7)
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"strength must lie in 0..1, got {strength}")
    check_same_model(z, other)
    if strength == 0:
        return z
    t, o = with_equal_bases(Timeline.of(z), Timeline.of(other))
    made = t
    if t.values.shape[1] and z.hop_length == COEFFICIENTS:
        ours, theirs = _levels(t), _levels(o)
        moved = _matched_bands(ours, theirs)
        made = with_gain(t, np.float32(strength) * np.clip(moved - ours, -30, 30))
    if t.base.shape[1]:
        base = _matched_base(t.base, o.base)
        made = Timeline(
            t.base + np.float32(strength) * (base - t.base), made.places, made.values, made.gain, made.envelope
        )
    return made.latent(z, z.n_samples)


def _linear(a: Latent, b: Latent, mix: float) -> Latent:
    """Mix two latents of one shape whose windows overlap, gains too."""
    mixed = a * (1 - mix) + b * mix
    return mixed.replace(gain=(a.gain * np.float32(1 - mix) + b.gain * np.float32(mix)).astype(np.float32))


def _fitted(a: Timeline, b: Timeline, fit: Fit) -> tuple[Timeline, Timeline]:
    """Bring two timelines to one length."""
    if fit == "cut":
        n = min(a.frames, b.frames)
        return a.part(0, n), b.part(0, n)
    n = max(a.frames, b.frames)

    def longer(t: Timeline) -> Timeline:
        if t.frames == n:
            return t
        if fit == "loop":
            return t.at(np.arange(n) % t.frames * 1.0)
        return t.at((np.arange(n) + 0.5) * t.frames / n - 0.5)

    return longer(a), longer(b)


def _onto_beats(a: Timeline, b: Timeline, beats: tuple[np.ndarray, np.ndarray], frame_rate: float) -> np.ndarray:
    """Return for each frame the place in the second song that is at the same place between two beats."""
    ours, theirs = (np.asarray(x, float) * frame_rate for x in beats)
    if len(ours) < 2 or len(theirs) < 2:
        raise UsageError("beats of both songs are needed, at least two each")
    count = min(len(ours), len(theirs))
    last = theirs[count - 1]
    slope = np.median(np.diff(theirs)) / np.median(np.diff(ours))
    frames = int(ours[count - 1] + (b.frames - last) / slope) // a.step * a.step
    at = np.arange(max(a.step, frames), dtype=float)
    inside = np.interp(at, ours[:count], theirs[:count])
    before = theirs[0] + (at - ours[0]) * slope
    behind = last + (at - ours[count - 1]) * slope
    found: np.ndarray = np.where(at < ours[0], before, np.where(at > ours[count - 1], behind, inside))
    return found


def _mixed(a: Timeline, b: Timeline, mix: np.ndarray, path: Path) -> Timeline:
    """Mix two timelines of one length by a curve ``(F,)``."""
    base = a.base * (1 - mix) + b.base * mix
    if path == "spherical" and base.shape[1]:
        lengths = [np.linalg.norm(x, axis=1, keepdims=True) for x in (a.base, b.base, base)]
        base = base * ((lengths[0] * (1 - mix) + lengths[1] * mix) / np.maximum(lengths[2], 1e-9))
    envelope = None
    if a.envelope is not None and b.envelope is not None:
        columns = mix.reshape(-1, a.step).mean(axis=1)
        envelope = (a.envelope * (1 - columns) + b.envelope * columns).astype(np.float32)
    places, values = _mixed_details(a, b, mix)
    gain = a.gain * (1 - mix) + b.gain * mix
    return Timeline(base.astype(np.float32), places, values, gain.astype(np.float32), envelope)


def _mixed_details(a: Timeline, b: Timeline, mix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-fade the thresholds of two details: each gives its most important coefficients, at equal power."""
    k = max(a.values.shape[1], b.values.shape[1])
    if not k:
        return a.places, a.values
    same = a.places.shape == b.places.shape and np.array_equal(a.places, b.places)
    if same and a.values.shape[1] < 8:  # a few coefficients at fixed places are not a sparse choice
        return a.places, a.values * (1 - mix) + b.values * mix
    parts = []
    for first in range(0, a.frames, _CHUNK):
        where = slice(first, min(first + _CHUNK, a.frames))
        total = np.zeros((len(a.base), COEFFICIENTS, where.stop - where.start), np.float32)
        for t, share in ((a, 1 - mix[where]), (b, mix[where])):
            c = dense(t.places[..., where], t.values[..., where])
            limit = max(1, round(t.values.shape[1]))
            kept_places, kept = sparse(c, limit)
            order = np.argsort(np.argsort(-np.abs(kept), axis=1), axis=1)  # 0 is the largest
            there = order < np.round(share * limit)
            amount = np.sqrt(share) if not same else share
            total = total + dense(kept_places, kept * there * amount)
        parts.append(sparse(total, k))
    return np.concatenate([p for p, _ in parts], axis=-1), np.concatenate([v for _, v in parts], axis=-1)


def _levels(t: Timeline) -> np.ndarray:
    """Return the level of each band ``(channels, 25, columns)`` dB: of the envelope, where there is one."""
    if t.envelope is not None:
        return t.envelope[:, : bands.BANDS]
    return band_levels(t)


def _matched_bands(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Give each band the mean and the standard deviation over time that another song's has, in dB; silence stays."""
    here = ours > bands.FLOOR_DB + 1
    there = theirs > bands.FLOOR_DB + 1
    means, deviations = [], []
    for x, inside in ((ours, here), (theirs, there)):
        count = np.maximum(inside.sum(axis=-1, keepdims=True), 1)
        mean = np.sum(x * inside, axis=-1, keepdims=True) / count
        means.append(mean)
        deviations.append(np.sqrt(np.sum(inside * (x - mean) ** 2, axis=-1, keepdims=True) / count))
    spread = np.clip(deviations[1] / np.maximum(deviations[0], 0.5), 0.25, 4)
    known = there.any(axis=-1, keepdims=True)
    moved: np.ndarray = np.where(here & known, (ours - means[0]) * spread + means[1], ours)
    return moved


def _matched_base(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Give the base ``(channels, d, F)`` the mean and the covariance of another one (whitening and colouring)."""
    out = np.empty_like(ours)
    for channel in range(len(ours)):
        x, y = ours[channel].astype(np.float64), theirs[channel].astype(np.float64)
        whiten, colour = (
            _root(np.cov(one) if one.shape[1] > 1 else np.eye(len(one)), power) for one, power in ((x, -0.5), (y, 0.5))
        )
        out[channel] = colour @ whiten @ (x - x.mean(axis=1, keepdims=True)) + y.mean(axis=1, keepdims=True)
    return out


def _root(covariance: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    limited = np.maximum(values, 1e-3 * max(float(values.max()), 1e-9))
    made: np.ndarray = (vectors * limited**power) @ vectors.T
    return made
