"""The protocols: which tracks, which labels, which groups, which folds, which score counts.

Source: the data folder's README: P4 and P10 on GTZAN, mood, tags and cross on 4QAED, naive beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from celesta.datasets import Track, normalise_name
from celesta.errors import DataError
from celesta.probes import splits
from celesta.probes.splits import Split

COMPLETE = ("blues", "classical", "country", "metal")
TAG_CLIPS = 30
CROSS = {
    "Pop/Rock": "pop+rock",
    "Rap": "hiphop",
    "Jazz": "jazz",
    "Reggae": "reggae",
    "Country": "country",
    "Blues": "blues",
}
SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, eq=False)
class Protocol:
    """One experiment, ready to be run on any features of its tracks.

    Attributes:
        name: such as ``P4``.
        tracks: whose vectors are asked for, in order.
        labels: ``(n,)`` one class a track; for tags ``(n, tags)`` bool.
        classes: names of classes or tags.
        groups: ``(n,)`` names of what splits keep whole and intervals resample.
        splits: folds; all folds of one seed are a repetition.
        metric: that counts.
        flag: what is wrong with it, in words; "" for an honest one.
        about: one sentence.
    """

    name: str
    tracks: list[Track]
    labels: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray
    splits: list[Split]
    metric: str
    flag: str = ""
    about: str = ""
    dropped: dict[str, str] = field(default_factory=dict)

    @property
    def tagging(self) -> bool:
        """Whether a track may have several labels."""
        return self.labels.ndim == 2


def p4(tracks: Sequence[Track]) -> Protocol:
    """The published split on the four genres that are complete here, or on all ten where all are."""
    mine = [t for t in tracks if t.dataset == "gtzan" and t.split != "faulty" and t.label in COMPLETE]
    return _single(
        "P4", mine, [t.group for t in mine], splits.published([t.split for t in mine]), "accuracy",
        about="GTZAN, blues, classical, country and metal: published fault-filtered, artist-aware split; "
        "train and valid lists train, choices by folds among them, test list scored. Metal's lists share two artists, "
        "as published.",
    )  # fmt: skip


def full(tracks: Sequence[Track]) -> Protocol:
    """The published split on all ten genres, for whoever has the whole of GTZAN."""
    mine = [t for t in tracks if t.dataset == "gtzan" and t.split != "faulty"]
    return _single(
        "full", mine, [t.group for t in mine], splits.published([t.split for t in mine]), "accuracy",
        about="GTZAN, ten genres: published fault-filtered, artist-aware split.",
    )  # fmt: skip


def p10(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS) -> Protocol:
    """All ten genres of the filtered lists, folds that keep recordings whole."""
    mine = [t for t in tracks if t.dataset == "gtzan" and t.split != "faulty"]
    groups = [recording(t) for t in mine]
    folds = splits.grouped([t.label for t in mine], groups, 5, seeds)
    return _single(
        "P10", mine, groups, folds, "macro-F1",
        flag="optimistic: grouped by recording, not by artist, since some genres have a handful of artists",
        about="GTZAN, every excerpt of the filtered lists that is here: 5 stratified folds grouped by recording.",
    )  # fmt: skip


def naive(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS) -> Protocol:
    """Random folds of excerpts, faulty ones and replicas included, as the report seems to have done."""
    mine = [t for t in tracks if t.dataset == "gtzan"]
    return _single(
        "naive", mine, [t.group for t in mine], splits.naive([t.label for t in mine], 5, seeds), "accuracy",
        flag="leaky: artists, records and exact replicas stand on both sides",
        about="GTZAN, all excerpts that are here: 5 stratified folds of single excerpts.",
    )  # fmt: skip


def mood(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS) -> Protocol:
    """Four quadrants of mood, grouped by artist."""
    mine = [t for t in tracks if t.dataset == "4qaed"]
    groups = [t.group for t in mine]
    folds = splits.grouped([t.label for t in mine], groups, 5, seeds)
    return _single("mood", mine, groups, folds, "macro-F1", about="4QAED, four quadrants: 5 folds grouped by artist.")


def tags(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS) -> Protocol:
    """The genre tags with enough clips, several a clip, grouped by artist."""
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
    folds = splits.grouped(rarest, groups, 5, seeds)
    about = f"4QAED, {len(classes)} genre tags with at least {TAG_CLIPS} clips: 5 folds grouped by artist."
    return Protocol("tags", list(mine), labels, classes, groups, folds, "ROC-AUC", "", about)


def cross(tracks: Sequence[Track]) -> Protocol:
    """Train on 4QAED's single-genre clips, score GTZAN; artists of both are left out of the training."""
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
    # An artist's name may stand in both collections' own spelling: groups of the two sides never mix.
    groups = [f"4qaed {t.group}" for t in mine] + [t.group for t in theirs]
    split = Split(np.arange(len(mine)), np.arange(len(mine), len(mine) + len(theirs)))
    return _single(
        "cross", [*mine, *theirs], groups, [split], "balanced accuracy", labels=labels,
        about=f"Trained on {len(mine)} single-genre clips of 4QAED, scored on {len(theirs)} excerpts of GTZAN's "
        f"filtered lists; {len(shared)} clips of artists in both are left out.",
    )  # fmt: skip


def folder(tracks: Sequence[Track], seeds: Sequence[int] = SEEDS, folds: int = 5) -> Protocol:
    """Any labelled folder: folds that keep its groups whole."""
    mine = [t for t in tracks if t.label]
    if not mine:
        raise DataError("no track has a label; give a folder with one sub-folder a class, or a CSV of labels")
    groups = [t.group for t in mine]
    made = splits.grouped([t.label for t in mine], groups, folds, seeds)
    alone = len(set(groups)) == len(groups)
    flag = "groups unknown: songs of one artist may stand on both sides" if alone else ""
    return _single("folder", mine, groups, made, "macro-F1", flag, f"{folds} folds grouped by the groups given.")


def genres(track: Track) -> list[str]:
    """AllMusic genres of a 4QAED clip."""
    return [name.strip() for name in track.extra.get("genres", "").split(";") if name.strip()]


def recording(track: Track) -> str:
    """What P10 must not tear: the same title by the same artist, or the excerpt itself where no title is known."""
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
    return Protocol(name, list(tracks), values, classes, np.array(list(groups)), made, metric, flag, about)
