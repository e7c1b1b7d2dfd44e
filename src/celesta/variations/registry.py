"""The table of variations. A new one is a function in this folder and an entry here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celesta._names import suggestion
from celesta.errors import UsageError
from celesta.latents import Latent
from celesta.variations import basic, time
from celesta.variations.sliders import SLIDERS, Slider
from celesta.variations.stream import WindowStream


@dataclass(frozen=True)
class Parameter:
    """A parameter of a variation.

    Attributes:
        name: of the argument of the function, and the key in recipes.
        kind: ``int`` or ``float``.
        help: what it is, in one line.
        default: value where none is given; None: it must be given.
        minimum, maximum: range, both included.
    """

    name: str
    kind: type[int] | type[float]
    help: str
    default: float | None = None
    minimum: float = -math.inf
    maximum: float = math.inf

    @property
    def bounded(self) -> bool:
        """Whether both ends of the range are finite."""
        return math.isfinite(self.minimum) and math.isfinite(self.maximum)

    def checked(self, value: Any) -> float:
        """Return a value of the parameter's type.

        Raises:
            UsageError: it is of another type, not finite, or out of range.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or (self.kind is int and value != int(value)):
            raise UsageError(f"{self.name} must be {'an integer' if self.kind is int else 'a number'}, got {value!r}")
        if not self.minimum <= value <= self.maximum:
            raise UsageError(f"{self.name} must lie in {self.minimum:g}..{self.maximum:g}, got {value:g}")
        return self.kind(value)


@dataclass(frozen=True, repr=False)
class Variation:
    """A change of a latent.

    Attributes:
        name: of the command's option and in recipes.
        summary: what it does, in one line.
        parameters: in the order of the function's arguments; the first is the option's value.
        function: ``function(z, **parameters)`` gives the changed latent, and for the same arguments the same bits.
        stream: the same for a :class:`WindowStream`; None where the whole song is needed, which then is held in memory.
        example: value of the first parameter in the example of the help.
        stretch: names of the parameters that hold begin and length of a stretch of the song, in seconds.
        needs: "frames" that can be moved in time, a "detail" of MDCT coefficients, or "" where any model will do.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    function: Callable[..., Latent]
    stream: Callable[..., WindowStream] | None = None
    example: float = 0.5
    stretch: tuple[str, str] | None = None
    needs: str = ""

    def __repr__(self) -> str:
        return f"Variation({self.name!r}, {', '.join(p.name for p in self.parameters)})"

    def options(self) -> list[tuple[str, Parameter]]:
        """Return the command line's options: ``--NAME`` sets the first parameter, ``--PARAMETER`` each further one."""
        return [(f"--{p.name if i else self.name}", p) for i, p in enumerate(self.parameters)]


def _slider(slider: Slider) -> Variation:
    """Return the entry of a slider."""
    value = Parameter("value", float, f"In {slider.unit}; 0 changes nothing.", None, slider.minimum, slider.maximum)
    return Variation(slider.name, slider.summary, (value,), slider, example=slider.maximum / 4, needs="detail")


def _cropped(z: Latent, start: float, keep: float) -> Latent:
    return time.crop(z, start, start + keep if keep else None)


def _repeated(z: Latent, times: int, at: float, length: float) -> Latent:
    return time.repeat(z, times, at, at + length if length else None)


def _reversed(z: Latent, on: int) -> Latent:
    return time.reverse(z) if on else z


VARIATIONS: dict[str, Variation] = {
    v.name: v
    for v in (
        Variation(
            "gain",
            "Multiply the latent by a factor.",
            (Parameter("factor", float, "1 changes nothing.", minimum=-100, maximum=100),),
            basic.gain,
            basic.gain_stream,
            example=1.5,
        ),
        Variation(
            "noise",
            "Add Gaussian noise, in standard deviations of each latent channel.",
            (
                Parameter("sigma", float, "0 changes nothing.", None, 0, 100),
                Parameter("seed", int, "Of the noise; the same seed gives the same noise.", 0, 0, 2**32 - 1),
            ),
            basic.noise,
            basic.noise_stream,
            example=0.1,
        ),
        Variation(
            "smooth",
            "Average the latent over N neighbouring frames.",
            (Parameter("width", int, "1 changes nothing.", None, 1, 10_000),),
            basic.smooth,
            basic.smooth_stream,
            example=5,
        ),
        Variation(
            "detail",
            "Multiply the sparse detail by a factor; 0 leaves the base alone.",
            (Parameter("factor", float, "1 changes nothing.", minimum=-100, maximum=100),),
            basic.detail,
            basic.detail_stream,
        ),
        *(_slider(slider) for slider in SLIDERS.values()),
        Variation(
            "transpose",
            "Move the pitch and keep the duration.",
            (Parameter("semitones", float, "In semitones; 0 changes nothing.", None, -24, 24),),
            time.transpose,
            example=2,
            needs="detail",
        ),
        Variation(
            "stretch",
            "Change the duration and keep the pitch.",
            (Parameter("factor", float, "1 changes nothing.", None, 0.25, 4),),
            time.stretch,
            example=1.25,
            needs="frames",
        ),
        Variation(
            "crop",
            "Keep a stretch of the song.",
            (
                Parameter("start", float, "Seconds at which it begins.", None, 0, 360_000),
                Parameter("keep", float, "Seconds to keep; 0 for all.", 0, 0, 360_000),
            ),
            _cropped,
            stretch=("start", "keep"),
            needs="frames",
        ),
        Variation(
            "reverse",
            "Play the song backwards.",
            (Parameter("on", int, "1 for backwards, 0 changes nothing.", 1, 0, 1),),
            _reversed,
            needs="frames",
        ),
        Variation(
            "loop",
            "Play the song several times.",
            (Parameter("times", int, "1 changes nothing.", None, 1, 1000),),
            time.loop,
            example=4,
            needs="frames",
        ),
        Variation(
            "repeat",
            "Play a stretch of the song several times in its place.",
            (
                Parameter("times", int, "1 changes nothing.", None, 1, 1000),
                Parameter("at", float, "Seconds at which the stretch begins.", 0, 0, 360_000),
                Parameter("length", float, "Seconds of the stretch; 0 for all that follows.", 0, 0, 360_000),
            ),
            _repeated,
            example=4,
            stretch=("at", "length"),
            needs="frames",
        ),
    )
}
"""Name to variation, in the order in which the command line applies them."""


class Step:
    """A variation with its settings, as one step of a chain.

    Args:
        name: of the variation, see :data:`VARIATIONS`.
        *values: of its parameters, in order.
        **settings: of its parameters, by name.

    Attributes:
        variation: entry of the table.
        settings: name of each parameter to its value.

    Raises:
        UsageError: the variation, a parameter or a value is unknown or out of range.

    Example:
        >>> str(Step("noise", 0.1, seed=7))
        'noise 0.1 (seed 7)'
        >>> Step("noise", sigma=0.1).settings
        {'sigma': 0.1, 'seed': 0}
    """

    def __init__(self, name: str, *values: float, **settings: float) -> None:
        if name not in VARIATIONS:
            raise UsageError(f"unknown variation {name!r}; {suggestion(name, VARIATIONS)}")
        self.variation = VARIATIONS[name]
        self.settings = _settings(self.variation, values, settings)

    @property
    def name(self) -> str:
        """Name of the variation."""
        return self.variation.name

    def __str__(self) -> str:
        first, *rest = self.settings.items()
        more = f" ({', '.join(f'{name} {value:g}' for name, value in rest)})" if rest else ""
        return f"{self.name} {first[1]:g}{more}"

    def __repr__(self) -> str:
        return f"Step({self.name!r}, {', '.join(f'{name}={value:g}' for name, value in self.settings.items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and (self.name, self.settings) == (other.name, other.settings)

    def __hash__(self) -> int:
        return hash((self.name, *self.settings.items()))


def apply(z: Latent, steps: Sequence[Step]) -> Latent:
    """Apply variations one after the other.

    Example:
        >>> import celesta, numpy as np
        >>> z = celesta.load("linear-8").encode(np.ones(30_000, np.float32), sample_rate=22_050)
        >>> changed = apply(z, [Step("gain", 0.5), Step("smooth", 3)])
        >>> changed.base.shape == z.base.shape
        True
    """
    for step in steps:
        z = step.variation.function(z, **step.settings)
    return z


def apply_stream(stream: WindowStream, steps: Sequence[Step]) -> WindowStream:
    """Apply variations window by window; the windows are those of :func:`apply`, bit for bit.

    Raises:
        UsageError: a variation needs the whole song.
    """
    for step in steps:
        if step.variation.stream is None:
            raise UsageError(f"{step.name} needs the whole latent in memory; use apply()")
        stream = step.variation.stream(stream, **step.settings)
    return stream


def _settings(variation: Variation, values: Sequence[float], settings: Mapping[str, float]) -> dict[str, float]:
    """Check settings and fill in the defaults, in the order of the parameters."""
    names = [p.name for p in variation.parameters]
    if len(values) > len(names):
        raise UsageError(f"{variation.name} takes {', '.join(names)}, got {len(values)} values")
    given = dict(zip(names, values, strict=False))
    for name in settings:
        if name not in names:
            raise UsageError(f"{variation.name} has no parameter {name!r}; it takes {', '.join(names)}")
        if name in given:
            raise UsageError(f"{variation.name}: {name} is given twice")
    given |= settings
    made = {}
    for p in variation.parameters:
        value = given.get(p.name, p.default)
        if value is None:
            raise UsageError(f"{variation.name} needs {p.name}: {p.help}")
        made[p.name] = p.checked(value)
    return made
