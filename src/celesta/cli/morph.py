"""`celesta morph` and `celesta style`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta.cli import console
from celesta.cli.checks import check_model, check_songs, model_of
from celesta.cli.options import Force, Json, Kbps, SourceModel
from celesta.cli.progress import working
from celesta.cli.versions import (
    AnySong,
    AudioOrCel,
    From,
    OtherSong,
    To,
    check_ends,
    check_stretch,
    latents_of,
    result_file,
    save_result,
    say_result,
    stretch_name,
)
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.latents import Latent


def morph(
    first: AnySong,
    second: OtherSong,
    mix: Annotated[
        str, typer.Option(metavar="M", help="0 (the song) to 1 (the other one), or a curve over time: 0,0.5,1.")
    ] = "0.5",
    fit: Annotated[
        str, typer.Option(metavar="NAME", help="Where lengths differ: cut the longer, loop or stretch the shorter.")
    ] = "cut",
    path: Annotated[str, typer.Option(metavar="NAME", help="Mix the base on a linear or spherical path.")] = "linear",
    beats: Annotated[bool, typer.Option("--beats", help="Move the other song's beats onto the song's.")] = False,
    start: From = None,
    stop: To = None,
    output: AudioOrCel = None,
    kbps: Kbps = None,
    model: SourceModel = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Morph a song into another one, by their latents; lengths may differ.

    With --from and --to, a stretch of the song is used. Both latents are held in memory, about 10 MB a
    minute of stereo.

    Example: `celesta morph song.mp3 other.mp3 --mix 0.5 -o between.flac`

    Example: `celesta morph song.mp3 other.mp3 --mix 0,0,1,1 --fit loop --beats`
    """
    try:
        curve = [float(part) for part in mix.split(",")]
    except ValueError:
        raise UsageError(f"--mix {mix}: give a number from 0 to 1, or several, such as 0,0.5,1") from None
    from celesta.variations.morphing import checked_curve

    checked_curve(curve, fit, path)
    settings = {"mix": curve, "fit": fit, "path": path, "beats": beats}

    def change(z: Latent, other: Latent) -> Latent:
        from celesta.variations.analysis import analyse
        from celesta.variations.morphing import morph as make

        places = None
        if beats:
            found = [analyse(source) for source in (first, second)]
            if all(one.clear for one in found):
                ours, theirs = (one.beats / one.sample_rate for one in found)
                ours = ours - (start or 0.0)
                places = (ours[ours >= 0], theirs)
            else:
                console.note("a song has no clear beat; beats are left where they are")
        return make(z, other, curve[0] if len(curve) == 1 else curve, fit=fit, path=path, beats=places)

    _two("morph", first, second, (start, stop), output, kbps, model, settings, change, force=force, as_json=as_json)


def style(
    first: AnySong,
    second: OtherSong,
    strength: Annotated[float, typer.Option(min=0, max=1, metavar="S", help="0 changes nothing.")] = 0.7,
    start: From = None,
    stop: To = None,
    output: AudioOrCel = None,
    kbps: Kbps = None,
    model: SourceModel = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Give a song the spectrum and the dynamics of another one, band by band.

    With --from and --to, a stretch of the song is used. Both latents are held in memory, about 10 MB a
    minute of stereo.

    Example: `celesta style song.mp3 other.mp3 --strength 0.7 -o like-other.flac`
    """

    def change(z: Latent, other: Latent) -> Latent:
        from celesta.variations.morphing import style as make

        return make(z, other, strength)

    _two(
        "style",
        first,
        second,
        (start, stop),
        output,
        kbps,
        model,
        {"strength": strength},
        change,
        force=force,
        as_json=as_json,
    )


def _two(
    name: str,
    first: Path,
    second: Path,
    stretch: tuple[float | None, float | None],
    output: Path | None,
    kbps: float | None,
    model: str | None,
    settings: Mapping[str, Any],
    change: Callable[[Latent, Latent], Latent],
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Encode two songs, change the first one's latent, decode it and write what was done next to it."""
    check_stretch(*stretch)
    check_songs(first, second)
    check_ends(first, *stretch)
    default = first.with_name(f"{first.stem}.{name}.{second.stem}{stretch_name(*stretch)}.flac")
    target = result_file(output or default, force, cel=True)
    start, stop = stretch
    model = model_of([first, second], model)
    check_model(model)
    with working(name, f"loading {model}") as meter:
        from celesta import codec as codecs

        codec = codecs.load(model)
        z, other = latents_of(codec, (first, second), meter.doing)
        meter.doing("decoding")
        about = {**settings, "from": start, "to": stop}
        facts = save_result(codec, change(_part(z, start, stop), other), target, name, [first, second], about, kbps)
    say_result([first, second], facts, as_json)


def _part(z: Latent, start: float | None, stop: float | None) -> Latent:
    """Return a stretch of a latent, or all of it."""
    from celesta.variations.time import crop

    return z if start is None and stop is None else crop(z, start or 0.0, stop)
