"""`celesta transform`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.files import ready_folder
from celesta.cli.options import DEFAULT_MODEL, Force, Json, ModelName, Seed
from celesta.cli.progress import working
from celesta.errors import UsageError


def transform(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file.", show_default=False)],
    model: ModelName = DEFAULT_MODEL,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for the page and the audio file.")
    ] = Path("variation"),
    gain: Annotated[
        float | None, typer.Option(metavar="FACTOR", help="Multiply the latent.", show_default=False)
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SIGMA",
            help="Add noise of SIGMA standard deviations of each latent channel.",
            show_default=False,
        ),
    ] = None,
    smooth: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Average over N frames.", show_default=False)
    ] = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Change the latent of a song and decode it: a page and a FLAC file.

    The changes are made in the order gain, noise, smooth.

    Example: `celesta transform song.mp3 --gain 1.5`

    Example: `celesta transform song.mp3 --noise 0.1 --seed 7 --smooth 5`
    """
    if gain is None and noise is None and smooth is None:
        raise UsageError("give at least one of --gain, --noise, --smooth")
    ready_folder(output)
    with working("transform", f"loading {model}") as meter:
        from celesta import codec as codecs
        from celesta.report.variation import variation_page
        from celesta.variations.basic import Step

        steps = [] if gain is None else [Step("gain", gain)]
        if noise is not None:
            steps.append(Step("noise", noise, seed))
        if smooth is not None:
            steps.append(Step("smooth", smooth))
        codec = codecs.load(model)
        meter.doing(source.name)
        page = variation_page(codec, source, output, steps, force=force)
    if as_json:
        audio = page.with_name(f"{page.name.removesuffix('.html')}.flac")
        console.emit({"source": source, "page": page, "audio": audio, "model": codec.name})
    else:
        console.say(page)
