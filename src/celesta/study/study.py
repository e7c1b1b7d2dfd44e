"""The study: features once, then every protocol, the report's classifier and the clusterings; all of it as data."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
import torch

from celesta import datasets
from celesta._device import threads
from celesta._version import __version__
from celesta.datasets import Track
from celesta.errors import DataError, MissingExtraError
from celesta.features import FeatureCache, extract
from celesta.features.cache import Key
from celesta.features.fusion import Blocks, blocks, needed
from celesta.models import registry
from celesta.models.registry import Role
from celesta.probes import clustering, protocols, statistics
from celesta.probes.clustering import Clustering
from celesta.probes.cross_validation import Result, compare, run
from celesta.probes.estimators import probe as make_probe
from celesta.probes.protocols import Protocol
from celesta.study import cross_collection, finetuned_heads, late_layers
from celesta.study.memo import PROBES_VERSION, asked, choices_in, kept, with_choices

REPORT = tuple(entry.name for entry in registry.shipped(Role.REPORT))
_TRAINED = [entry.name for entry in registry.shipped() if entry.model.capabilities.has_weights]
CONTROLS = ("handcrafted", *(f"latent-random:{name}" for name in _TRAINED), "layers-random:nested")
DEFAULT_KINDS = (
    *(f"latent:{entry.name}" for entry in registry.shipped()),
    "layers:nested",
    *CONTROLS,
    "celesta-ssl",
    "celesta-unlabelled",
    "musicnn",
    "celesta-features",
)
LEADER = "celesta-features"
SEEDS = (0, 1, 2, 3, 4)
CLUSTER_SEEDS = (0, 1, 2, 3, 4)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Study:
    """Everything the study found.

    Attributes:
        results: predictions, see :class:`celesta.probes.cross_validation.Result`.
        clusterings: kind of features to its clusterings.
        cluster_labels: ``(songs,)`` names of the clustered songs' classes.
        p_values: (protocol, features, control) to the p-value of their difference, both with the chosen probe; the
            controls are hand-crafted features and, for a latent, the same network with random weights.
        failures: tracks that could not be read, with the reason.
        about: data, seeds, versions, times.
    """

    results: list[Result]
    clusterings: dict[str, list[Clustering]]
    cluster_labels: np.ndarray
    p_values: dict[tuple[str, str, str], float]
    failures: dict[Path, str]
    skipped: dict[str, str]
    about: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`to_json` writes: rows, per-class tables, confusion matrices, clusters."""
        rows = []
        for result in self.results:
            row = result.row()
            for control in controls_of(result.features) if result.probe == "chosen" else ():
                p = self.p_values.get((result.task.name, result.features, control))
                row["p against " + control.partition(":")[0]] = p
            if not result.task.tagging:
                counts = result.counts.sum(0)
                row["classes"] = list(result.task.classes)
                row["confusion"] = counts.round(3).tolist()
                row["per class"] = {k: v.round(4).tolist() for k, v in statistics.per_class(counts).items()}
            rows.append(row)
        return {
            "about": self.about,
            "rows": rows,
            "clusters": {kind: [c.row() for c in found] for kind, found in self.clusterings.items()},
            "failures": {str(path): reason for path, reason in self.failures.items()},
            "skipped": self.skipped,
        }

    def to_json(self, path: str | Path) -> Path:
        """Write everything but the pictures."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")
        return path


def study(
    data: Sequence[str | Path],
    *,
    kinds: Sequence[str] = DEFAULT_KINDS,
    cache: str | Path = "cache/features",
    lists: str | Path | None = None,
    seeds: Sequence[int] = SEEDS,
    classifier: Sequence[str] = finetuned_heads.MODELS,
    workers: int = 0,
    progress: Progress | None = None,
) -> Study:
    """Run everything that the data allow.

    Args:
        data: folders: GTZAN, 4QAED, or any with one sub-folder a class.
        kinds: of features, see :func:`celesta.features.names`, and ``celesta-features``, ``musicnn``.
        cache: folder of features, which makes the study resumable.
        lists: folder of GTZAN's lists.
        seeds: of the repeated folds.
        classifier: models to train the report's own classifier on; none to leave it out.
        workers: processes; 0 for one a core.
        progress: told (what, done, of how many).

    Raises:
        DataError: no protocol fits the data.
        UsageError, ModelError: a kind is unknown or its weights are missing.
    """
    began, tell = time.monotonic(), progress or (lambda *_: None)
    workers = workers or os.cpu_count() or 1
    tracks = datasets.load(data, lists=lists)
    store = FeatureCache(cache)
    with threads(1):  # a song a core is faster than a core's share of every song
        paths, told = [t.path for t in tracks], lambda i, n: tell("features", i, n)
        extracted = extract(paths, needed(kinds), store, told, workers, _rows(tracks, kinds, classifier))
    extracting = time.monotonic() - began
    readable = set(extracted.paths)
    tracks = [t for t in tracks if t.path in readable]
    chosen, skipped = _protocols(tracks, seeds)
    jobs = _jobs(chosen, kinds, skipped)
    vectors = {(p.name, k): blocks(extracted, k, [t.path for t in p.tracks]) for p, k, _ in jobs}
    parallel = joblib.Parallel(n_jobs=min(workers, len(jobs)), return_as="generator")
    results: list[Result] = []
    folder = store.folder
    for result in parallel(joblib.delayed(_run)(p, *vectors[p.name, k], probe, k, folder) for p, k, probe in jobs):
        results.append(result)
        tell("probes", len(results), len(jobs))
    published = next((p for p in chosen if p.name == "P4"), None)
    if published is not None and classifier:
        results += finetuned_heads.results(published, classifier, store, workers, lambda text: tell(text, 0, 1))
    for protocol in (p for p in chosen if p.name in late_layers.PROTOCOLS and LEADER in kinds):
        tell(f"late layers under {protocol.name}", 0, 1)
        leader = next(r for r in results if (r.task.name, r.features, r.probe) == (protocol.name, LEADER, "chosen"))
        results += late_layers.results(protocol, leader, store, workers)
    crossed = next((p for p in chosen if p.name == "cross"), None)
    if crossed is not None and LEADER in kinds:
        tell("from one collection to another", 0, 1)
        results += cross_collection.results(crossed, extracted, LEADER, store, workers)
    clustered = published or chosen[0]
    clusterings = {}
    if not clustered.tagging:
        paths = [t.path for t in clustered.tracks]
        sets = (blocks(extracted, kind, paths) for kind in kinds)
        parallel = joblib.Parallel(n_jobs=min(workers, len(kinds)), return_as="generator")
        made = parallel(joblib.delayed(_clusters)(X, weighed, clustered.labels) for X, weighed in sets)
        for kind, several in zip(kinds, made, strict=True):
            clusterings[kind] = several
            tell("clusters", len(clusterings), len(kinds))
    about = {
        "celesta": __version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "tracks": {name: sum(t.dataset == name for t in tracks) for name in ("gtzan", "4qaed", "folder")},
        "protocols": {p.name: {"about": p.about, "flag": p.flag} for p in chosen},
        "seeds": list(seeds),
        "seconds": {"features": round(extracting, 1), "all": round(time.monotonic() - began, 1)},
        "clustered": clustered.name,
    }
    labels = clustered.labels if not clustered.tagging else np.array([])
    return Study(results, clusterings, labels, _p_values(results), extracted.failures, skipped, about)


def _rows(tracks: Sequence[Track], kinds: Sequence[str], classifier: Sequence[str]) -> list[str]:
    """What else is asked of the songs, measured in the same pass: patches for late layers, windows for the head."""
    patches = [late_layers.PATCHES] if LEADER in kinds and any(t.dataset != "folder" for t in tracks) else []
    windows = [f"windows:{model}" for model in classifier if f"latent:{model}" in kinds]
    return patches + (windows if any(t.dataset == "gtzan" for t in tracks) else [])


def _protocols(tracks: Sequence[Track], seeds: Sequence[int]) -> tuple[list[Protocol], dict[str, str]]:
    """Every protocol that these tracks allow, and why the others are left out."""
    here = {t.dataset for t in tracks}
    if here == {"folder"}:
        return [protocols.folder(tracks, seeds)], {}
    makers: dict[str, Callable[[], Protocol]] = {}
    if "gtzan" in here:
        makers |= {
            "P4": lambda: protocols.p4(tracks),
            "P10": lambda: protocols.p10(tracks, seeds),
            "naive": lambda: protocols.naive(tracks, seeds),
        }
        counts = [sum(t.label == genre and t.split == "test" for t in tracks) for genre in datasets.GTZAN_GENRES]
        if min(counts) >= 10:
            makers["full"] = lambda: protocols.full(tracks)
    if "4qaed" in here:
        makers |= {"mood": lambda: protocols.mood(tracks, seeds), "tags": lambda: protocols.tags(tracks, seeds)}
    if {"gtzan", "4qaed"} <= here:
        makers["cross"] = lambda: protocols.cross(tracks)
    made, skipped = [], {}
    for name, make in makers.items():
        try:
            made.append(make())
        except DataError as error:
            skipped[name] = str(error)
    if not made:
        raise DataError("; ".join(f"{name}: {reason}" for name, reason in skipped.items()))
    return made, skipped


def _jobs(chosen: Sequence[Protocol], kinds: Sequence[str], skipped: dict[str, str]) -> list[tuple[Protocol, str, str]]:
    """Which probe on which features under which protocol: the better of two everywhere, all where it is cheap."""
    try:
        make_probe("xgboost")
        trees = True
    except MissingExtraError as error:
        skipped["xgboost"], trees = str(error), False
    jobs = []
    for protocol in chosen:
        for kind in kinds:
            jobs.append((protocol, kind, "chosen"))
            if protocol.name in ("P4", "full", "folder"):
                jobs += [(protocol, kind, probe) for probe in ("lr", "svm", "mlp")]
            if trees and (protocol.name in ("P4", "full") or (protocol.name == "naive" and kind in _LATENTS)):
                jobs.append((protocol, kind, "xgboost"))
    return jobs


_LATENTS = tuple(f"latent:{name}" for name in REPORT)


@threads(1)
def _run(protocol: Protocol, X: np.ndarray, weighed: Blocks, probe: str, kind: str, folder: Path) -> Result:
    """One result, from the cache where the same vectors were asked the same."""
    if probe == "xgboost" and protocol.name == "naive":  # a repetition is enough to stand beside the report's one split
        first = [split for split in protocol.splits if split.seed == protocol.splits[0].seed]
        protocol = Protocol(**{**vars(protocol), "splits": first})
    key = Key(asked(protocol, X, weighed), f"probe:{protocol.name}:{probe}", "", PROBES_VERSION)

    def make() -> dict[str, np.ndarray]:
        made = run(protocol, X, probe, features=kind, blocks=weighed)
        return {"rows": made.rows, "probabilities": made.probabilities, **with_choices(made.choices)}

    arrays = kept(FeatureCache(folder), key, make)
    rows, probabilities = arrays["rows"].astype(int), arrays["probabilities"].astype(np.float64)
    return Result(protocol, kind, probe, rows, probabilities, choices_in(arrays))


def _clusters(X: np.ndarray, weighed: Blocks, labels: np.ndarray) -> list[Clustering]:
    """The report's PCA(2), PCA(20) and all numbers; starts are averaged over seeds where they matter."""
    several = clustering.sweep(X, labels, methods=("kmeans", "gmm"), seeds=CLUSTER_SEEDS, blocks=weighed)
    return several + clustering.sweep(X, labels, methods=("ward", "spectral"), blocks=weighed)


def controls_of(kind: str) -> list[str]:
    """What a kind of features is tested against: hand-crafted features and its own network before training."""
    controls = [] if kind == "handcrafted" else ["handcrafted"]
    if kind.startswith(("latent:", "layers:")):
        controls.append(kind.replace(":", "-random:", 1))
    return controls


def _p_values(results: Sequence[Result]) -> dict[tuple[str, str, str], float]:
    chosen = {(r.task.name, r.features): r for r in results if r.probe == "chosen"}
    return {
        (protocol, kind, control): compare(result, chosen[protocol, control])
        for (protocol, kind), result in chosen.items()
        for control in controls_of(kind)
        if (protocol, control) in chosen
    }
