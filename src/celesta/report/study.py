"""The page of a study: tables by protocol, the report's numbers beside ours, confusions, clusters, in words too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from celesta.models import registry
from celesta.probes import statistics
from celesta.probes.clustering import Clustering
from celesta.probes.cross_validation import Result
from celesta.report import clusters
from celesta.report.figures import CHANGED, ORIGINAL, THIRD
from celesta.report.page import Page
from celesta.report.report2024 import beside_the_report
from celesta.study import Study
from celesta.study import cross_collection as cross
from celesta.study import late_layers as late
from celesta.study.study import controls_of

CHANCE = 0.05

KIND_WORDS = {
    "celesta-features": "musicnn (MSD, MTT: outside weights that saw genre words), hand-crafted, rhythm",
    "musicnn": "MSD_musicnn alone (outside weights that saw genre words)",
    "celesta-ssl": "trained here without labels and without outside weights",
    "celesta-unlabelled": "celesta-ssl's mean and hand-crafted: still without labels and without outside weights",
    "handcrafted": "control: MFCC, deltas, chroma, contrast, centroid, ...",
    "latent:nested": "the codec's base and the spectrum of its kept coefficients; trained on free music only",
    "latent:": "a trained autoencoder's latent",
    "latent-random:": "control: the same network before training",
    "layers:": "statistics of every layer of a trained encoder, not of its latent alone",
    "layers-random:": "control: the same layers before training",
}
"""Kind, or how it begins, to what it is."""


def write_page(study: Study, path: str | Path) -> Path:
    """Write one self-contained HTML page of a study; its path comes back."""
    page = Page(
        "Celesta: what the latents know", "Probes and clusters on features of whole songs, controls in every table."
    )
    names = list(dict.fromkeys(r.task.name for r in study.results))
    _summary(page, study, names)
    for name in names:
        _protocol(page, study, [r for r in study.results if r.task.name == name])
    beside_the_report(page, study)
    _clusters(page, study)
    _method(page, study)
    about = study.about
    return page.write(
        Path(path), f"Celesta {about['celesta']}; seeds {about['seeds']}; {about['seconds']['all']:.0f} s"
    )


def summary_figure(study: Study) -> Figure:
    """Scores of every kind of features under the honest protocols, hand-crafted features as a line."""
    best = {(r.task.name, r.features): float(r.row()["score"]) for r in study.results if r.probe == "chosen"}
    flagged = {r.task.name for r in study.results if r.task.flag}
    names = [n for n in dict.fromkeys(n for n, _ in best) if n not in flagged] or list(flagged)
    kinds = list(dict.fromkeys(kind for _, kind in best))
    figure = Figure(figsize=(2.2 * len(names) + 1.6, 0.5 + 0.22 * len(kinds)), layout="constrained")
    panes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panes, names, strict=True):
        metric = next(r.task.metric for r in study.results if r.task.name == name)
        values = [best.get((name, kind), 0.0) for kind in kinds]
        colours = [
            THIRD if k.startswith(("latent", "layers")) else CHANGED if k == "handcrafted" else ORIGINAL for k in kinds
        ]
        axes.barh(kinds, values, color=colours)
        if (name, "handcrafted") in best:
            axes.axvline(best[name, "handcrafted"], color=CHANGED, lw=1)
        axes.set_xlim(min(values) * 0.9, 1)
        axes.set_title(f"{name}: {metric}", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.25, axis="x")
    panes[0].invert_yaxis()
    return figure


def cluster_figure(study: Study) -> Figure | None:
    """Songs by label and by cluster (K-Means on PCA(2)) of the features whose clusters fit the labels best."""
    shown = {
        kind: next(c for c in found if c.method == "kmeans" and c.pca == 2) for kind, found in study.clusterings.items()
    }
    if not shown:
        return None
    kind = max(shown, key=lambda k: shown[k].ami)
    one = shown[kind]
    return clusters.scatter(one.coordinates, study.cluster_labels, one.assignment, f"{kind}, AMI {one.ami:.2f}")


def _summary(page: Page, study: Study, names: Sequence[str]) -> None:
    page.section("Summary")
    best: dict[tuple[str, str], Result] = {(r.task.name, r.features): r for r in study.results if r.probe == "chosen"}
    kinds = list(dict.fromkeys(kind for _, kind in best))
    rows = []
    for kind in kinds:
        cells = [kind]
        for name in names:
            found = best.get((name, kind))
            cells.append(f"{found.row()['score']:.3f}" if found else "")
        rows.append(cells)
    heads = [f"{n} ({next(r for r in study.results if r.task.name == n).task.metric})" for n in names]
    page.table(["features", *heads], rows)
    page.figure(summary_figure(study), "scores of all features under the honest protocols")
    for kind in kinds:
        if "-random:" not in kind and kind != "handcrafted":
            page.text(_in_words(study, best, kind, names))
    for name, reason in study.skipped.items():
        page.note(f"{name} was left out: {reason}")
    if study.failures:
        page.note(f"{len(study.failures)} tracks could not be read and are left out.")
        page.table(["track", "reason"], [[p.name, why] for p, why in study.failures.items()])


def _in_words(study: Study, best: dict[tuple[str, str], Result], kind: str, names: Sequence[str]) -> str:
    """Which controls a kind of features does not beat, said plainly; nor beyond chance, nor in clusters."""
    controls = controls_of(kind)
    if kind.startswith("latent:") and kind != "latent:linear-64":
        controls.append("latent:linear-64")
    controls = [control for control in controls if any(c == control for _, c in best)]
    if not controls:
        return f"{kind} stands without a control: ask for handcrafted too."
    lost: list[str] = []
    unsure: list[str] = []
    for control in controls:
        both = [n for n in names if (n, kind) in best and (n, control) in best]
        ahead = [n for n in both if best[n, kind].row()["score"] > best[n, control].row()["score"]]
        behind = [n for n in both if n not in ahead] + _behind_in_clusters(study, kind, control)
        chance = [n for n in ahead if study.p_values.get((n, kind, control), 0.0) >= CHANCE]
        if behind:
            lost.append(f"{control} under {', '.join(behind)}")
        if chance:
            unsure.append(f"{control} under {', '.join(chance)}")
    said = (
        f"{kind} does not beat {'; nor '.join(lost)}."
        if lost
        else f"{kind} is ahead of all of its controls everywhere."
    )
    return said + (f" Its lead may be chance (p >= {CHANCE}) over {'; '.join(unsure)}." if unsure else "")


def _behind_in_clusters(study: Study, kind: str, control: str) -> list[str]:
    """Spaces in which K-Means fits the labels no better with these features than with the control."""
    behind = []
    for space in ("PCA(2)", "PCA(20)"):
        ami = [
            [c.ami for c in study.clusterings.get(one, []) if c.method == "kmeans" and c.space == space]
            for one in (kind, control)
        ]
        if all(ami) and np.mean(ami[0]) <= np.mean(ami[1]):
            behind.append(f"K-Means on {space}")
    return behind


def _protocol(page: Page, study: Study, results: Sequence[Result]) -> None:
    protocol = results[0].task
    page.section(protocol.name)
    page.text(protocol.about)
    if protocol.flag:
        page.note(f"Flagged: {protocol.flag}.")
    tagging = protocol.tagging
    others = ["PR-AUC"] if tagging else [m for m in (*statistics.METRICS, "calibration error") if m != protocol.metric]
    rows = []
    for result in results:
        row = result.row()
        tested = controls_of(result.features) if result.probe == "chosen" else []
        p = [study.p_values.get((protocol.name, result.features, control)) for control in tested]
        rows.append(
            [
                result.features,
                "LR + SVM" if tagging else result.probe,
                f"{row['score']:.3f}",
                f"{row['low']:.3f} to {row['high']:.3f}",
                *(f"{row[other]:.3f}" for other in others),
                *(["" if one is None else f"{one:.4f}" for one in p] + ["", ""])[:2],
            ]
        )
    head = ["features", "probe", protocol.metric, "95 % interval", *(name.removesuffix(" error") for name in others)]
    page.table([*head, "p, handcrafted", "p, random"], rows)
    first = results[0].row()
    repetitions = max(len(r.probabilities) for r in results)
    page.text(f"{first['songs']} songs scored, {first['groups']} groups, {repetitions} repetition(s).")
    if not tagging:
        shown = [r for r in results if r.probe.startswith("report's head") or r.probe == "xgboost"]
        leader = max((r for r in results if r.probe == "chosen"), key=lambda r: float(r.row()["score"]), default=None)
        for result in [*([leader] if leader else []), *shown]:
            _classes(page, result)


def _classes(page: Page, result: Result) -> None:
    """Precision, recall, F1 and support of each class, with the confusion matrix."""
    counts = result.counts.sum(0)
    found = statistics.per_class(counts)
    page.begin_card()
    page.heading(f"{result.features}, {result.probe}: {result.task.name}")
    rows = [
        [name, *(f"{found[k][i]:.2f}" for k in ("precision", "recall", "f1")), f"{found['support'][i]:.0f}"]
        for i, name in enumerate(result.task.classes)
    ]
    page.table(["class", "precision", "recall", "F1", "support"], rows)
    page.figure(clusters.confusion(np.round(counts).astype(int), result.task.classes), "confusion matrix")
    page.end_card()


def _clusters(page: Page, study: Study) -> None:
    page.section("Clusters")
    page.text(f"Songs of {study.about['clustered']}, as many groups as classes; labels only score. Means over seeds.")
    rows = []
    for kind, found in study.clusterings.items():
        for (method, space), group in _grouped(found).items():
            mean = [np.mean([getattr(c, name) for c in group]) for name in ("ari", "ami", "v_measure")]
            rows.append([kind, method, space, *(f"{value:.3f}" for value in mean), str(len(group))])
    page.table(["features", "method", "space", "ARI", "AMI", "V-measure", "seeds"], rows)
    for kind, found in study.clusterings.items():
        if "-random:" not in kind:
            shown = next(c for c in found if c.method == "kmeans" and c.pca == 2)
            page.begin_card()
            page.heading(f"{kind}: K-Means on PCA(2), AMI {shown.ami:.3f}")
            page.figure(
                clusters.scatter(shown.coordinates, study.cluster_labels, shown.assignment), f"clusters of {kind}"
            )
            page.end_card()


def _grouped(found: Sequence[Clustering]) -> dict[tuple[str, str], list[Clustering]]:
    made: dict[tuple[str, str], list[Clustering]] = {}
    for one in found:
        made.setdefault((one.method, one.space), []).append(one)
    return made


def _method(page: Page, study: Study) -> None:
    page.section("How it was done")
    page.text(
        "A latent's vector is the mean, the standard deviation and the mean size of the frame-to-frame change of "
        "each channel over the song (for sparse models the mean and spread of log energy in 64 bands). Vectors are "
        "standardised inside the fold, each number clipped at 8 spreads, and the blocks of joined features have "
        "fixed weights, whatever their sizes. 'chosen' is the better of logistic regression and a radial SVM with "
        "their strengths, chosen by three folds of the training rows that keep groups whole; one temperature "
        "from those folds calibrates its probabilities. Tags have nothing to choose: the mean of a "
        "logistic regression and an SVM each. Intervals resample whole groups (artists; "
        "recordings in P10); p-values (against hand-crafted features, and for a latent, or layers, against the "
        "network with random weights) exchange whole groups between two models' answers."
    )
    if any(r.probe == late.BOTH for r in study.results):
        page.text(
            f"'{late.LATE}' trains musicnn's last hidden layer further inside every training fold, with a new "
            f"output layer; '{late.BOTH}' is the mean of its probabilities and the chosen probe's. Both as they "
            "stand, with nothing chosen under the protocol: length and rates are those chosen for cross."
        )
    if any(r.probe == cross.BOTH for r in study.results):
        page.text(
            f"Under cross, '{cross.COPIES}' is a calibrated logistic regression that also trains on an altered copy "
            f"of each clip (band limit, other coder, other level); '{cross.LATE}' trains musicnn's last hidden layer "
            "further on the same. What was tried was ranked by folds of the training collection alone. "
            f"'{cross.STANDARDISED}' scales each collection by its own mean and spread: it sees the scored songs, "
            "without labels, and stands apart for that."
        )
    kinds = list(dict.fromkeys(r.features for r in study.results))
    page.table(["features", "what they are"], [[kind, _words(kind)] for kind in kinds])


def _words(kind: str) -> str:
    """What a kind of features is."""
    prefix = f"{kind.partition(':')[0]}:"
    if kind in [f"latent:{entry.name}" for entry in registry.shipped(registry.Role.BASELINE)]:
        return "control: a baseline of signal processing on MDCT coefficients"
    return KIND_WORDS.get(kind, KIND_WORDS.get(prefix, ""))
