"""Compare a study with the figures printed in the 2024 report.

Source: Grinblat, Mazzarello & Migdal 2024, "TP4 TDVI": classification reports of section 4, clusters of section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from celesta.probes import statistics
from celesta.probes.cross_validation import Result
from celesta.report.page import Page
from celesta.study import HEADS, Study

PerClass = dict[str, tuple[float, float, float, int]]
"""Class to precision, recall, F1 and support, as printed."""

OWN_CLASSIFIER: PerClass = {
    "blues": (0.50, 0.38, 0.43, 8),
    "classical": (0.93, 0.88, 0.90, 16),
    "country": (0.00, 0.00, 0.00, 7),
    "disco": (0.56, 0.38, 0.45, 13),
    "hiphop": (0.62, 0.53, 0.57, 15),
    "jazz": (0.44, 0.67, 0.53, 12),
    "metal": (0.50, 0.86, 0.63, 7),
    "pop": (0.43, 0.60, 0.50, 5),
    "reggae": (0.25, 0.57, 0.35, 7),
    "rock": (1.00, 0.10, 0.18, 10),
}
XGBOOST: PerClass = {
    "blues": (0.33, 0.40, 0.36, 10),
    "classical": (0.70, 0.70, 0.70, 10),
    "country": (0.25, 0.20, 0.22, 10),
    "disco": (0.50, 0.70, 0.58, 10),
    "hiphop": (0.80, 0.44, 0.57, 9),
    "jazz": (0.50, 0.50, 0.50, 10),
    "metal": (0.57, 0.80, 0.67, 10),
    "pop": (0.80, 0.40, 0.53, 10),
    "reggae": (0.50, 0.50, 0.50, 10),
    "rock": (0.27, 0.30, 0.29, 10),
}
CLUSTERS = {"kmeans": (0.079, 0.138), "gmm": (0.084, 0.139), "ward": (0.082, 0.125)}
"""Method to ARI and AMI, on PCA(2) of the SiLU model's latents."""
DIFFERENCES = (
    "These are not the same experiment. The report used ten genres and does not state its split (its size suggests a "
    "plain random one), one run and about 100 test songs. Here four genres are complete, artists and recordings never "
    "train and test at once, intervals are over artists, and the encoders were trained on other songs too. Only the "
    "naive protocol splits as the report probably did: excerpts of one record are on both sides."
)


@dataclass(frozen=True)
class Printed:
    """A classifier of the report, and the results of a study that are compared with it."""

    title: str
    table: PerClass
    protocol: str
    probes: tuple[str, ...]

    @property
    def accuracy(self) -> str:
        """Accuracy with its counts, computed from recall and support of the classes."""
        right, songs = correct(self.table)
        return f"{right / songs:.3f} ({right} of {songs})"


PRINTED = (
    Printed("own classifier, best of LR, SiLU, 2", OWN_CLASSIFIER, "P4", HEADS),
    Printed("XGBoost on CELAutoencoder2", XGBOOST, "naive", ("xgboost",)),
)


def correct(table: PerClass) -> tuple[int, int]:
    """Return the number of correct predictions and of songs of a printed table.

    Example:
        >>> correct(OWN_CLASSIFIER)
        (52, 100)
    """
    return round(sum(recall * support for _, recall, _, support in table.values())), sum(
        support for *_, support in table.values()
    )


def add_comparison(page: Page, study: Study) -> None:
    """Add the section that lists each figure of the report next to the study's."""
    page.section("The 2024 report")
    page.note(DIFFERENCES)
    rows = []
    for printed in PRINTED:
        for result in _ours(study, printed):
            where = f"{result.features}, {result.probe}, {printed.protocol}"
            rows.append([printed.title, "accuracy", printed.accuracy, where, f"{result.row()['accuracy']:.3f}"])
    kind = "latent:cel-silu"
    for method, (ari, ami) in CLUSTERS.items():
        found = [c for c in study.clusterings.get(kind, []) if c.method == method and c.pca == 2]
        if found:
            ours = " / ".join(f"{np.mean([getattr(c, score) for c in found]):.3f}" for score in ("ari", "ami"))
            where = f"{kind}, PCA(2), {study.about['clustered']} songs"
            rows.append([f"{method} on PCA(2) of SiLU", "ARI / AMI", f"{ari} / {ami}", where, ours])
    if not rows:
        page.text("None of the report's models is among these features.")
        return
    page.table(["the report", "score", "printed", "ours: method", "ours"], rows)
    for printed in PRINTED:
        results = _ours(study, printed)
        if results:
            best = max(results, key=lambda r: float(r.row()["accuracy"]))
            where = f"{best.features}, {best.probe}, {printed.protocol}"
            page.heading(f"{printed.title}, by class; ours: the best result, {where}")
            page.table(*_by_class(printed.table, best))


def _ours(study: Study, printed: Printed) -> list[Result]:
    return [
        r for r in study.results
        if r.task.name == printed.protocol and r.probe in printed.probes and r.features.startswith("latent:")
    ]  # fmt: skip


def _by_class(printed: PerClass, ours: Result) -> tuple[Sequence[str], list[list[str]]]:
    """Head and rows of a table: the report's scores of each class, then ours where we have the class."""
    mine = {row[0]: row[1:] for row in statistics.per_class_rows(ours.task.classes, ours.counts.sum(0))}
    rows = [
        [genre, *(f"{value:.2f}" for value in values), str(support), *mine.get(genre, [""] * 4)]
        for genre, (*values, support) in printed.items()
    ]
    _, *scores = statistics.PER_CLASS_HEAD
    return ["class", *(f"printed: {n}" for n in scores), *(f"ours: {n}" for n in scores)], rows
