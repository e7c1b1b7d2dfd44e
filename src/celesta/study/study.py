"""Run the study: features, probes of every protocol, the 2024 report's classifier, late layers, clusters."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn

from celesta import _device, datasets
from celesta._version import __version__
from celesta.datasets import Track
from celesta.errors import DataError, MissingExtraError
from celesta.features import FeatureCache, cache_folder, extract
from celesta.features.cache import Key
from celesta.features.extract import Features
from celesta.features.fusion import Blocks, blocks, needed
from celesta.models import registry
from celesta.models.registry import Role
from celesta.probes import clustering
from celesta.probes.clustering import Clustering
from celesta.probes.cross_validation import SEEDS, Result, compare, run
from celesta.probes.estimators import probe as make_probe
from celesta.probes.protocols import PROTOCOLS, Entry, Protocol
from celesta.study.memo import PROBES_VERSION, digest, pack_choices, remember, unpack_choices
from celesta.study.methods import CLASSIFIED, PATCHES
from celesta.study.optional import LEADER, computable
from celesta.study.result import CHOSEN, Study, controls_of

_TRAINED = [entry.name for entry in registry.shipped() if entry.capabilities.has_weights]
CONTROLS = ("handcrafted", *(f"latent-random:{name}" for name in _TRAINED), "layers-random:nested")
DEFAULT_FEATURES = (
    *(f"latent:{entry.name}" for entry in registry.shipped()),
    "layers:nested",
    *CONTROLS,
    "celesta-ssl",
    "celesta-unlabelled",
    "musicnn",
    LEADER,
)
CLUSTER_SEEDS = (0, 1, 2, 3, 4)
_REPORT_LATENTS = tuple(f"latent:{entry.name}" for entry in registry.shipped(Role.REPORT))
Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done, and their number."""
Job = tuple[Protocol, str, str]
"""Protocol, features and probe."""


def study(
    data: Sequence[str | Path],
    *,
    features: Sequence[str] = DEFAULT_FEATURES,
    cache: str | Path | None = None,
    lists: str | Path | None = None,
    seeds: Sequence[int] = SEEDS,
    classifier: Sequence[str] = CLASSIFIED,
    folds: int | None = None,
    encoding: str | None = None,
    workers: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> Study:
    """Run every protocol that fits the data on every feature.

    Features and predictions are cached, so that a study that was interrupted continues where it stopped. Without torch
    the features of untrained networks and of layers, the classifier and the late layers are left out, which the result
    says.

    Args:
        data: folders: GTZAN, 4QAED, or any with one sub-folder a class; CSV files of labels.
        features: names, see :func:`celesta.features.names`.
        cache: folder of features and predictions; None for the user's, see :func:`celesta.features.cache_folder`.
        lists: folder of GTZAN's lists.
        seeds: of the repeated folds.
        classifier: models to train the 2024 report's classifier on; empty to leave it out.
        folds: number of folds for labelled folders; None for 5, or as many as the smallest class allows.
        encoding: of CSV files, see :func:`celesta.datasets.load`.
        workers: number of processes; 0 for one a processor core.
        device: where the networks of features compute and the report's classifier is trained: ``auto``, ``cpu``,
            ``cuda`` or ``mps``. On a GPU one process does this. Probes, late layers and clusters use the processor.
        progress: see :data:`Progress`.

    Raises:
        DataError: no protocol fits the data.
        UsageError, ModelError: a feature is unknown or its weights are missing, or there is no such device.
        MissingExtraError: all of the features need torch, and it is not installed.

    Example::

        made = celesta.study.study(["gtzan", "4qaed"], features=["handcrafted", "latent:cel-2"])
        made.to_json("study.json")
    """
    _device.name(device)  # refused before anything is read
    names, absent = computable(features, classifier)
    if absent:
        classifier = ()
    count, tell = workers or os.cpu_count() or 1, progress or (lambda *_: None)
    steps = _Steps(names, FeatureCache(cache or cache_folder()), count, device, tell)
    made = steps.run(datasets.load(data, lists=lists, encoding=encoding), seeds, classifier, folds)
    return replace(made, skipped=absent | made.skipped)


@dataclass
class _Steps:
    """The steps of a study with what all of them need."""

    names: Sequence[str]
    cache: FeatureCache
    workers: int
    device: str
    tell: Progress

    def run(self, tracks: Sequence[Track], seeds: Sequence[int], classifier: Sequence[str], folds: int | None) -> Study:
        """Run all steps and collect what they return."""
        began = time.monotonic()
        protocols, skipped = _protocols(tracks, seeds, folds)  # refused here, before an hour of features
        extracted = self.extract(tracks, classifier)
        seconds = {"features": round(time.monotonic() - began, 1)}
        if extracted.failures:
            readable = set(extracted.paths)
            tracks = [t for t in tracks if t.path in readable]
            protocols, skipped = _protocols(tracks, seeds, folds)
        results = self.probes(protocols, extracted, skipped)
        results += self.heads(protocols, classifier)
        results += self.late_layers(protocols, results)
        results += self.across_collections(protocols, extracted)
        clustered = next((p for p in protocols if not p.tagging), None)
        clusterings = self.clusterings(clustered, extracted) if clustered else {}
        labels = clustered.labels if clustered else np.array([])
        seconds["all"] = round(time.monotonic() - began, 1)
        about = _about(tracks, protocols, seeds, clustered) | {"seconds": seconds}
        return Study(results, clusterings, labels, _p_values(results), extracted.failures, skipped, about)

    def extract(self, tracks: Sequence[Track], classifier: Sequence[str]) -> Features:
        """Extract all features, and what late layers and the report's classifier read, in one pass over the songs."""
        late = _device.has_torch() and LEADER in self.names and any(t.dataset != "folder" for t in tracks)
        rows = [PATCHES] if late else []
        if any(t.dataset == "gtzan" for t in tracks):
            rows += [f"windows:{model}" for model in classifier if f"latent:{model}" in self.names]
        paths = [t.path for t in tracks]
        with _device.threads(1):  # one song for each core is faster than all cores on one song
            return extract(
                paths, needed(self.names), self.cache, partial(self.tell, "features"), self.workers, rows,
                device=self.device,
            )  # fmt: skip

    def probes(self, protocols: Sequence[Protocol], features: Features, skipped: dict[str, str]) -> list[Result]:
        """Run the probes of every protocol on every feature."""
        jobs = _jobs(protocols, self.names, skipped)
        vectors = {(p.name, name): blocks(features, name, [t.path for t in p.tracks]) for p, name, _ in jobs}
        parallel = joblib.Parallel(n_jobs=min(self.workers, len(jobs)), return_as="generator")
        results: list[Result] = []
        for result in parallel(
            joblib.delayed(_run)(p, *vectors[p.name, name], probe, name, self.cache.folder) for p, name, probe in jobs
        ):
            results.append(result)
            self.tell("probes", len(results), len(jobs))
        return results

    def heads(self, protocols: Sequence[Protocol], classifier: Sequence[str]) -> list[Result]:
        """Train the 2024 report's classifier on the published split."""
        published = next((p for p in protocols if p.name == "P4"), None)
        if published is None or not classifier:
            return []

        from celesta.study import finetuned_heads

        def tell(text: str) -> None:
            self.tell(text, 0, 1)

        return finetuned_heads.results(published, classifier, self.cache, self.workers, tell, device=self.device)

    def late_layers(self, protocols: Sequence[Protocol], results: Sequence[Result]) -> list[Result]:
        """Train a tagger's late layers under the protocols of the table that ask for it."""
        found: list[Result] = []
        if not _device.has_torch():
            return found
        from celesta.study import late_layers

        chosen = {(r.task.name, r.features): r for r in results if r.probe == CHOSEN}
        for protocol in protocols:
            leader = chosen.get((protocol.name, LEADER))
            if _entry(protocol).late_layers and leader is not None:
                self.tell(f"late layers under {protocol.name}", 0, 1)
                found += late_layers.results(protocol, leader, self.cache, self.workers)
        return found

    def across_collections(self, protocols: Sequence[Protocol], features: Features) -> list[Result]:
        """Train on one collection, with copies and late layers, and score the other."""
        crossed = next((p for p in protocols if p.name == "cross"), None)
        if crossed is None or LEADER not in self.names or not _device.has_torch():
            return []
        from celesta.study import cross_collection

        self.tell("from one collection to another", 0, 1)
        return cross_collection.results(crossed, features, LEADER, self.cache, self.workers)

    def clusterings(self, protocol: Protocol, features: Features) -> dict[str, list[Clustering]]:
        """Cluster the songs of a protocol by every feature."""
        paths = [t.path for t in protocol.tracks]
        vectors = (blocks(features, name, paths) for name in self.names)
        parallel = joblib.Parallel(n_jobs=min(self.workers, len(self.names)), return_as="generator")
        jobs = parallel(joblib.delayed(_clusters)(X, sizes, protocol.labels) for X, sizes in vectors)
        found: dict[str, list[Clustering]] = {}
        for name, several in zip(self.names, jobs, strict=True):
            found[name] = several
            self.tell("clusters", len(found), len(self.names))
        return found


def _protocols(
    tracks: Sequence[Track], seeds: Sequence[int], folds: int | None
) -> tuple[list[Protocol], dict[str, str]]:
    """Every protocol that fits these tracks, and why others are left out."""
    protocols, skipped = [], {}
    for name, entry in PROTOCOLS.items():
        if entry.fits(tracks):
            try:
                protocols.append(entry.make(tracks, seeds, folds))
            except DataError as error:
                skipped[name] = str(error)
    if not protocols:
        raise DataError("; ".join(f"{name}: {reason}" for name, reason in skipped.items()))
    return protocols, skipped


def _jobs(protocols: Sequence[Protocol], names: Sequence[str], skipped: dict[str, str]) -> list[Job]:
    """The chosen probe everywhere, and the others that the table of protocols names."""
    absent: set[str] = set()
    for probe in {probe for p in protocols for probe in (*_entry(p).probes, *_entry(p).latent_probes)}:
        try:
            make_probe(probe)
        except MissingExtraError as error:
            absent.add(probe)
            skipped[probe] = str(error)
    jobs: list[Job] = []
    for protocol in protocols:
        entry = _entry(protocol)
        for name in names:
            probes = (CHOSEN, *entry.probes, *(entry.latent_probes if name in _REPORT_LATENTS else ()))
            jobs += [(protocol, name, probe) for probe in probes if probe not in absent]
    return jobs


def _entry(protocol: Protocol) -> Entry:
    return PROTOCOLS[protocol.name]


def _run(protocol: Protocol, X: np.ndarray, sizes: Blocks, probe: str, name: str, folder: Path) -> Result:
    """One result, from the cache where the same vectors, labels and folds were used before."""
    if probe in _entry(protocol).latent_probes:  # one repetition compares with the report's one split
        first = [split for split in protocol.splits if split.seed == protocol.splits[0].seed]
        protocol = replace(protocol, splits=first)
    key = Key(digest(protocol, X, sizes), f"probe:{protocol.name}:{probe}", "", PROBES_VERSION)

    def compute() -> dict[str, np.ndarray]:
        result = run(protocol, X, probe, features=name, blocks=sizes)
        return {"rows": result.rows, "probabilities": result.probabilities, **pack_choices(result.choices)}

    with _device.threads(1):
        arrays = remember(FeatureCache(folder), key, compute)
    rows, probabilities = arrays["rows"].astype(int), arrays["probabilities"].astype(np.float64)
    return Result(protocol, name, probe, rows, probabilities, unpack_choices(arrays))


def _clusters(X: np.ndarray, sizes: Blocks, labels: np.ndarray) -> list[Clustering]:
    """All methods and spaces; methods with random starts are repeated with several seeds."""
    random = clustering.sweep(X, labels, methods=("kmeans", "gmm"), seeds=CLUSTER_SEEDS, blocks=sizes)
    return random + clustering.sweep(X, labels, methods=("ward", "spectral"), blocks=sizes)


def _p_values(results: Sequence[Result]) -> dict[tuple[str, str, str], float]:
    chosen = {(r.task.name, r.features): r for r in results if r.probe == CHOSEN}
    return {
        (protocol, name, control): compare(result, chosen[protocol, control])
        for (protocol, name), result in chosen.items()
        for control in controls_of(name)
        if (protocol, control) in chosen
    }


def _about(
    tracks: Sequence[Track], protocols: Sequence[Protocol], seeds: Sequence[int], clustered: Protocol | None
) -> dict[str, Any]:
    return {
        "celesta": __version__,
        "scikit-learn": sklearn.__version__,
        "torch": _device.about()["torch"],
        "python": platform.python_version(),
        "tracks": {name: sum(t.dataset == name for t in tracks) for name in ("gtzan", "4qaed", "folder")},
        "protocols": {p.name: {"about": p.about, "flag": p.flag} for p in protocols},
        "seeds": list(seeds),
        "clustered": clustered.name if clustered else "",
    }
