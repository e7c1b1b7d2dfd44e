"""The page of a study: tables by protocol, the report's numbers beside ours, confusions, clusters, in words too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from celesta.cluster import Clustering
from celesta.probes import scores
from celesta.probes.run import Result
from celesta.report import clusters
from celesta.report.figures import CHANGED, ORIGINAL, THIRD
from celesta.report.html import Page
from celesta.study import Study

REPORT = (
    ("own classifier, best of LR, SiLU, 2", "accuracy", ".52 (52 of 100)", ("P4", "report's head")),
    ("XGBoost on CELAutoencoder2", "accuracy", ".49 (49 of 99)", ("naive", "xgboost")),
)
REPORT_CLUSTERS = {"kmeans": (0.079, 0.138), "gmm": (0.084, 0.139), "ward": (0.082, 0.125)}
WHY = (
    "They are not the same experiment: the report took ten genres and a split that it does not state (a plain random "
    "one, by its size), one run, about 100 songs. Here four genres are complete, artists and recordings are kept "
    "apart, intervals are over artists, and the encoders are trained further on other songs."
)
KIND_WORDS = {
    "celesta-features": "musicnn (MSD, MTT: outside weights that saw genre words), hand-crafted, rhythm",
    "musicnn": "MSD_musicnn alone (outside weights that saw genre words)",
    "celesta-ssl": "trained here without labels and without outside weights",
    "handcrafted": "control: MFCC, deltas, chroma, contrast, centroid, ...",
}


def write_page(study: Study, path: str | Path) -> Path:
    """Write one self-contained HTML page of a study; its path comes back."""
    page = Page(
        "Celesta: what the latents know", "Probes and clusters on features of whole songs, controls in every table."
    )
    names = list(dict.fromkeys(r.protocol.name for r in study.results))
    _summary(page, study, names)
    for name in names:
        _protocol(page, study, [r for r in study.results if r.protocol.name == name])
    _report(page, study)
    _clusters(page, study)
    _method(page, study)
    about = study.about
    return page.write(
        Path(path), f"Celesta {about['celesta']}; seeds {about['seeds']}; {about['seconds']['all']:.0f} s"
    )


def summary_figure(study: Study) -> Figure:
    """Scores of every kind of features under the honest protocols, hand-crafted features as a line."""
    best = {(r.protocol.name, r.features): float(r.row()["score"]) for r in study.results if r.probe == "chosen"}
    flagged = {r.protocol.name for r in study.results if r.protocol.flag}
    names = [n for n in dict.fromkeys(n for n, _ in best) if n not in flagged] or list(flagged)
    kinds = list(dict.fromkeys(kind for _, kind in best))
    figure = Figure(figsize=(2.2 * len(names) + 1.6, 0.5 + 0.22 * len(kinds)), layout="constrained")
    panes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panes, names, strict=True):
        metric = next(r.protocol.metric for r in study.results if r.protocol.name == name)
        values = [best.get((name, kind), 0.0) for kind in kinds]
        colours = [THIRD if k.startswith("latent") else CHANGED if k == "handcrafted" else ORIGINAL for k in kinds]
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
    best: dict[tuple[str, str], Result] = {
        (r.protocol.name, r.features): r for r in study.results if r.probe == "chosen"
    }
    kinds = list(dict.fromkeys(kind for _, kind in best))
    rows = []
    for kind in kinds:
        cells = [kind]
        for name in names:
            found = best.get((name, kind))
            cells.append(f"{found.row()['score']:.3f}" if found else "")
        rows.append(cells)
    heads = [f"{n} ({next(r for r in study.results if r.protocol.name == n).protocol.metric})" for n in names]
    page.table(["features", *heads], rows)
    page.figure(summary_figure(study), "scores of all features under the honest protocols")
    for kind in kinds:
        if kind.startswith("latent:"):
            page.text(_in_words(study, best, kind, names))
    for name, reason in study.skipped.items():
        page.note(f"{name} was left out: {reason}")
    if study.failures:
        page.note(f"{len(study.failures)} tracks could not be read and are left out.")
        page.table(["track", "reason"], [[p.name, why] for p, why in study.failures.items()])


def _in_words(study: Study, best: dict[tuple[str, str], Result], kind: str, names: Sequence[str]) -> str:
    """Which controls a latent does not beat, said plainly."""
    controls = ["handcrafted", kind.replace("latent:", "latent-random:"), "latent:linear-64"]
    lost: list[str] = []
    for control in controls:
        if control == kind:
            continue
        where = [
            n for n in names
            if (n, kind) in best and (n, control) in best
            and best[n, kind].row()["score"] <= best[n, control].row()["score"]
        ]  # fmt: skip
        if where:
            lost.append(f"{control} under {', '.join(where)}")
    if not lost:
        return f"{kind} beats all of its controls under every protocol."
    return f"{kind} does not beat " + "; nor ".join(lost) + "."


def _protocol(page: Page, study: Study, results: Sequence[Result]) -> None:
    protocol = results[0].protocol
    page.section(protocol.name)
    page.text(protocol.about)
    if protocol.flag:
        page.note(f"Flagged: {protocol.flag}.")
    tagging = protocol.tagging
    others = ["PR-AUC"] if tagging else [m for m in (*scores.METRICS, "calibration error") if m != protocol.metric]
    rows = []
    for result in results:
        row = result.row()
        p = study.p_values.get((protocol.name, result.features)) if result.probe == "chosen" else None
        rows.append(
            [
                result.features,
                "LR + SVM" if tagging else result.probe,
                f"{row['score']:.3f}",
                f"{row['low']:.3f} to {row['high']:.3f}",
                *(f"{row[other]:.3f}" for other in others),
                "" if p is None else f"{p:.4f}",
            ]
        )
    page.table(
        ["features", "probe", protocol.metric, "95 % interval over groups", *others, "p against handcrafted"], rows
    )
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
    found = scores.per_class(counts)
    page.begin_card()
    page.heading(f"{result.features}, {result.probe}: {result.protocol.name}")
    rows = [
        [name, *(f"{found[k][i]:.2f}" for k in ("precision", "recall", "f1")), f"{found['support'][i]:.0f}"]
        for i, name in enumerate(result.protocol.classes)
    ]
    page.table(["class", "precision", "recall", "F1", "support"], rows)
    page.figure(clusters.confusion(np.round(counts).astype(int), result.protocol.classes), "confusion matrix")
    page.end_card()


def _report(page: Page, study: Study) -> None:
    page.section("The report's numbers")
    page.note(WHY)
    rows = []
    for what, metric, theirs, (protocol, probe) in REPORT:
        for result in study.results:
            if (
                result.protocol.name == protocol
                and result.probe.startswith(probe)
                and result.features.startswith("latent:")
            ):
                ours = result.row()["accuracy"]
                rows.append([what, metric, theirs, f"{result.features}, {result.probe}, {protocol}", f"{ours:.3f}"])
    kind = "latent:cel-silu"
    for method, (ari, ami) in REPORT_CLUSTERS.items():
        found = [c for c in study.clusterings.get(kind, []) if c.method == method and c.pca == 2]
        if found:
            ours_ari, ours_ami = (np.mean([getattr(c, score) for c in found]) for score in ("ari", "ami"))
            where = f"{kind}, PCA(2), {study.about['clustered']} songs"
            rows.append(
                [
                    f"{method} on PCA(2) of SiLU",
                    "ARI / AMI",
                    f"{ari} / {ami}",
                    where,
                    f"{ours_ari:.3f} / {ours_ami:.3f}",
                ]
            )
    page.table(["the report", "score", "theirs", "ours: what", "ours"], rows)


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
        if not kind.startswith("latent-random"):
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
        "standardised inside the fold, each number clipped at 8 spreads, and the blocks of joined features weigh "
        "the same. 'chosen' is the better of logistic regression and a radial SVM with their strengths, chosen by "
        "three folds of the training rows that keep groups whole. Tags have nothing to choose: the mean of a "
        "logistic regression and an SVM each. Intervals resample whole groups (artists; recordings in P10); "
        "p-values exchange whole groups between two models' answers."
    )
    rows = [[kind, words] for kind, words in KIND_WORDS.items() if kind in study.clusterings]
    page.table(["features", "what they are"], rows)
