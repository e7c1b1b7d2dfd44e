"""`celesta models`."""

from __future__ import annotations

from celesta.cli.console import out, table


def models() -> None:
    """List the models: latent, floats a second, ratio to the input's samples, weights."""
    from celesta.models import registry
    from celesta.models.base import parameter_count

    rows = []
    for entry in registry.shipped():
        model, file = registry.create(entry.name), entry.weights_file
        weights = "none needed" if file is None else "installed" if file.is_file() else "not installed"
        numbers = model.floats_per_second
        rows.append(
            [
                entry.name,
                f"{model.latent_dim}+{model.detail_size}",
                f"{model.frame_rate:.1f}",
                f"{numbers:,.0f}",
                f"{numbers / model.sample_rate:.3g}",
                f"{parameter_count(model):,}",
                weights,
                str(entry.role),
            ]
        )
    table("", ["model", "latent", "frames/s", "floats/s", "per sample", "parameters", "weights", "role"], rows)
    out.print(
        "latent: dense numbers + coefficients with places a frame; cards of the weights: src/celesta/weights/*.md"
    )
    out.print(f"K may be another number in {', '.join(registry.patterns())}; a run folder is a model too.")
