"""What a study found, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from celesta._files import atomic
from celesta.errors import UsageError
from celesta.probes import statistics
from celesta.probes.clustering import Clustering
from celesta.probes.cross_validation import Result

CHOSEN = "chosen"
"""The probe that is compared across features."""
HANDCRAFTED = "handcrafted"


@dataclass(frozen=True, eq=False)
class Study:
    """Results of all protocols and clusterings.

    Attributes:
        results: predictions, see :class:`celesta.probes.cross_validation.Result`.
        clusterings: name of features to their clusterings.
        cluster_labels: ``(songs,)`` classes of the clustered songs.
        p_values: (protocol, features, control) to the p-value of their difference, both with the chosen probe; the
            controls are hand-crafted features and, for a latent or layers, the same network with random weights.
        failures: tracks that could not be read, with the reason.
        skipped: protocols and probes that were left out, with the reason.
        about: data, seeds, versions, durations.

    Example:
        >>> made = Study([], {}, np.zeros(0), {}, failures={}, skipped={"genre": "one class only"})
        >>> made
        <Study: 0 results, 0 unreadable tracks>
        >>> made.to_dict()["skipped"]
        {'genre': 'one class only'}
    """

    results: list[Result]
    clusterings: dict[str, list[Clustering]]
    cluster_labels: np.ndarray
    p_values: dict[tuple[str, str, str], float]
    failures: dict[Path, str]
    skipped: dict[str, str]
    about: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Count results and failures in one short line."""
        return f"<Study: {len(self.results)} results, {len(self.failures)} unreadable tracks>"

    def chosen(self) -> dict[tuple[str, str], Result]:
        """Return the results of the chosen probe by (protocol, features)."""
        return {(r.task.name, r.features): r for r in self.results if r.probe == CHOSEN}

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`to_json` writes: rows, scores of each class, confusion matrices, clusters."""
        return {
            "about": self.about,
            "rows": [self._row(result) for result in self.results],
            "clusters": {name: [c.row() for c in found] for name, found in self.clusterings.items()},
            "failures": {str(path): reason for path, reason in self.failures.items()},
            "skipped": self.skipped,
        }

    def _row(self, result: Result) -> dict[str, Any]:
        row = result.row()
        for control in controls_of(result.features) if result.probe == CHOSEN else ():
            p = self.p_values.get((result.task.name, result.features, control))
            row["p against " + control.partition(":")[0]] = p
        if not result.task.tagging:
            counts = result.counts.sum(0)
            row["classes"] = list(result.task.classes)
            row["confusion"] = counts.round(3).tolist()
            row["per class"] = {k: v.round(4).tolist() for k, v in statistics.per_class(counts).items()}
        return row

    def to_json(self, path: str | Path) -> Path:
        """Write everything but the figures, and return the path.

        Raises:
            UsageError: it cannot be written.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path, UsageError) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")
        return path


def controls_of(name: str) -> list[str]:
    """Return what features are compared with: hand-crafted ones, and their own network before training.

    Args:
        name: of features.

    Example:
        >>> controls_of("latent:cel-2")
        ['handcrafted', 'latent-random:cel-2']
    """
    controls = [] if name == HANDCRAFTED else [HANDCRAFTED]
    if name.startswith(("latent:", "layers:")):
        controls.append(name.replace(":", "-random:", 1))
    return controls
