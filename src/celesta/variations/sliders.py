"""Sliders: edits of a latent with a plain meaning and a measured, monotone effect.

Each acts on detail and band envelope together, whichever the model has; the base, which is a sketch, stays. The card of
a slider says what one unit does: it is measured on songs that nothing was tuned on (`make bench-variations`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from celesta.dsp import band_envelope as bands
from celesta.errors import UsageError
from celesta.latents import Latent
from celesta.variations.coefficients import band_levels, dense, sparse, with_gain
from celesta.variations.needs import check_detail
from celesta.variations.timeline import Timeline

_RATE = 44_100
_CENTRES = (np.asarray(bands.EDGES[:-1]) + np.asarray(bands.EDGES[1:])) / 2 * _RATE / 2 / bands.EDGES[-1]
_OCTAVES = np.log2(np.maximum(_CENTRES, 40) / 1000)
_SMOOTH = 9  # columns (93 ms each) over which the level of a band is averaged
_CHUNK = 432


@dataclass(frozen=True, repr=False)
class Slider:
    """A slider.

    Attributes:
        name: of the option and in recipes.
        summary: what it does, in one line.
        unit: of the setting.
        minimum, maximum: range; 0 changes no bit.
        function: ``function(z, value)``.
        effect: name of the measure that it moves.
    """

    name: str
    summary: str
    unit: str
    minimum: float
    maximum: float
    function: Callable[[Latent, float], Latent]
    effect: str

    def __repr__(self) -> str:
        return f"Slider({self.name!r}, {self.minimum:g} to {self.maximum:g} {self.unit})"

    @property
    def cards(self) -> dict[str, dict[str, Any]]:
        """What was measured, by model: slope, rank correlation, effect on other measures, songs."""
        return {model: cards[self.name] for model, cards in _cards().items() if self.name in cards}

    def __call__(self, z: Latent, value: float) -> Latent:
        """Apply the slider.

        Raises:
            UsageError: the value is out of range.
            LatentError: the latent has no detail of MDCT coefficients.
        """
        if not self.minimum <= value <= self.maximum:
            raise UsageError(f"{self.name} must lie in {self.minimum:g}..{self.maximum:g} {self.unit}, got {value:g}")
        return z if value == 0 else self.function(z, value)


def loudness(z: Latent, db: float) -> Latent:
    """Make a latent louder by so many dB.

    Example:
        louder = celesta.variations.loudness(z, 6)
    """
    return _by_bands(z, np.full(bands.BANDS, db), "loudness")


def brightness(z: Latent, db: float) -> Latent:
    """Tilt the spectrum by so many dB an octave about 1 kHz; above 0 is brighter.

    Example:
        brighter = celesta.variations.brightness(z, 2)
    """
    return _by_bands(z, db * _OCTAVES, "brightness")


def low_end(z: Latent, db: float) -> Latent:
    """Raise what is below 150 Hz by so many dB, half as much at 150 Hz.

    Example:
        more_bass = celesta.variations.low_end(z, 6)
    """
    return _by_bands(z, db / (1 + (np.maximum(_CENTRES, 20) / 150) ** 4), "low end")


def noisiness(z: Latent, amount: float) -> Latent:
    """Flatten the spectrum within bands (above 0: noisier) or sharpen it (below 0: more tonal); bands keep their power.

    Example:
        rougher = celesta.variations.noisiness(z, 0.5)
    """
    check_detail(z.model, z, "noisiness")
    t = Timeline.of(z)
    power = np.float32(2.0**-amount)
    size = np.abs(t.values)
    changed = np.sign(t.values) * np.where(size > 0, np.maximum(size, 1e-12) ** power, 0)
    bent = Timeline(t.base, t.places, changed.astype(np.float32), t.gain, None)
    levelled = with_gain(bent, band_levels(t) - band_levels(bent))
    envelope = t.envelope
    if envelope is not None:  # what is left out is noise: more of it
        rest = envelope[:, bands.BANDS :]
        moved = np.where(rest <= bands.FLOOR_DB, rest, np.maximum(rest + 6 * np.float32(amount), bands.FLOOR_DB))
        envelope = np.concatenate([envelope[:, : bands.BANDS], moved], axis=1).astype(np.float32)
    return Timeline(t.base, t.places, levelled.values, t.gain, envelope).latent(z, z.n_samples)


def attack(z: Latent, amount: float) -> Latent:
    """Make what rises quickly louder against what stays (above 0: more attack) or softer (below 0: smoother).

    The level of each band is moved away from, or towards, its mean over 0.8 s.

    Example:
        punchier = celesta.variations.attack(z, 0.5)
    """
    check_detail(z.model, z, "attack")
    t = Timeline.of(z)
    levels = t.envelope[:, : bands.BANDS] if t.envelope is not None else band_levels(t)
    floor = np.maximum(levels, levels.max(axis=-1, keepdims=True) - 50)
    kernel = np.hanning(_SMOOTH + 2)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(floor, ((0, 0), (0, 0), (_SMOOTH // 2, _SMOOTH // 2)), mode="edge")
    mean = np.apply_along_axis(lambda row: np.convolve(row, kernel, "valid"), 2, padded)
    gain = np.clip(amount * (floor - mean), -18, 18)
    loud = 10 ** (floor / 10)
    # The song keeps its loudness.
    change = 10 * np.log10(np.sum(loud * 10 ** (gain / 10)) / max(float(np.sum(loud)), 1e-12))
    return with_gain(t, gain - change).latent(z, z.n_samples)


def width(z: Latent, db: float) -> Latent:
    """Make the difference of left and right louder by so many dB; mono songs stay as they are.

    Example:
        wider = celesta.variations.width(z, 4)
    """
    check_detail(z.model, z, "width")
    if z.channels != 2:
        return z
    t = Timeline.of(z)
    if z.mid_side:
        return with_gain(t, np.stack([np.zeros(bands.BANDS), np.full(bands.BANDS, db)])[..., None]).latent(
            z, z.n_samples
        )
    factor = np.float32(10 ** (db / 20))
    parts = []
    for first in range(0, t.frames, _CHUNK):
        where = slice(first, first + _CHUNK)
        left, right = dense(t.places[..., where], t.values[..., where])
        mid, side = (left + right) / 2, (left - right) / 2 * factor
        parts.append(sparse(np.stack([mid + side, mid - side]), min(2 * z.detail_size, left.shape[0])))
    places, values = (np.concatenate(both, axis=-1) for both in zip(*parts, strict=True))
    return Timeline(t.base, places, values, t.gain, t.envelope).latent(z, z.n_samples)


def _by_bands(z: Latent, gain_db: np.ndarray, what: str) -> Latent:
    check_detail(z.model, z, what)
    gain = np.broadcast_to(gain_db[None, :, None], (z.channels, bands.BANDS, 1)).astype(np.float32)
    return with_gain(Timeline.of(z), gain).latent(z, z.n_samples)


SLIDERS: dict[str, Slider] = {
    s.name: s
    for s in (
        Slider("loudness", "Make the song louder.", "dB", -12, 12, loudness, "loudness LUFS"),
        Slider("brightness", "Tilt the spectrum about 1 kHz.", "dB an octave", -4, 4, brightness, "centroid octaves"),
        Slider("low-end", "Raise what is below 150 Hz.", "dB", -12, 12, low_end, "low end dB"),
        Slider(
            "noisiness",
            "Flatten the spectrum within bands.",
            "octaves",
            -1,
            1,
            noisiness,
            "flatness dB",
        ),
        Slider("attack", "Make attacks stand out.", "share of the level's change", -0.8, 0.8, attack, "attack dB"),
        Slider("width", "Make left and right more different.", "dB", -12, 12, width, "side dB"),
    )
}
"""Name to slider."""


def sliders() -> list[Slider]:
    """List the sliders with their cards.

    Example:
        >>> [s.name for s in sliders()][:3]
        ['loudness', 'brightness', 'low-end']
    """
    return list(SLIDERS.values())


@cache
def _cards() -> dict[str, Any]:
    file = files("celesta.variations") / "slider-cards.json"
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
