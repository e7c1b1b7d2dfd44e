"""The page of predictions: bars for each whole song, lines over time, mood as valence and arousal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from celesta.predict.song import SongPrediction, Status
from celesta.report.figures import ORIGINAL
from celesta.report.page import Page


def over_time(song: SongPrediction, name: str) -> Figure:
    """Draw the probabilities of the six highest classes over the song; silent stretches are gaps."""
    values = song.over_time[name]
    shown = np.argsort(np.nan_to_num(values).max(axis=0))[::-1][:6]
    figure = Figure(figsize=(8.6, 2.3), layout="constrained")
    axes = figure.subplots()
    palette = matplotlib.colormaps["tab10"]
    edges = np.append(song.times, song.duration)
    for i, column in enumerate(shown):
        axes.stairs(values[:, column], edges, color=palette(i), label=song.classes[name][column], lw=1.6)
    axes.set(ylim=(0, 1), xlabel="s", xlim=(0, edges[-1]))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=6.5, ncols=6, loc="upper right", framealpha=0.8)
    return figure


def whole(song: SongPrediction, name: str) -> Figure:
    """Draw the probabilities of the whole song as bars."""
    classes = song.classes[name]
    figure = Figure(figsize=(8.6, 0.5 + 0.19 * len(classes)), layout="constrained")
    axes = figure.subplots()
    axes.barh(classes[::-1], song.probabilities[name][::-1], color=ORIGINAL)
    axes.set(xlim=(0, 1))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25, axis="x")
    return figure


def write_page(songs: Sequence[SongPrediction], path: str | Path) -> Path:
    """Write one page for all songs and return its path."""
    page = Page("Celesta: predictions", "Probabilities of genre, mood and tags, for whole songs and over time.")
    page.note("Trained on GTZAN and 4QAED: for research only; unreliable for music unlike theirs.")
    for song in songs:
        page.section(song.name)
        if song.status is not Status.ANALYSED:
            page.text(f"{song.status}: {song.reason}")
            continue
        for name in song.classes:
            page.heading(name)
            if (mood := song.valence_arousal) and set(song.classes[name]) == {"Q1", "Q2", "Q3", "Q4"}:
                page.text(f"Q1 happy, Q2 angry, Q3 sad, Q4 calm; valence {mood[0]:+.2f}, arousal {mood[1]:+.2f}.")
            page.figure(whole(song, name), f"{name} of {song.name}")
            page.figure(over_time(song, name), f"{name} of {song.name} over time")
    return page.write(Path(path))
