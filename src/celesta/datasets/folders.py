"""Tracks of any folder of music, and of a CSV of labels."""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import replace
from pathlib import Path

from celesta._files import printable
from celesta.audio import find_audio
from celesta.datasets.tables import read_rows, read_text
from celesta.datasets.track import Track
from celesta.errors import DataError

_VALID_SHARE = 0.05
_DELIMITERS = (",", ";", "\t")


def folder(path: str | Path) -> list[Track]:
    """List every audio file below a folder (or one file). The label is the first folder below ``path``, if any.

    About one track in twenty gets the split ``valid``, chosen by a hash of its name, so that adding files never moves
    others between the splits.

    Args:
        path: the folder, or an audio file.

    Raises:
        DataError: there is no audio file.

    Example:
        >>> [(track.id, track.label, track.split) for track in folder("music")]
        [('a.ogg', '', 'train'), ('b.ogg', '', 'valid')]
    """
    root = Path(path)
    files = find_audio(root)
    if not files:
        raise DataError(f"{printable(root)}: no audio files; give a folder with WAV, FLAC, OGG, Opus, MP3 or M4A files")
    tracks = []
    for file in files:
        name = file.relative_to(root).as_posix() if root.is_dir() else file.name
        label = printable(name.split("/")[0]) if "/" in name else ""
        share = int(hashlib.sha256(os.fsencode(name)).hexdigest()[:8], 16) / 2**32
        split = "valid" if share < _VALID_SHARE else "train"
        tracks.append(Track(file, printable(name), "folder", printable(name), label, split))
    if len(tracks) > 1 and not any(t.split == "valid" for t in tracks):
        tracks[-1] = replace(tracks[-1], split="valid")
    return tracks


def labelled(path: str | Path, encoding: str | None = None) -> list[Track]:
    """List the tracks of a CSV with the columns ``path`` (relative to the CSV), ``label`` and, where known, ``group``.

    Columns are separated by commas, semicolons or tabs; further columns are kept in :attr:`Track.extra`.

    Args:
        path: the CSV.
        encoding: such as ``latin-1``; None for UTF-8, or what the byte order mark says.

    Raises:
        DataError: it cannot be read, or a column or a file is missing; the message names the line.
        UsageError: there is no such encoding.

    Example:
        >>> rows = ["path,label,group", "music/a.ogg,jazz,Anna", "music/b.ogg,rock,Ben"]
        >>> _ = Path("labels.csv").write_text(chr(10).join(rows))
        >>> [(track.id, track.label, track.group) for track in labelled("labels.csv")]
        [('music/a.ogg', 'jazz', 'Anna'), ('music/b.ogg', 'rock', 'Ben')]
    """
    file = Path(path)
    text = read_text(file, encoding)
    head, _, _ = text.partition("\n")
    delimiter = max(_DELIMITERS, key=head.count)
    tracks = []
    for number, row in read_rows(file, text, delimiter):
        if not {"path", "label"} <= set(row):
            break
        name = row.pop("path")
        audio = file.parent / name
        if not name or not os.path.isfile(audio):
            where = f"{printable(file)}, line {number}"
            raise DataError(f"{where}: no audio file {printable(name[:200])!r}; correct the path or remove the line")
        label, group = row.pop("label"), row.pop("group", "")
        tracks.append(Track(audio, name, "folder", group or name, label, extra=row))
    if not tracks:
        if not {"path", "label"} <= {
            name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])
        }:
            raise DataError(
                f"{printable(file)}: needs the columns path and label (and group, such as the artist, where known)"
            )
        raise DataError(f"{printable(file)}: no tracks in it")
    return tracks
