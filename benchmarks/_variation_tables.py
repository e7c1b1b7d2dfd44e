"""Songs, intervals and tables that the benchmarks of variations share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.report.demo import CLIPS


def songs_of(folders: Sequence[Path], count: int, shortest: float = 0.0, seed: int = 0) -> list[Path]:
    """Choose songs from folders, evenly among them, and the clips that ship where there are no folders."""
    rng = np.random.default_rng(seed)
    listed = []
    for folder in folders:
        files = list(audio.find_audio(folder))
        rng.shuffle(files)  # type: ignore[arg-type]
        listed.append([file for file in files if shortest == 0 or audio.info(file).duration >= shortest])
    chosen = [one for row in zip(*(x + [None] * 999 for x in listed), strict=False) for one in row if one is not None]
    clips = sorted(CLIPS.glob("*.ogg"))
    return (chosen or clips)[:count]


def interval(values: Sequence[float], seed: int = 0) -> str:
    """Return a mean with its 95 % bootstrap interval."""
    x = np.asarray(values, float)
    if not x.size:
        return "-"
    means = np.random.default_rng(seed).choice(x, (2000, x.size)).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{x.mean():.3f} [{low:.3f}, {high:.3f}]"


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table as Markdown."""
    print(f"\n## {title}\n")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)
