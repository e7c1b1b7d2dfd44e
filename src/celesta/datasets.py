"""Folders of music as lists of tracks: any folder, GTZAN with its published lists, 4QAED.

A track carries its label, its group (the artist where known: the unit that splits must not tear) and its split.
Nothing is decoded here.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from celesta.audio import find_audio
from celesta.errors import DataError

GTZAN_GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_GTZAN_NAME = re.compile(r"^({})\.(\d{{5}})$".format("|".join(GTZAN_GENRES)))
_VALID_SHARE = 0.05


@dataclass(frozen=True)
class Track:
    """One sound file of a data set.

    Attributes:
        path: the file.
        id: its name within the data set, stable across machines.
        dataset: ``gtzan``, ``4qaed`` or ``folder``.
        group: what a split must keep together (artist), or the track's own id where nothing is known.
        label: genre, quadrant or folder name; empty where there is none.
        split: ``train``, ``valid``, ``test``, or ``faulty`` (in GTZAN but in none of the filtered lists).
        extra: further columns as text (title, moods, ...).
    """

    path: Path
    id: str
    dataset: str
    group: str
    label: str = ""
    split: str = "train"
    extra: dict[str, str] = field(default_factory=dict)


def load(paths: Iterable[str | Path], *, lists: str | Path | None = None) -> list[Track]:
    """Tracks of one or several data sets, each recognised by its content.

    Where GTZAN stands beside other sets, tracks of the others whose artist is in GTZAN's valid or test list are
    left out of training (split ``faulty``), so that held-out figures stay held out.

    Args:
        paths: folders, single files, or a CSV of labels (see :func:`labelled`).
        lists: folder of GTZAN's ``{train,valid,test}_filtered.txt`` and ``artists.tsv``; looked for in and beside
            the GTZAN folder when not given.

    Raises:
        DataError: a folder is missing or holds no music.
    """
    tracks: list[Track] = []
    for path in map(Path, paths):
        tracks += _load_one(path, lists)
    held_out = {normalise_name(t.group) for t in tracks if t.dataset == "gtzan" and t.split in ("valid", "test")}
    return [
        _with_split(t, "faulty") if t.dataset == "4qaed" and normalise_name(t.extra["artist"]) in held_out else t
        for t in tracks
    ]


def _load_one(path: Path, lists: str | Path | None) -> list[Track]:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.suffix.lower() == ".csv":
        return labelled(path)
    if (path / "tracks.tsv").is_file():
        return qaed(path)
    if path.is_dir() and sum((path / g).is_dir() for g in GTZAN_GENRES) >= 4:
        return gtzan(path, lists)
    return folder(path)


def folder(path: str | Path) -> list[Track]:
    """Every sound file below a folder (or one file). Label: the first folder below ``path``, if any.

    About one track in twenty is set aside for validation, chosen by a hash of its name, so that adding files never
    moves others between the splits.
    """
    root = Path(path)
    files = find_audio(root)
    if not files:
        raise DataError(f"{root}: no sound files; give a folder with WAV, FLAC, OGG, Opus or MP3 files")
    tracks = []
    for file in files:
        name = file.relative_to(root).as_posix() if root.is_dir() else file.name
        label = name.split("/")[0] if "/" in name else ""
        share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
        split = "valid" if share < _VALID_SHARE else "train"
        tracks.append(Track(file, name, "folder", name, label, split))
    if len(tracks) > 1 and not any(t.split == "valid" for t in tracks):
        last = tracks[-1]
        tracks[-1] = _with_split(last, "valid")
    return tracks


def labelled(path: str | Path) -> list[Track]:
    """Tracks of a CSV with the columns ``path`` (relative to the CSV), ``label`` and, where known, ``group``.

    Raises:
        DataError: a column or a file is missing; the message names the line.
    """
    file = Path(path)
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened)
        if not {"path", "label"} <= set(reader.fieldnames or ()):
            raise DataError(f"{file}: needs the columns path and label (and group, such as the artist, where known)")
        tracks = []
        for number, row in enumerate(reader, start=2):
            sound = file.parent / (row["path"] or "")
            if not row["path"] or not sound.is_file():
                raise DataError(f"{file}, line {number}: no sound file {row['path']!r}; mend the path or take it out")
            name = row["path"]
            tracks.append(Track(sound, name, "folder", row.get("group") or name, row["label"] or ""))
    if not tracks:
        raise DataError(f"{file}: no tracks in it")
    return tracks


def gtzan(path: str | Path, lists: str | Path | None = None) -> list[Track]:
    """GTZAN's excerpts with their artists and the fault-filtered, artist-aware split.

    Source: Kereliuk, Sturm and Larsen 2015 (split); Sturm 2013 (artists, faults). Excerpts in none of the three
    lists (replicas, mislabelled, distorted) get the split ``faulty``; without the lists all are ``train``.
    """
    root = Path(path)
    where = Path(lists) if lists else _find_lists(root)
    split_of: dict[str, str] = {}
    artist_of: dict[str, str] = {}
    title_of: dict[str, str] = {}
    if where is not None:
        for split in ("train", "valid", "test"):
            for line in _lines(where / f"{split}_filtered.txt"):
                split_of[Path(line).stem] = split
        for row in _table(where / "artists.tsv"):
            artist_of[row["track"]], title_of[row["track"]] = row["artist"] or "", row["title"] or ""
    tracks = []
    for file in find_audio(root):
        match = _GTZAN_NAME.match(file.stem)
        if not match:
            continue
        id_ = file.stem
        split = split_of.get(id_, "faulty") if split_of else "train"
        group = artist_of.get(id_) or id_
        tracks.append(Track(file, id_, "gtzan", group, match[1], split, {"title": title_of.get(id_, "")}))
    if not tracks:
        raise DataError(f"{root}: looks like GTZAN but holds no files named GENRE.NNNNN")
    return tracks


def qaed(path: str | Path) -> list[Track]:
    """4QAED (Panda, Malheiro and Paiva 2018): label is the quadrant, group the artist group; all ``train``."""
    root = Path(path)
    tracks = []
    for row in _table(root / "tracks.tsv"):
        for suffix in (".ogg", ".mp3", ".wav", ".flac"):
            file = root / f"{row['song']}{suffix}"
            if file.is_file():
                extra = {key: value for key, value in row.items() if key != "song"}
                tracks.append(Track(file, row["song"], "4qaed", row["artist_group"], row["quadrant"], "train", extra))
                break
    if not tracks:
        raise DataError(f"{root}: tracks.tsv names no file that is there")
    return tracks


def normalise_name(name: str) -> str:
    """An artist's name without case, articles and punctuation, for comparing across data sets."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    return "".join(word for word in words if word not in ("the", "and"))


def by_split(tracks: Sequence[Track], split: str) -> list[Track]:
    """The tracks of one split, in their order."""
    return [t for t in tracks if t.split == split]


def _with_split(track: Track, split: str) -> Track:
    return Track(track.path, track.id, track.dataset, track.group, track.label, split, track.extra)


def _find_lists(root: Path) -> Path | None:
    for candidate in (root, root / "lists", root / "gtzan-lists", root.parent / "gtzan-lists", root.parent):
        if (candidate / "train_filtered.txt").is_file():
            return candidate
    return None


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path}: missing; the lists' folder needs train, valid and test_filtered.txt")
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
