"""The sections of a song, by the analysis for editing, which is cached."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from celesta.features.cache import FeatureCache
from celesta.studio import commands, warned
from celesta.variations import analyse, find_sections


def structure_of(path: Path, cache: FeatureCache, progress: Callable[[float, float], None]) -> dict[str, Any]:
    """Return the sections of a song, its tempo, and the command line whose page shows the same.

    Args:
        path: of an audio or .cel file.
        cache: where the analysis is saved.
        progress: called with the seconds done and in all.

    Raises:
        CelestaError: the file cannot be read.
    """
    with warned.collected():
        analysis = analyse(path, cache=cache, progress=progress)
    sections = [
        {"start": round(one.start, 3), "stop": round(one.stop, 3), "label": one.letter}
        for one in find_sections(analysis)
    ]
    return {
        "segments": sections,
        "tempo": round(analysis.tempo, 1) if analysis.clear else None,
        "command": commands.line("extend", path, "--to", f"{analysis.duration:.3f}", "--page"),
    }
