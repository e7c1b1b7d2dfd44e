"""What predictors say of songs, as a page: bars of the whole song, bands over time, mood in its plane."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from celesta.predict.predictor import mood_plane
from celesta.predict.song import Heard
from celesta.report.figures import ORIGINAL
from celesta.report.page import Page


def over_time(heard: Heard, name: str) -> Figure:
    """Probabilities of the classes that matter, a line each, over the song."""
    values = heard.over_time[name]
    shown = np.argsort(values.max(axis=0))[::-1][:6]
    figure = Figure(figsize=(8.6, 2.3), layout="constrained")
    axes = figure.subplots()
    palette = matplotlib.colormaps["tab10"]
    edges = np.append(heard.times, heard.times[-1] + 10)
    for i, column in enumerate(shown):
        axes.stairs(values[:, column], edges, color=palette(i), label=heard.classes[name][column], lw=1.6)
    axes.set(ylim=(0, 1), xlabel="s", xlim=(0, edges[-1]))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=6.5, ncols=6, loc="upper right", framealpha=0.8)
    return figure


def whole(heard: Heard, name: str) -> Figure:
    """Probabilities of the whole song as bars."""
    classes = heard.classes[name]
    figure = Figure(figsize=(8.6, 0.5 + 0.19 * len(classes)), layout="constrained")
    axes = figure.subplots()
    axes.barh(classes[::-1], heard.whole[name][::-1], color=ORIGINAL)
    axes.set(xlim=(0, 1))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25, axis="x")
    return figure


def write_page(songs: Sequence[Heard], path: str | Path) -> Path:
    """One page for all songs; its path comes back."""
    page = Page("Celesta: what these songs sound like", "Probabilities of genre, mood and tags, whole and over time.")
    page.note("Trained on GTZAN and 4QAED: for research only, and blind to music unlike theirs.")
    for heard in songs:
        page.section(heard.path.name)
        for name in heard.classes:
            page.heading(name)
            if set(heard.classes[name]) == {"Q1", "Q2", "Q3", "Q4"}:
                valence, arousal = mood_plane(heard.classes[name], heard.whole[name][None])[0]
                page.text(f"Q1 happy, Q2 angry, Q3 sad, Q4 calm; valence {valence:+.2f}, arousal {arousal:+.2f}.")
            page.figure(whole(heard, name), f"{name} of {heard.path.name}")
            page.figure(over_time(heard, name), f"{name} of {heard.path.name} over time")
    return page.write(Path(path))
