"""The page of a study: tables by protocol, the 2024 report's figures next to ours, confusions, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from celesta._files import printable
from celesta.probes import statistics
from celesta.probes.clustering import Clustering
from celesta.probes.cross_validation import Result
from celesta.report import clusters, study_text
from celesta.report.figures import CHANGED, ORIGINAL, THIRD
from celesta.report.page import Page
from celesta.report.report2024 import add_comparison
from celesta.study import HEADS, Study, controls_of
from celesta.study.result import CHOSEN, HANDCRAFTED

_RANDOM = "-random:"


def write_page(study: Study, path: str | Path) -> Path:
    """Write one self-contained HTML page of a study and return its path."""
    page = Page(
        "What the features know",
        "Classifiers and clusters on features of whole songs, next to hand-crafted features and untrained networks.",
    )
    names = list(dict.fromkeys(r.task.name for r in study.results))
    _summary(page, study, names)
    for name in names:
        _protocol(page, study, [r for r in study.results if r.task.name == name])
    add_comparison(page, study)
    _clusters(page, study)
    _method(page, study)
    about = study.about
    return page.write(
        Path(path), f"Celesta {about['celesta']}; seeds {about['seeds']}; {about['seconds']['all']:.0f} s"
    )


def summary_figure(study: Study) -> Figure:
    """Draw the scores of all features under the honest protocols, with the hand-crafted features' score as a line."""
    best = {key: result.score for key, result in study.chosen().items()}
    flagged = {r.task.name for r in study.results if r.task.flag}
    protocols = [n for n in dict.fromkeys(n for n, _ in best) if n not in flagged] or list(flagged)
    names = list(dict.fromkeys(name for _, name in best))
    figure = Figure(figsize=(2.2 * len(protocols) + 1.6, 0.5 + 0.22 * len(names)), layout="constrained")
    panes = figure.subplots(1, len(protocols), sharey=True, squeeze=False)[0]
    for axes, protocol in zip(panes, protocols, strict=True):
        values = [best.get((protocol, name), 0.0) for name in names]
        axes.barh(names, values, color=[_colour(name) for name in names])
        if (protocol, HANDCRAFTED) in best:
            axes.axvline(best[protocol, HANDCRAFTED], color=CHANGED, lw=1)
        axes.set_xlim(min(values) * 0.9, 1)
        axes.set_title(f"{protocol}: {_metric(study, protocol)}", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.25, axis="x")
    panes[0].invert_yaxis()
    return figure


def cluster_figure(study: Study) -> Figure | None:
    """Draw songs by label and by cluster (K-Means on PCA(2)) of the features whose clusters fit the labels best."""
    shown = {name: _kmeans_on_two(found) for name, found in study.clusterings.items()}
    if not shown:
        return None
    name = max(shown, key=lambda n: shown[n].ami or 0.0)
    one = shown[name]
    return clusters.scatter(one.coordinates, study.cluster_labels, one.assignment, f"{name}, AMI {one.ami:.2f}")


def _colour(name: str) -> str:
    if name.startswith(("latent", "layers")):
        return THIRD
    return CHANGED if name == HANDCRAFTED else ORIGINAL


def _metric(study: Study, protocol: str) -> str:
    return next(r.task.metric for r in study.results if r.task.name == protocol)


def _kmeans_on_two(found: Sequence[Clustering]) -> Clustering:
    return next(c for c in found if c.method == "kmeans" and c.pca == 2)


def _summary(page: Page, study: Study, protocols: Sequence[str]) -> None:
    page.section("Summary")
    best = study.chosen()
    names = list(dict.fromkeys(name for _, name in best))
    rows = []
    for name in names:
        found = [best.get((protocol, name)) for protocol in protocols]
        rows.append([name, *(f"{one.score:.3f}" if one else "" for one in found)])
    page.table(["features", *(f"{p} ({_metric(study, p)})" for p in protocols)], rows)
    page.figure(summary_figure(study), "scores of all features under the honest protocols")
    for name in names:
        if _RANDOM not in name and name != HANDCRAFTED:
            page.text(study_text.comparison(study, name, protocols))
    for name, reason in study.skipped.items():
        page.note(f"{name} was left out: {reason}")
    if study.failures:
        page.note(f"{len(study.failures)} tracks could not be read and are left out.")
        page.table(["track", "reason"], [[printable(p.name), why] for p, why in study.failures.items()])


def _protocol(page: Page, study: Study, results: Sequence[Result]) -> None:
    task = results[0].task
    page.section(task.name)
    page.text(task.about)
    if task.flag:
        page.note(f"Flagged: {task.flag}.")
    others = ["PR-AUC"] if task.tagging else [*statistics.METRICS, "calibration error"]
    others = [metric for metric in others if metric != task.metric]
    head = ["features", "probe", task.metric, "95 % interval", *(name.removesuffix(" error") for name in others)]
    rows = [_score_row(study, result, others) for result in results]
    page.table([*head, "p, handcrafted", "p, random"], rows)
    first = results[0].row()
    repetitions = max(len(r.probabilities) for r in results)
    page.text(f"{first['songs']} songs scored, {first['groups']} groups, {repetitions} repetition(s).")
    if not task.tagging:
        leader = max((r for r in results if r.probe == CHOSEN), key=lambda r: r.score, default=None)
        shown = [r for r in results if r.probe in (*HEADS, "xgboost")]
        for result in [*([leader] if leader else []), *shown]:
            _classes(page, result)


def _score_row(study: Study, result: Result, others: Sequence[str]) -> list[str]:
    row = result.row()
    controls = controls_of(result.features) if result.probe == CHOSEN else []
    p = [study.p_values.get((result.task.name, result.features, control)) for control in controls]
    return [
        result.features,
        "LR + SVM" if result.task.tagging else str(result.probe),
        f"{row['score']:.3f}",
        f"{row['low']:.3f} to {row['high']:.3f}",
        *(f"{row[other]:.3f}" for other in others),
        *(["" if one is None else f"{one:.4f}" for one in p] + ["", ""])[:2],
    ]


def _classes(page: Page, result: Result) -> None:
    """Precision, recall, F1 and support of each class, with the confusion matrix."""
    counts, classes = result.counts.sum(0), result.task.classes
    page.begin_card()
    page.heading(f"{result.features}, {result.probe}: {result.task.name}")
    page.table(statistics.PER_CLASS_HEAD, statistics.per_class_rows(classes, counts))
    page.figure(clusters.confusion(np.round(counts).astype(int), classes), "confusion matrix")
    page.end_card()


def _clusters(page: Page, study: Study) -> None:
    page.section("Clusters")
    page.text(f"Songs of {study.about['clustered']}, as many clusters as classes; labels only score. Means over seeds.")
    rows = []
    for name, found in study.clusterings.items():
        for (method, space), group in _grouped(found).items():
            mean = [np.mean([getattr(c, score) for c in group]) for score in ("ari", "ami", "v_measure")]
            rows.append([name, method, space, *(f"{value:.3f}" for value in mean), str(len(group))])
    page.table(["features", "method", "space", "ARI", "AMI", "V-measure", "seeds"], rows)
    for name, found in study.clusterings.items():
        if _RANDOM not in name:
            shown = _kmeans_on_two(found)
            page.begin_card()
            page.heading(f"{name}: K-Means on PCA(2), AMI {shown.ami:.3f}")
            figure = clusters.scatter(shown.coordinates, study.cluster_labels, shown.assignment)
            page.figure(figure, f"clusters of {name}")
            page.end_card()


def _grouped(found: Sequence[Clustering]) -> dict[tuple[str, str], list[Clustering]]:
    groups: dict[tuple[str, str], list[Clustering]] = {}
    for one in found:
        groups.setdefault((one.method, one.space), []).append(one)
    return groups


def _method(page: Page, study: Study) -> None:
    page.section("Method")
    for paragraph in study_text.methods(study):
        page.text(paragraph)
    names = list(dict.fromkeys(r.features for r in study.results))
    page.table(["features", "description"], [[name, study_text.description(name)] for name in names])
