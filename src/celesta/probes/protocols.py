"""Protocols: tracks, labels, groups, folds and metric of each experiment, in one table.

P4 and P10 are on GTZAN, mood and tags on 4QAED; cross trains on 4QAED and scores GTZAN; naive shows by how much a
random split overstates scores; folder takes any labelled folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from celesta.datasets import GTZAN_GENRES, Track, normalise_name
from celesta.errors import DataError
from celesta.probes import splits
from celesta.probes.cross_validation import SEEDS, Task
from celesta.probes.splits import Split

FOLDS = 5
COMPLETE = ("blues", "classical", "country", "metal")
"""Genres of GTZAN whose published lists are complete in the evaluation data."""
TAG_CLIPS = 30
"""Clips that a genre tag needs, six a fold, so that every fold has some."""
COMPLETE_TEST_TRACKS = 10
"""Test tracks of every genre from which GTZAN counts as complete; the smallest published test list has more."""
CROSS = {
    "Pop/Rock": "pop+rock",
    "Rap": "hiphop",
    "Jazz": "jazz",
    "Reggae": "reggae",
    "Country": "country",
    "Blues": "blues",
}
"""Genres of 4QAED to classes that both collections have."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Protocol(Task):
    """A task on the tracks of data sets, ready to be run on any features of these tracks.

    Attributes:
        tracks: a track for each row of the task.
    """

    tracks: list[Track]


def p4(tracks: Sequence[Track]) -> Protocol:
    """Return the published split of the four genres whose lists are complete."""
    mine = [t for t in tracks if t.dataset == "gtzan" and t.split != "faulty" and t.label in COMPLETE]
    return _single(
        "P4", mine, [t.group for t in mine], splits.published([t.split for t in mine]), "accuracy",
        about="GTZAN, blues, classical, country and metal: published fault-filtered, artist-aware split; "
        "train and valid lists train, choices by folds among them, test list scored. Metal's lists share two artists, "
        "as published.",
    )  # fmt: skip


def full(tracks: Sequence[Track]) -> Protocol:
    """Return the published split of all ten genres, for the complete GTZAN."""
    mine = [t for t in tracks if t.dataset == "gtzan" and t.split != "faulty"]
    return _single(
        "full", mine, [t.group for t in mine], splits.published([t.split for t in mine]), "accuracy",
        about="GTZAN, ten genres: published fault-filtered, artist-aware split.",
    )  # fmt: skip


def p10(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS) -> Protocol:
    """Return folds of all genres of the filtered lists that keep recordings whole."""
    mine = [t for t in tracks if t.dataset == "gtzan" and t.split != "faulty"]
    groups = [recording(t) for t in mine]
    folds = splits.grouped([t.label for t in mine], groups, FOLDS, seeds)
    return _single(
        "P10", mine, groups, folds, "macro-F1",
        flag="optimistic: grouped by recording, not by artist, since some genres have a handful of artists",
        about="GTZAN, every excerpt of the filtered lists that is here: 5 stratified folds grouped by recording.",
    )  # fmt: skip


def naive(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS) -> Protocol:
    """Return random folds of excerpts, faulty ones and replicas included, as the 2024 report probably did."""
    mine = [t for t in tracks if t.dataset == "gtzan"]
    return _single(
        "naive", mine, [t.group for t in mine], splits.naive([t.label for t in mine], FOLDS, seeds), "accuracy",
        flag="leaky: artists, records and exact replicas are on both sides",
        about="GTZAN, all excerpts that are here: 5 stratified folds of single excerpts.",
    )  # fmt: skip


def mood(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS) -> Protocol:
    """Return folds of the four mood quadrants, grouped by artist."""
    mine = [t for t in tracks if t.dataset == "4qaed"]
    groups = [t.group for t in mine]
    folds = splits.grouped([t.label for t in mine], groups, FOLDS, seeds)
    return _single("mood", mine, groups, folds, "macro-F1", about="4QAED, four quadrants: 5 folds grouped by artist.")


def tags(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS) -> Protocol:
    """Return folds of the genre tags with enough clips, several a clip, grouped by artist."""
    mine = [t for t in tracks if t.dataset == "4qaed"]
    found = [genres(t) for t in mine]
    counts = Counter(name for names in found for name in names)
    classes = tuple(sorted(name for name, count in counts.items() if count >= TAG_CLIPS))
    if not classes:
        raise DataError(f"tags: no genre tag has {TAG_CLIPS} clips; the whole of 4QAED is needed")
    labels = np.array([[name in names for name in classes] for names in found])
    # Folds are balanced by the rarest tag of a clip, which is the one that an unlucky fold could miss.
    rarest = [min((n for n in names if n in classes), key=lambda n: counts[n], default="none") for names in found]
    groups = np.array([t.group for t in mine])
    folds = splits.grouped(rarest, groups, FOLDS, seeds)
    about = f"4QAED, {len(classes)} genre tags with at least {TAG_CLIPS} clips: 5 folds grouped by artist."
    return Protocol("tags", labels, classes, groups, folds, "ROC-AUC", "", about, tracks=list(mine))


def cross(tracks: Sequence[Track]) -> Protocol:
    """Train on 4QAED's single-genre clips and score GTZAN; artists of both are left out of the training."""
    theirs = [t for t in tracks if t.dataset == "gtzan" and t.split != "faulty"]
    theirs = [t for t in theirs if t.label in {"pop", "rock", *CROSS.values()}]
    known = {normalise_name(t.group) for t in theirs}
    mine = [t for t in tracks if t.dataset == "4qaed" and len(genres(t)) == 1 and genres(t)[0] in CROSS]
    shared = [t for t in mine if normalise_name(t.extra["artist"]) in known]
    mine = [t for t in mine if normalise_name(t.extra["artist"]) not in known]
    if not mine or not theirs:
        raise DataError("cross: it needs both GTZAN and 4QAED")
    labels = [CROSS[genres(t)[0]] for t in mine]
    labels += ["pop+rock" if t.label in ("pop", "rock") else t.label for t in theirs]
    # The collections spell artists differently: groups of the two sides must never mix.
    groups = [f"4qaed {t.group}" for t in mine] + [t.group for t in theirs]
    split = Split(np.arange(len(mine)), np.arange(len(mine), len(mine) + len(theirs)))
    return _single(
        "cross", [*mine, *theirs], groups, [split], "balanced accuracy", labels=labels,
        about=f"Trained on {len(mine)} single-genre clips of 4QAED, scored on {len(theirs)} excerpts of GTZAN's "
        f"filtered lists; {len(shared)} clips of artists in both are left out.",
    )  # fmt: skip


def folder(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS, folds: int | None = None) -> Protocol:
    """Return folds of any labelled tracks that keep their groups whole.

    Args:
        tracks: those of other data sets and those without a label are left out.
        seeds: one repetition each.
        folds: number of folds; None for 5, or as many as the class with the fewest groups allows.

    Raises:
        DataError: no track has a label, or a class has fewer groups than there are folds.
    """
    mine = [t for t in tracks if t.dataset == "folder" and t.label]
    if not mine:
        raise DataError("no track has a label; give a folder with one sub-folder a class, or a CSV of labels")
    labels, groups = [t.label for t in mine], [t.group for t in mine]
    count = splits.fitting_folds(labels, groups, FOLDS) if folds is None else folds
    made = splits.grouped(labels, groups, count, seeds)
    alone = len(set(groups)) == len(groups)
    flag = "groups unknown: songs of one artist may be on both sides" if alone else ""
    about = f"{count} folds grouped by the groups given."
    if folds is None and count < FOLDS:
        about += f" {count} instead of {FOLDS}, because a class has no more than {count} groups."
    return _single("folder", mine, groups, made, "macro-F1", flag, about)


def genres(track: Track) -> list[str]:
    """Return the AllMusic genres of a 4QAED clip."""
    return [name.strip() for name in track.extra.get("genres", "").split(";") if name.strip()]


def recording(track: Track) -> str:
    """Return the group of P10: title and artist, or the excerpt itself where no title is known."""
    title = normalise_name(track.extra.get("title", ""))
    return f"{normalise_name(track.group)}/{title}" if title else track.id


def _single(
    name: str,
    tracks: Sequence[Track],
    groups: Sequence[str],
    made: list[Split],
    metric: str,
    flag: str = "",
    about: str = "",
    labels: Sequence[str] | None = None,
) -> Protocol:
    if not tracks:
        raise DataError(f"{name}: none of its tracks is here")
    values = np.array([t.label for t in tracks] if labels is None else list(labels))
    classes = tuple(np.unique(values).tolist())
    return Protocol(name, values, classes, np.array(list(groups)), made, metric, flag, about, tracks=list(tracks))


@dataclass(frozen=True)
class Entry:
    """A protocol of the table.

    Attributes:
        make: tracks, seeds and the number of folds (None for the protocol's own) to the protocol.
        fits: whether these tracks are what it needs.
        probes: run on every feature, in addition to the chosen one.
        latent_probes: run on the latents of the 2024 report's models only, on the first repetition.
        late_layers: whether the study also trains a tagger's late layers under it.
    """

    make: Callable[[Sequence[Track], Sequence[int], int | None], Protocol]
    fits: Callable[[Sequence[Track]], bool]
    probes: tuple[str, ...] = ()
    latent_probes: tuple[str, ...] = ()
    late_layers: bool = False


def _has(*datasets: str) -> Callable[[Sequence[Track]], bool]:
    return lambda tracks: set(datasets) <= {t.dataset for t in tracks}


def _complete_gtzan(tracks: Sequence[Track]) -> bool:
    counts = Counter(t.label for t in tracks if t.dataset == "gtzan" and t.split == "test")
    return all(counts[genre] >= COMPLETE_TEST_TRACKS for genre in GTZAN_GENRES)


_SINGLE = ("lr", "svm", "mlp")
PROTOCOLS: dict[str, Entry] = {
    "P4": Entry(lambda tracks, seeds, folds: p4(tracks), _has("gtzan"), (*_SINGLE, "xgboost"), late_layers=True),
    "P10": Entry(lambda tracks, seeds, folds: p10(tracks, seeds), _has("gtzan"), late_layers=True),
    "naive": Entry(lambda tracks, seeds, folds: naive(tracks, seeds), _has("gtzan"), latent_probes=("xgboost",)),
    "full": Entry(lambda tracks, seeds, folds: full(tracks), _complete_gtzan, (*_SINGLE, "xgboost")),
    "mood": Entry(lambda tracks, seeds, folds: mood(tracks, seeds), _has("4qaed"), late_layers=True),
    "tags": Entry(lambda tracks, seeds, folds: tags(tracks, seeds), _has("4qaed")),
    "cross": Entry(lambda tracks, seeds, folds: cross(tracks), _has("gtzan", "4qaed")),
    "folder": Entry(folder, _has("folder"), _SINGLE),
}
"""Name to protocol, in the order of the study. A new protocol is one entry."""
