"""Load several data sets, each recognised by its content."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from celesta._files import printable
from celesta.datasets.folders import folder, labelled
from celesta.datasets.published import gtzan, is_gtzan, is_qaed, qaed
from celesta.datasets.track import Track, normalise_name
from celesta.errors import DataError


def load(paths: Iterable[str | Path], *, lists: str | Path | None = None, encoding: str | None = None) -> list[Track]:
    """List the tracks of one or several data sets, each recognised by its content.

    A file that is in several of them is listed once. Where GTZAN is loaded with other sets, 4QAED's tracks whose
    artist is in GTZAN's valid or test list get the split ``faulty``, so that they do not train.

    Args:
        paths: folders, audio files, or CSV files of labels (see :func:`labelled`).
        lists: folder of GTZAN's ``{train,valid,test}_filtered.txt`` and ``artists.tsv``; None to look for it in and
            next to the GTZAN folder.
        encoding: of CSV files, see :func:`labelled`.

    Raises:
        DataError: a folder is missing or has no music, or a CSV cannot be read.
        UsageError: there is no such encoding.

    Example:
        >>> [(track.id, track.split) for track in load(["music", "song.mp3"])]
        [('a.ogg', 'train'), ('b.ogg', 'valid'), ('song.mp3', 'train')]
    """
    found: dict[str, Track] = {}
    for path in map(Path, paths):
        for track in _load_one(path, lists, encoding):
            found.setdefault(os.path.realpath(track.path), track)
    tracks = list(found.values())
    held_out = {normalise_name(t.group) for t in tracks if t.dataset == "gtzan" and t.split in ("valid", "test")}
    return [
        replace(t, split="faulty") if t.dataset == "4qaed" and normalise_name(t.extra["artist"]) in held_out else t
        for t in tracks
    ]


def _load_one(path: Path, lists: str | Path | None, encoding: str | None) -> list[Track]:
    if not os.path.exists(path):
        raise DataError(f"{printable(path)}: no such file or folder")
    if path.suffix.lower() == ".csv":
        return labelled(path, encoding)
    if is_qaed(path):
        return qaed(path)
    return gtzan(path, lists) if is_gtzan(path) else folder(path)
