"""Draw the loss curves of a run."""

from __future__ import annotations

import json
from pathlib import Path

from celesta import _extras


def draw_curves(run: Path) -> Path | None:
    """Draw ``curves.png`` from ``log.jsonl``: training and validation error against the step, logarithmic."""
    if not _extras.installed("matplotlib"):
        return None
    from matplotlib.figure import Figure  # slow to import, needed once at the end

    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    if not lines:
        return None
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([x["step"] for x in lines], [x["loss"] for x in lines], lw=0.8, label="training crops")
    valid = [(x["step"], x["valid"]) for x in lines if "valid" in x]
    if valid:
        axes.plot(*zip(*valid, strict=True), "o-", ms=3, label="whole held-out windows")
    axes.set(xlabel="step", ylabel="loss", yscale="log", title=run.name)
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    path = run / "curves.png"
    figure.savefig(path, dpi=120)
    return path
