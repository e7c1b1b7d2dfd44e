"""Figures of curves and waveforms as PNG or SVG, without pyplot: no display and no global state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import scipy.signal
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

ORIGINAL, CHANGED, THIRD = "#30507a", "#d9662b", "#3f8f5f"
POINTS_PER_INCH = 110
"""Size at which pages show a figure, in CSS pixels."""
_WIDTH = 8.6
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


def waveforms(sounds: Mapping[str, np.ndarray], sample_rate: int, zoom: float = 0.02) -> Figure:
    """Waveforms over each other, whole on the left and ``zoom`` seconds of the loudest moment on the right.

    Args:
        sounds: name to ``(n,)`` samples; the first is the original.
        sample_rate: Hz.
        zoom: seconds.
    """
    figure = Figure(figsize=(_WIDTH, 1.9), layout="constrained")
    whole, near = figure.subplots(1, 2, width_ratios=[1.5, 1])
    colours = (ORIGINAL, CHANGED, THIRD)
    first = next(iter(sounds.values()))
    width = round(zoom * sample_rate)
    power = np.convolve(first**2, np.ones(min(width, len(first))), "valid")
    at = int(np.argmax(power))
    for (name, x), colour in zip(sounds.items(), colours, strict=False):
        t, low, high = envelope(x, sample_rate)
        whole.fill_between(t, low, high, color=colour, alpha=0.6, lw=0, label=name)
        part = x[at : at + width]
        near.plot(np.arange(len(part)) / sample_rate * 1000, part, color=colour, lw=1.1, alpha=0.9, label=name)
    whole.set(xlabel="s", xlim=(0, len(first) / sample_rate))
    near.set(xlabel=f"ms after {at / sample_rate:.3f} s")
    whole.legend(loc="upper right", fontsize=7, framealpha=0.8)
    for axes in (whole, near):
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.25)
    return figure


def spectrograms(sounds: Mapping[str, np.ndarray], sample_rate: int) -> Figure:
    """Spectrograms side by side on one scale of 90 dB."""
    figure = Figure(figsize=(_WIDTH, 2.0), layout="constrained")
    panes = figure.subplots(1, len(sounds), sharey=True, squeeze=False)[0]
    top = None
    for axes, (name, x) in zip(panes, sounds.items(), strict=True):
        window = min(1_024, len(x))
        hop = max(1, window // 2, len(x) // 700)
        f, t, z = scipy.signal.stft(x, sample_rate, nperseg=window, noverlap=window - min(hop, window), boundary=None)
        level = 20 * np.log10(np.abs(z) + 1e-7)
        top = float(level.max()) if top is None else top
        axes.pcolormesh(t, f / 1000, level, vmin=top - 90, vmax=top, cmap="magma", rasterized=True)
        axes.set_title(name, fontsize=8)
        axes.set_xlabel("s", fontsize=7)
        axes.tick_params(labelsize=7)
    panes[0].set_ylabel("kHz", fontsize=7)
    return figure


def envelope(x: np.ndarray, sample_rate: int, points: int = 900) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, minima and maxima of ``(n,)`` samples in about ``points`` pieces."""
    size = max(1, len(x) // points)
    whole = x[: len(x) // size * size].reshape(-1, size)
    return np.arange(len(whole)) * size / sample_rate, whole.min(axis=1), whole.max(axis=1)


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]],
    xlabel: str,
    ylabels: Sequence[str],
    panels: Sequence[Mapping[str, Sequence[tuple[float, float]]]] | None = None,
) -> Figure:
    """Quality against size, one panel a measure, logarithmic along x.

    Args:
        series: name to points, when there is one panel.
        xlabel: what x is.
        ylabels: what y is, one a panel.
        panels: series of each panel, instead of ``series``.
    """
    wanted = panels or [series]
    figure = Figure(figsize=(_WIDTH, 3.2), layout="constrained")
    for axes, found, ylabel in zip(figure.subplots(1, len(wanted), squeeze=False)[0], wanted, ylabels, strict=True):
        for name, points in found.items():
            ordered = sorted(points)
            axes.plot([p[0] for p in ordered], [p[1] for p in ordered], "o-", ms=4, lw=1.2, label=name)
        axes.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
        axes.grid(alpha=0.3, which="both")
        axes.tick_params(labelsize=7)
    axes.legend(fontsize=6.5)
    return figure
