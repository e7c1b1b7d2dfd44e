"""`celesta models`."""

from __future__ import annotations

from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.options import Json
from celesta.errors import UsageError

Licence = Annotated[
    str | None,
    typer.Option(metavar="USE", help="Only what may be used so: commercial, or research for all.", show_default=False),
]


def models(licence: Licence = None, as_json: Json = False) -> None:
    """List the models with the size of their latents, and with --licence the terms of all weights.

    Example: `celesta models`

    Example: `celesta models --licence commercial`
    """
    if licence not in (None, "commercial", "research"):
        raise UsageError(f"--licence must be commercial or research, got {licence!r}")
    from celesta.models import registry

    rows = []
    for entry in registry.shipped():
        if licence == "commercial" and not entry.commercial:
            continue
        model, file = entry.info, entry.weights_file
        rows.append(
            {
                "model": entry.name,
                "role": str(entry.role),
                "description": entry.description,
                "latent_dim": model.latent_dim,
                "detail_size": model.detail_size,
                "sample_rate": model.sample_rate,
                "frame_rate": model.frame_rate,
                "floats_per_second": model.floats_per_second,
                "floats_per_sample": model.floats_per_second / model.sample_rate,
                "parameters": entry.parameters,
                "weights": "none needed" if file is None else "installed" if file.is_file() else "not installed",
                "weights_licence": entry.weights_licence,
            }
        )
    if as_json:
        console.emit(rows, indent=1)
        return
    if licence is not None:
        _licences(licence)
        return
    console.table(
        "",
        ["model", "latent", "frames/s", "floats/s", "ratio", "parameters", "weights", "role"],
        [
            [
                r["model"],
                f"{r['latent_dim']}+{r['detail_size']}",
                f"{r['frame_rate']:.1f}",
                f"{r['floats_per_second']:,.0f}",
                f"{r['floats_per_sample']:.3g}",
                f"{r['parameters']:,}",
                r["weights"],
                r["role"],
            ]
            for r in rows
        ],
        spare=("parameters", "frames/s"),
    )
    console.say("latent: dense channels + sparse coefficients per frame")
    console.say("ratio: floats per input sample")
    console.say(f"other sizes: {', '.join(registry.patterns())} with an integer K")
    console.say("the folder of a training run is a model too")


def _licences(use: str) -> None:
    """Print the terms of the weights that may be used so."""
    from celesta.models import registry
    from celesta.models.licences import LICENCES
    from celesta.models.weights import FOLDER

    there = [one for one in LICENCES if (FOLDER / one.file).is_file()]
    rows = [[one.file, one.use, one.licence] for one in there if one.commercial or use == "research"]
    console.table("", ["weights", "use", "licence"], rows)
    free = ", ".join(entry.name for entry in registry.shipped() if not entry.weights)
    console.say(f"without weights: {free}, handcrafted and rhythm features")
