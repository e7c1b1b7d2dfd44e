"""`celesta vary NAME`: each variation of the table as a verb of its own, and `celesta vary concat`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta.cli.checks import check_model, check_needs, check_songs, model_of
from celesta.cli.options import Force, Json, Kbps, SourceModel
from celesta.cli.progress import working
from celesta.cli.variation_options import METAVARS
from celesta.cli.versions import (
    AnySong,
    AudioOrCel,
    From,
    To,
    check_bitrate,
    check_ends,
    check_stretch,
    latent_of,
    latents_of,
    result_file,
    save_result,
    say_result,
    stretch_name,
)
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.variations import Parameter, Step, Variation

_HELP = """{summary}

{stretch} The latent is held in memory, about {memory} MB a minute of stereo. The side file of
the result is a recipe: `celesta transform --recipe song.{name}.flac.json` does the same to other songs.

Example: `celesta vary {name} song.mp3{options}`"""
_WHOLE = "--from and --to take a stretch of the song first."
_MEMORY = {"transpose": 150, "stretch": 150, "reverse": 150}  # MB a minute, where the signal of the detail is needed
_PLACE = {"crop": "--from and --to say what is kept.", "repeat": "--from and --to say what is played again."}


def verbs() -> dict[str, Callable[..., None]]:
    """Return a verb for each entry of the table of variations, by its name."""
    from celesta.variations.registry import VARIATIONS

    return {variation.name: _verb(variation) for variation in VARIATIONS.values()}


def concat(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SONG", help="Audio files, or .cel files, in order.", show_default=False),
    ],
    output: AudioOrCel = None,
    kbps: Kbps = None,
    model: SourceModel = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Put the latents of songs one after the other.

    The latents are held in memory, about 5 MB a minute of stereo. The result has the sample rate of the first song.

    Example: `celesta vary concat verse.wav chorus.wav verse.wav -o song.flac`
    """
    first = sources[0]
    target = result_file(output or first.with_name(f"{first.stem}.concat.flac"), force, cel=True)
    check_songs(*sources)
    model = model_of(sources, model)
    check_model(model)
    check_needs(model, frames=True)
    with working("vary concat", f"loading {model}") as meter:
        from celesta import codec as codecs
        from celesta.variations.time import concat as join

        codec = codecs.load(model)
        z = join(*latents_of(codec, sources, meter.doing))
        meter.doing("decoding")
        facts = save_result(codec, z, target, "concat", sources, {}, kbps)
    say_result(sources, facts, as_json)


def _verb(variation: Variation) -> Callable[..., None]:
    """Return the verb of a variation: its options are the parameters."""

    def vary(
        source: AnySong,
        *,
        start: From = None,
        stop: To = None,
        output: AudioOrCel = None,
        kbps: Kbps = None,
        model: SourceModel = None,
        force: Force = False,
        as_json: Json = False,
        **settings: Any,
    ) -> None:
        steps = _steps(variation, settings, start, stop)
        check_ends(source, start, stop)
        default = source.with_name(f"{source.stem}.{variation.name}{stretch_name(start, stop)}.flac")
        _run(variation.name, source, steps, output or default, kbps, model, force=force, as_json=as_json)

    own = _own_parameters(variation)
    kept = [p for p in inspect.signature(vary, eval_str=True).parameters.values() if p.name != "settings"]
    options = [kept[0], *(_option(p) for p in own), *kept[1:]]
    vary.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    vary.__annotations__ = {p.name: p.annotation for p in options}
    example = "".join(f" --{p.name} {variation.example:g}" for p in own[:1])
    if variation.stretch:
        example += " --from 0:30 --to 0:34"
    stretch = _PLACE.get(variation.name, _WHOLE)
    vary.__doc__ = _HELP.format(
        summary=variation.summary,
        name=variation.name,
        options=example,
        stretch=stretch,
        memory=_MEMORY.get(variation.name, 5),
    )
    return vary


def _own_parameters(variation: Variation) -> list[Parameter]:
    """Return the parameters that are options of the verb; a switch is on, and a stretch is --from and --to."""
    switch = [p.name for p in variation.parameters[:1] if p.default is not None]
    hidden = {*switch, *(variation.stretch or ())}
    return [p for p in variation.parameters if p.name not in hidden]


def _option(p: Parameter) -> inspect.Parameter:
    """Return a parameter of a variation as an option."""
    limits: dict[str, Any] = {"min": p.kind(p.minimum), "max": p.kind(p.maximum)} if p.bounded else {}
    made = typer.Option(
        f"--{p.name}", metavar=METAVARS[p.kind], help=p.help, show_default=p.default is not None, **limits
    )
    default = inspect.Parameter.empty if p.default is None else p.kind(p.default)
    return inspect.Parameter(
        p.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[p.kind, made]
    )


def _steps(variation: Variation, settings: Mapping[str, float], start: float | None, stop: float | None) -> list[Step]:
    """Return the variation, with the stretch that it works on, as a chain."""
    from celesta.variations.registry import Step

    check_stretch(start, stop)
    if variation.name == "crop" and start is None and stop is None:
        raise UsageError("give --from TIME, --to TIME or both: what is kept of the song")
    begin = start or 0.0
    stretch = (begin, stop - begin if stop is not None else 0.0)
    if variation.stretch:
        return [Step(variation.name, **settings, **dict(zip(variation.stretch, stretch, strict=True)))]
    whole = start is None and stop is None
    return [*([] if whole else [Step("crop", *stretch)]), Step(variation.name, **settings)]


def _run(
    name: str,
    source: Path,
    steps: list[Step],
    output: Path,
    kbps: float | None,
    model: str | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Encode a song, apply a chain, and write the result."""
    target = result_file(output, force, cel=True)
    check_songs(source)
    model = model_of([source], model)
    check_model(model)
    check_needs(model, steps)
    check_bitrate(target, kbps)
    with working(f"vary {name}", f"loading {model}") as meter:
        from celesta import codec as codecs
        from celesta.variations.recipes import describe
        from celesta.variations.registry import apply

        codec = codecs.load(model)
        meter.doing(f"encoding {source.name}")
        z = apply(latent_of(codec, source), steps)
        meter.doing("decoding")
        facts = save_result(codec, z, target, name, [source], {"step": describe(steps)}, kbps)
    say_result([source], facts, as_json)
