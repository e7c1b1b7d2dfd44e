"""`celesta morph` and `celesta style`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta.cli import console
from celesta.cli.files import free, ready_folder
from celesta.cli.options import DEFAULT_MODEL, Force, Json, ModelName
from celesta.cli.progress import working
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.codec import Codec
    from celesta.latents import Latent

First = Annotated[
    Path, typer.Argument(metavar="SONG", help="An audio file, or a .cel file of the model.", show_default=False)
]
Second = Annotated[Path, typer.Argument(metavar="OTHER", help="The other song.", show_default=False)]
Target = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="The audio file.", show_default=False)
]


def morph(
    first: First,
    second: Second,
    mix: Annotated[
        str, typer.Option(metavar="M", help="0 (the song) to 1 (the other one), or a curve over time: 0,0.5,1.")
    ] = "0.5",
    fit: Annotated[
        str, typer.Option(metavar="NAME", help="Where lengths differ: cut the longer, loop or stretch the shorter.")
    ] = "cut",
    path: Annotated[str, typer.Option(metavar="NAME", help="Mix the base on a linear or spherical path.")] = "linear",
    beats: Annotated[bool, typer.Option("--beats", help="Move the other song's beats onto the song's.")] = False,
    output: Target = None,
    model: ModelName = DEFAULT_MODEL,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Morph a song into another one, by their latents; lengths may differ.

    Example: `celesta morph song.mp3 other.mp3 --mix 0.5 -o between.flac`

    Example: `celesta morph song.mp3 other.mp3 --mix 0,0,1,1 --fit loop --beats`
    """
    try:
        curve = [float(part) for part in mix.split(",")]
    except ValueError:
        raise UsageError(f"--mix {mix}: give a number from 0 to 1, or several, such as 0,0.5,1") from None
    settings = {"mix": curve, "fit": fit, "path": path, "beats": beats}

    def change(z: Latent, other: Latent) -> Latent:
        from celesta.variations.analysis import analyse
        from celesta.variations.morphing import morph as make

        places = None
        if beats:
            found = [analyse(source) for source in (first, second)]
            if all(one.clear for one in found):
                places = (found[0].beats / found[0].sample_rate, found[1].beats / found[1].sample_rate)
            else:
                console.note("a song has no clear beat; beats are left where they are")
        return make(z, other, curve[0] if len(curve) == 1 else curve, fit=fit, path=path, beats=places)

    _two("morph", first, second, output, model, settings, change, force=force, as_json=as_json)


def style(
    first: First,
    second: Second,
    strength: Annotated[float, typer.Option(min=0, max=1, metavar="S", help="0 changes nothing.")] = 0.7,
    output: Target = None,
    model: ModelName = DEFAULT_MODEL,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Give a song the spectrum and the dynamics of another one, band by band.

    Example: `celesta style song.mp3 other.mp3 --strength 0.7 -o like-other.flac`
    """

    def change(z: Latent, other: Latent) -> Latent:
        from celesta.variations.morphing import style as make

        return make(z, other, strength)

    _two("style", first, second, output, model, {"strength": strength}, change, force=force, as_json=as_json)


def _two(
    name: str,
    first: Path,
    second: Path,
    output: Path | None,
    model: str,
    settings: Mapping[str, Any],
    change: Any,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Encode two songs, change the first one's latent, decode it and write what was done next to it."""
    target = free(output or first.with_name(f"{first.stem}.{name}.{second.stem}.flac"), force)
    ready_folder(target.parent)
    with working(name, f"loading {model}") as meter:
        from celesta import audio
        from celesta import codec as codecs
        from celesta.variations.sidecar import write_sidecar

        codec = codecs.load(model)
        latents = []
        for source in (first, second):
            meter.doing(f"encoding {source.name}")
            latents.append(_latent(codec, source))
        meter.doing("decoding")
        made = codec.decode(change(*_same_channels(codec, (first, second), latents)))
        audio.write(target, made.samples, made.sample_rate)
        sidecar = write_sidecar(target, name, [first, second], {**settings, "model": codec.name}, {})
    if as_json:
        seconds = made.samples.shape[1] / made.sample_rate
        console.emit({"sources": [first, second], "output": target, "recipe": sidecar, "seconds": seconds, **settings})
        return
    console.say(f"{first} and {second} -> {target}")


def _latent(codec: Codec, source: Path, mono: bool = False) -> Latent:
    from celesta.latents import Latent

    if source.suffix.lower() != ".cel":
        return codec.encode(source, mono=mono)
    z = Latent.load(source)
    codec.check(z.model, z.weights, z.latent_dim, z.detail_size)
    return z


def _same_channels(codec: Codec, sources: tuple[Path, Path], latents: list[Latent]) -> list[Latent]:
    """Encode a stereo song as mono where the other one is mono."""
    fewest = min(z.channels for z in latents)
    return [
        _latent(codec, source, mono=True) if z.channels > fewest == 1 and source.suffix.lower() != ".cel" else z
        for source, z in zip(sources, latents, strict=True)
    ]
