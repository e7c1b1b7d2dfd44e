"""`celesta transform`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import out
from celesta.errors import UsageError


def transform(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A sound file.", show_default=False)],
    model: Annotated[str, typer.Option("--model", "-m", help="A model's name or a run folder.")] = "cel-silu",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page and the sound.")] = Path(
        "variation"
    ),
    gain: Annotated[float | None, typer.Option(help="Multiply the latent.")] = None,
    noise: Annotated[float | None, typer.Option(min=0, help="Add noise, relative to each channel's spread.")] = None,
    smooth: Annotated[int | None, typer.Option(min=1, help="Average over so many frames.")] = None,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
) -> None:
    """Change a song's latent and listen: the steps given are applied in the order gain, noise, smooth.

    Example: `celesta transform song.mp3 --gain 1.5`

    Example: `celesta transform song.mp3 --noise 0.1 --seed 7 --smooth 5`
    """
    from celesta import codec as codecs
    from celesta.report.variation import variation_page
    from celesta.variations.basic import Step

    steps = []
    if gain is not None:
        steps.append(Step("gain", gain))
    if noise is not None:
        steps.append(Step("noise", noise, seed))
    if smooth is not None:
        steps.append(Step("smooth", smooth))
    if not steps:
        raise UsageError("transform: give at least one of --gain, --noise, --smooth")
    out.print(str(variation_page(codecs.load(model), source, output, steps, force=force)), markup=False)
