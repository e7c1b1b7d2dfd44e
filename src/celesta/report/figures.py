"""Matplotlib figures as PNG or SVG, without pyplot: no display and no global state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

ORIGINAL, CHANGED, THIRD = "#30507a", "#d9662b", "#3f8f5f"
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#8b95a1", "#a6761d", "#b2df8a",
)  # fmt: skip
"""Colours that are distinct with the common colour vision deficiencies; the first ones after Okabe & Ito 2008."""
MARKERS = "osD^vPX<>*"
POINTS_PER_INCH = 110
"""Size at which pages show a figure, in CSS pixels."""
_DARK = """<style>@media (prefers-color-scheme: dark) {
svg{fill:#e6e9ee}
[style*="fill: #ffffff"]{fill:none!important}
[style*="stroke: #000000"]{stroke:#a3adba!important}
[style*="fill: #000000"]{fill:#a3adba!important}
[style*="stroke: #b0b0b0"]{stroke:#4a5461!important}
[style*="stroke: #30507a"]{stroke:#8db3e2!important}
[style*="fill: #30507a"]{fill:#8db3e2!important}
}</style>"""
"""Colours of matplotlib's default style, exchanged where the reader's system is dark."""


def svg(figure: Figure) -> bytes:
    """Return the figure as an SVG file whose text and axes follow the reader's light or dark colour scheme.

    The same figure gives the same bytes.
    """
    out = io.BytesIO()
    FigureCanvasSVG(figure)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "celesta"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    head, found, rest = out.getvalue().partition(b"<defs>")
    return head + _DARK.encode() + found + rest


def png(figure: Figure, dpi: int = 84) -> bytes:
    """Return the figure as a PNG file."""
    out = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(out, format="png", dpi=dpi)
    return out.getvalue()


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]],
    xlabel: str,
    ylabels: Sequence[str],
    panels: Sequence[Mapping[str, Sequence[tuple[float, float]]]] | None = None,
) -> Figure:
    """Draw quality against size, one panel per measure, logarithmic along x, with one legend below.

    Args:
        series: name to points, when there is one panel.
        xlabel: what x is.
        ylabels: what y is, one per panel.
        panels: series of each panel, instead of ``series``.
    """
    wanted = panels or [series]
    names = list(dict.fromkeys(name for found in wanted for name in found))
    figure = Figure(figsize=(9.4, 3.3), layout="constrained")
    for axes, found, ylabel in zip(figure.subplots(1, len(wanted), squeeze=False)[0], wanted, ylabels, strict=True):
        for name, points in found.items():
            number = names.index(name)
            ordered, marker = sorted(points), MARKERS[number // len(PALETTE) % len(MARKERS)]
            axes.plot(
                [p[0] for p in ordered], [p[1] for p in ordered], f"{marker}-", ms=5, lw=1.5, label=name,
                color=PALETTE[number % len(PALETTE)], alpha=0.9,
            )  # fmt: skip
        axes.set(xscale="log", title=ylabel)
        axes.set_xlabel(xlabel, fontsize=8)
        axes.title.set_fontsize(9.5)
        axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5), numticks=12))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", rotation=45)
        axes.grid(alpha=0.3, which="both")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7.5)
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(
        list(lines.values()), list(lines), loc="outside lower center", ncols=min(len(names) or 1, 8), fontsize=8,
        frameon=False,
    )  # fmt: skip
    return figure
