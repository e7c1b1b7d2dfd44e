"""What the benchmark found, as JSON and as a page with the curves."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _codec_bench import START, Bench, cores
from _codec_ears import PACKAGES, version
from _codec_points import DRAWS, HIGHER, SEED, Point
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from celesta._version import __version__
from celesta.report.figures import curves
from celesta.report.page import Page

TITLES = {
    "mono": "22.05 kHz mono, GTZAN's test list, real files",
    "stereo": "44.1 kHz stereo, validation packages, real files",
    "floats": "Unquantised, by numbers a frame",
    "base": "Base alone",
}
TICKS = (1.5, 3, 6, 12, 24, 48, 96)
LOWEST = -10.0
LABELS = {
    "SI-SDR": "SI-SDR dB",
    "mel": "mel distance",
    "ViSQOL": "ViSQOL",
    "Zimtohrli": "Zimtohrli",
    "mel L/R/S": "mel distance of left, right, side",
    "level": "error of level difference dB",
    "coherence": "error of coherence",
}


def about(bench: Bench) -> dict[str, Any]:
    """Data, versions and seeds of a run."""
    packages = ["numpy", *PACKAGES.values(), "encodec"]
    ffmpeg = shutil.which("ffmpeg")
    return {
        "command": " ".join(["python", *sys.argv]),
        "model": bench.coder.name,
        "weights": bench.coder.weights,
        "training": bench.coder.facts,
        "clips": bench.count,
        "seconds": bench.seconds,
        "starting at": START,
        "clips with ViSQOL": bench.heard,
        "mono": [t.id for t in bench.__dict__.get("chosen", [])],  # only what this run has loaded
        "stereo": bench.names,
        "seed of the intervals": SEED,
        "draws of the intervals": DRAWS,
        "versions": {
            "celesta": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            **{name: version(name) for name in packages},
            "ffmpeg": _first_line([ffmpeg, "-version"]) if ffmpeg else None,
        },
        "machine": f"{platform.machine()}, {cores()} cores",
    }


def write_json(bench: Bench, file: Path) -> None:
    """Write everything found so far, atomically."""
    data = {
        "about": about(bench),
        "bars": [dataclasses.asdict(bar) for bar in bench.bars],
        "points": {name: [p.data() for p in points] for name, points in bench.points.items()},
        "figures": bench.figures,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(_finite(data), indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, file)


def write_page(bench: Bench, file: Path) -> None:
    """Write curves, tables and verdicts as one self-contained page."""
    page = Page("The codec beside others", "Every bar, met or missed by how much; sizes are those of real files.")
    page.section("Bars")
    page.table(("bar", "verdict", "what"), [_row(bar.line()) for bar in bench.bars])
    for name, points in bench.points.items():
        page.section(TITLES[name])
        keys = [k for k in HIGHER if any(p.has(k) for p in points)]
        if name != "base":
            x = "setting" if name == "floats" else "kbps"
            label = "numbers a frame" if name == "floats" else "kbit/s"
            page.figure(_curves(points, x, label, keys), f"curves of {TITLES[name]}")
        rows = [[p.coder, f"{p.setting:g}", *_cells(p, ["kbps", *keys]), p.note] for p in points]
        page.table(("coder", "asked for", "kbit/s", *(LABELS[k] for k in keys), "note"), rows)
    for name, found in bench.figures.items():
        page.section(name.capitalize())
        page.table(("", ""), [[str(key), str(value)] for key, value in found.items()])
    page.text(
        "Means over clips with 95 % bootstrap intervals over clips. A difference is ours less what is wanted. Curves of"
        f" SI-SDR are drawn down to {LOWEST:g} dB: without coefficients no waveform is kept."
    )
    facts = {k: v for k, v in about(bench).items() if k not in ("mono", "stereo", "training")}
    page.write(file, "; ".join(f"{key}: {value}" for key, value in facts.items()))


def _curves(points: list[Point], x: str, label: str, keys: list[str]) -> Figure:
    """A panel for each measure."""
    figure = curves({}, label, [LABELS[k] for k in keys], [_series(points, x, key) for key in keys])
    ticks = sorted({p.setting for p in points}) if x == "setting" else TICKS
    for axes, key in zip(figure.axes, keys, strict=True):
        low, high = axes.get_xlim()
        axes.set_xticks([t for t in ticks if low <= t <= high])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        if key == "SI-SDR":
            axes.set_ylim(bottom=max(LOWEST, axes.get_ylim()[0]))
    return figure


def _series(points: list[Point], x: str, key: str) -> dict[str, list[tuple[float, float]]]:
    """Name of a coder to its points that have a measure; ``linear-16``, ``linear-32`` ... make one curve of floats."""
    series: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        if point.has(key):
            name = point.coder if x == "kbps" else point.coder.split("-")[0]
            at = point.mean("kbps") if x == "kbps" else point.setting
            series.setdefault(name, []).append((at, point.mean(key)))
    return series


def _cells(point: Point, keys: list[str]) -> list[str]:
    means = point.means()
    digits = {"Zimtohrli": 4}
    return [
        "{0:.{3}f} ({1:.{3}f} to {2:.{3}f})".format(*means[k], digits.get(k, 2)) if k in means else "" for k in keys
    ]


def _row(line: str) -> list[str]:
    return [line[:5].strip(), line[7:25].strip(), line[26:]]


def _finite(data: Any) -> Any:
    """Plain data without NaN, which JSON does not know."""
    if isinstance(data, dict):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float | np.floating):
        return float(data) if np.isfinite(data) else None
    return data


def _first_line(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0]
