"""`celesta models`."""

from __future__ import annotations

from celesta.cli.console import out, table
from celesta.errors import CelestaError


def models() -> None:
    """List the models: latent, floats a second, ratio to the input's samples, weights."""
    from celesta import codec as codecs
    from celesta.models import registry
    from celesta.models.base import parameter_count

    rows = []
    for name in (*registry.names(), "linear-64", "pca-64", "sparse-64"):
        model = registry.create(name)
        try:
            facts = codecs.load(name).facts
            weights = "installed" if facts else "none needed"
        except CelestaError:
            weights = "not installed"
        numbers = model.floats_per_second
        rows.append(
            [
                name,
                f"{model.latent_dim}+{model.detail_size}",
                f"{model.frame_rate:.1f}",
                f"{numbers:,.0f}",
                f"{numbers / model.sample_rate:.3g}",
                f"{parameter_count(model):,}",
                weights,
            ]
        )
    table("", ["model", "latent", "frames/s", "floats/s", "per sample", "parameters", "weights"], rows)
    out.print(
        "latent: dense numbers + coefficients with places a frame; cards of the weights: src/celesta/weights/*.md"
    )
    out.print(f"K may be another number in {', '.join(registry.patterns())}; a run folder is a model too.")
