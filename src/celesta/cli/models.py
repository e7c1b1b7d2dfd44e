"""`celesta models`."""

from __future__ import annotations

from celesta.cli import console
from celesta.cli.options import Json


def models(as_json: Json = False) -> None:
    """List the models with the size of their latents.

    Example: `celesta models`
    """
    from celesta.models import registry

    rows = []
    for entry in registry.shipped():
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
    console.say("latent: dense channels + sparse coefficients per frame; ratio: floats per input sample")
    console.say(
        f"K may be another number in {', '.join(registry.patterns())}; the folder of a training run is a model too"
    )
