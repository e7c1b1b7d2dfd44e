"""`celesta models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta.cli import console
from celesta.cli.options import Json

if TYPE_CHECKING:
    from celesta.models.registry import Entry

Licence = Annotated[
    str | None,
    typer.Option(metavar="USE", help="Only what may be used so: commercial, or research for all.", show_default=False),
]


def models(licence: Licence = None, as_json: Json = False) -> None:
    """List the models: the size of their latents, and the licence of their weights.

    With --licence, all weights files are listed, also those of predictors and of features.

    Example: `celesta models`

    Example: `celesta models --licence commercial`
    """
    from celesta.models import registry
    from celesta.models.licences import check_use

    check_use(licence)

    shown = [entry for entry in registry.shipped() if licence != "commercial" or entry.commercial]
    if as_json:
        console.emit([_facts(entry) for entry in shown], indent=1)
    elif licence is not None:
        _licences(licence)
    else:
        head = ["model", "role", "licence", "latent", "frames/s", "floats/s", "ratio", "parameters"]
        rows = [_cells(entry) for entry in shown]
        console.table("", head, rows, spare=("parameters", "frames/s"), words=("role", "licence"))
        console.say("licence: of the weights; celesta models --licence research lists all of them")
        console.say("latent: dense channels + sparse coefficients a frame; these count as two floats")
        console.say("ratio: floats per input sample; files of the codec are coded, and smaller")
        console.say(f"other sizes: {', '.join(registry.patterns())} with an integer K")
        console.say("the folder of a training run is a model too")


def _facts(entry: Entry) -> dict[str, Any]:
    """Return what is known of a model, for JSON."""
    model, file = entry.info, entry.weights_file
    return {
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


def _cells(entry: Entry) -> list[str]:
    """Return a model's row of the table."""
    from celesta.models.licences import SHORT

    facts = _facts(entry)
    licence = SHORT.get(entry.weights_licence, entry.weights_licence) if entry.weights else "no weights"
    return [
        entry.name,
        facts["role"],
        "not installed" if facts["weights"] == "not installed" else licence,
        f"{facts['latent_dim']}+{facts['detail_size']}",
        f"{facts['frame_rate']:.1f}",
        f"{facts['floats_per_second']:,.0f}",
        f"{facts['floats_per_sample']:.3g}",
        f"{facts['parameters']:,}",
    ]


def _licences(use: str) -> None:
    """Print the terms of the weights that may be used so."""
    from celesta.models import registry
    from celesta.models.licences import LICENCES, SHORT
    from celesta.models.weights import FOLDER

    there = [one for one in LICENCES if (FOLDER / one.file).is_file()]
    shown = [one for one in there if one.commercial or use == "research"]
    rows = [[one.file.removesuffix(".safetensors"), one.use, one.short] for one in shown]
    console.table("", ["weights", "use", "licence"], rows, words=("use", "licence"))
    for licence in dict.fromkeys(one.licence for one in shown):
        console.say(f"{SHORT[licence]}: {licence.partition('(')[2].rstrip(')')}")
    free = ", ".join(entry.name for entry in registry.shipped() if not entry.weights)
    console.say(f"no weights: {free}; features handcrafted and rhythm")
