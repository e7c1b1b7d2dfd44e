"""Print the README's table of a study, from the study.json that `celesta study` wrote.

Run: python scripts/study_table.py study/study.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = {
    "P4": "P4 accuracy",
    "mood": "mood macro-F1",
    "tags": "tags ROC-AUC / PR-AUC",
    "cross": "cross balanced accuracy",
    "P10": "P10 macro-F1 (flagged)",
    "naive": "naive accuracy (leaky)",
}


def table(study: dict[str, Any]) -> str:
    """Markdown, a line for each kind of features: the chosen probe under each protocol, then K-Means."""
    found = {(row["protocol"], row["features"]): row for row in study["rows"] if row["probe"] == "chosen"}
    heads = ["features", *COLUMNS.values(), "K-Means AMI, PCA(2) / PCA(20)"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for kind in dict.fromkeys(kind for _, kind in found):
        cells = [f"`{kind}`"]
        for protocol in COLUMNS:
            row = found.get((protocol, kind))
            cells.append("" if row is None else _figure(row["score"]) + _second(row))
        ami = [
            np.mean([c["ami"] for c in study["clusters"].get(kind, []) if (c["method"], c["space"]) == ("kmeans", s)])
            for s in ("PCA(2)", "PCA(20)")
        ]
        lines.append("| " + " | ".join([*cells, " / ".join(map(_figure, ami))]) + " |")
    return "\n".join(lines)


def _second(row: dict[str, Any]) -> str:
    return f" / {_figure(row['PR-AUC'])}" if "PR-AUC" in row else ""


def _figure(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="study.json")
    print(table(json.loads(parser.parse_args().study.read_text(encoding="utf-8"))))
