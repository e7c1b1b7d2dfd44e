"""The command lines that do what a page does."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from celesta._files import printable
from celesta.variations import VARIATIONS


def line(*words: str | Path | None) -> str:
    """Return ``celesta`` with words, quoted for a shell; None is left out."""
    return shlex.join(["celesta", *(printable(word) for word in words if word is not None)])


def transform(
    path: Path,
    model: str,
    steps: Sequence[tuple[str, Mapping[str, float]]],
    start: float | None = None,
    stop: float | None = None,
) -> str:
    """Return the command line that changes a song's latent."""
    words: list[str | Path] = ["transform", path, "-m", model]
    for name, settings in steps:
        for flag, parameter in VARIATIONS[name].options():
            if parameter.name in settings:
                words += [flag, f"{settings[parameter.name]:.10g}"]
    for flag, value in (("--start", start), ("--stop", stop)):
        if value is not None:
            words += [flag, f"{value:.10g}"]
    return line(*words)


def compare(path: Path, models: Sequence[str]) -> str:
    """Return the command line that compares models on a song."""
    return line("compare", *models, "--data", path)


def encode(path: Path, model: str, kbps: float | None) -> str:
    """Return the command line that encodes a song."""
    return line("encode", path, "-m", model, *(() if kbps is None else ("--kbps", f"{kbps:g}")))
