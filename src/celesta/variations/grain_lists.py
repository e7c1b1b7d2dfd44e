"""Where each grain of a mosaic is from, as tables: for JSON, for spreadsheets, and for DAWs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from celesta.variations.grains import FADE, Grain

COLUMNS = ("at", "seconds", "source", "from", "gain_db", "semitones")
_EDL_HEAD = (
    "ID", "Track", "StartTime", "Length", "PlayRate", "Locked", "Normalized", "StretchMethod", "Looped", "OnRuler",
    "MediaType", "FileName", "Stream", "StreamStart", "StreamLength", "FadeTimeIn", "FadeTimeOut", "SustainGain",
    "CurveIn", "GainIn", "CurveOut", "GainOut", "Layer", "Color", "CurveInR", "CurveOutR", "PlayPitch", "LockPitch",
    "FirstChannel", "Channels",
)  # fmt: skip
_LINEAR = 2  # of the curves of fades


def rows(grains: Sequence[Grain], sources: Sequence[str], sample_rate: int) -> list[dict[str, Any]]:
    """Return one row for each grain, with the keys :data:`COLUMNS`; times in seconds."""
    return [
        {
            "at": round(g.at / sample_rate, 6),
            "seconds": round(g.n_samples / sample_rate, 6),
            "source": sources[g.source],
            "from": round(g.start / sample_rate, 6),
            "gain_db": round(g.gain_db, 2),
            "semitones": g.semitones,
        }
        for g in grains
    ]


def as_csv(table: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


def as_edl(grains: Sequence[Grain], sources: Sequence[str], sample_rate: int) -> str:
    """Return the grains as an edit decision list in the text format of Vegas, which REAPER and others open too.

    Grains lie on two tracks in turn, with their fades, so that a DAW plays the mosaic from the source files. Times are
    milliseconds; file names are absolute.
    """
    half = round(FADE * sample_rate) // 2
    lines = [";".join(f'"{name}"' for name in _EDL_HEAD)]
    for k, g in enumerate(grains):
        lead, tail = (half if k else 0), (half if k + 1 < len(grains) else 0)
        # A source cannot begin before its first sample.
        lead = min(lead, max(g.start, 0))
        n = g.n_samples + lead + tail
        at, length, start = (1000 * v / sample_rate for v in (g.at - lead, n, max(g.start - lead, 0)))
        name = str(Path(sources[g.source]).absolute()).replace('"', "'")
        fades = [1000 * 2 * v / sample_rate for v in (lead, tail)]
        cells: list[object] = [
            k + 1, k % 2, f"{at:.4f}", f"{length:.4f}", "1.000000", "FALSE", "FALSE", 0, "FALSE", "FALSE",
            "AUDIO", f'"{name}"', 0, f"{start:.4f}", f"{length:.4f}", f"{fades[0]:.4f}", f"{fades[1]:.4f}",
            f"{10 ** (g.gain_db / 20):.6f}", _LINEAR, "0.000000", _LINEAR, "0.000000", 0, -1, _LINEAR, _LINEAR,
            f"{g.semitones:.6f}", "FALSE", 0, 0,
        ]  # fmt: skip
        lines.append("; ".join(map(str, cells)))
    return "\n".join(lines) + "\n"
