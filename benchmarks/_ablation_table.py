"""The ablations' figures as a Markdown table."""

from __future__ import annotations

from typing import Any

import numpy as np

from celesta.probes.statistics import mean_interval


def against(full: list[dict[str, Any]], point: dict[str, Any], key: str) -> str:
    """The mean difference from the full recipe, window by window, with an interval over windows.

    With a detail: at the same bits. A base alone: from the same base alone, for there detail would be the better buy.
    """
    if point["coefficients"]:
        least = min(p["channels"] for p in full)
        curve = [p for p in full if p["coefficients"] or p["channels"] == least]
    else:
        curve = [p for p in full if (p["channels"], p["coefficients"]) == (point["channels"], 0)]
    sizes = np.log([p["kbps"] for p in curve])
    values = np.array([p[key] for p in curve])
    found = []
    for i, size in enumerate(np.log(point["kbps"])):
        if len(curve) == 1:
            found.append(point[key][i] - values[0, i])
        elif sizes[0, i] <= size <= sizes[-1, i] and (np.diff(sizes[:, i]) > 0).all():
            found.append(point[key][i] - np.interp(size, sizes[:, i], values[:, i]))
    if len(found) < len(point["kbps"]) / 2:
        return "out of range"
    mean, low, high = mean_interval(found)
    few = "" if len(found) == len(point["kbps"]) else f", {len(found)} windows"
    mean, low, high = (round(v, 2) + 0.0 for v in (mean, low, high))  # no minus zero
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f}{few})"


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown: how each was made, then a row for each variant and point."""
    s = next(iter(results.values()))["settings"]
    lines = [
        f"{s['steps']} steps of {s['batch']} crops of {s['crop']} samples ({s['audio_seconds']:,.0f} s of audio), "
        f"seed {s['seed']}, {s['parameters'] / 1e6:.2f} M parameters; trained on {s['data']}; scored on "
        f"{s['windows']} windows of {s['seconds']:g} s of the validation packages. kbit/s are coded bytes without "
        "headers. Differences from `full`: with a detail, at the same bits (its curve read between its points); of a "
        "base alone, from the same base alone; 95 % intervals over windows.",
        "",
        "| variant | training, CPU s | base channels + coefficients a frame | kbit/s | SI-SDR dB | mel distance "
        "| SI-SDR against `full` | mel distance against `full` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    full = results.get("full")
    for name, result in results.items():
        for i, point in enumerate(result["points"]):
            label, spent = (f"`{name}`: {result['text']}", f"{result['train_cpu_seconds']:.0f}") if i == 0 else ("", "")
            means = [f"{np.mean(point[key]):.2f}" for key in ("kbps", "SI-SDR", "mel")]
            compared = full is not None and name != "full"
            beside = [against(full["points"], point, key) if compared else "" for key in ("SI-SDR", "mel")]
            cells = [label, spent, f"{point['channels']} + {point['coefficients']}", *means, *beside]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
