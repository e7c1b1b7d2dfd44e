"""Tracks of published data sets: GTZAN with its lists, and 4QAED."""

from __future__ import annotations

import re
from pathlib import Path

from celesta._files import printable
from celesta.audio import find_audio
from celesta.datasets.tables import read_columns, read_table, read_text
from celesta.datasets.track import Track
from celesta.errors import DataError, warn

GTZAN_GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_GTZAN_NAME = re.compile(r"^({})\.(\d{{5}})$".format("|".join(GTZAN_GENRES)))
_GTZAN_FOLDERS = 4
"""Folders named by its genres from which a folder may be GTZAN, or a part of it."""
_QAED_COLUMNS = {"song", "quadrant", "artist", "artist_group"}
_QAED_SUFFIXES = (".ogg", ".mp3", ".wav", ".flac")


def is_gtzan(path: Path) -> bool:
    """Whether a folder is GTZAN or a part of it: folders of its genres, and most files named as its files are."""
    if not path.is_dir() or sum((path / genre).is_dir() for genre in GTZAN_GENRES) < _GTZAN_FOLDERS:
        return False
    files = find_audio(path)
    return 2 * sum(bool(_GTZAN_NAME.match(file.stem)) for file in files) > len(files)


def is_qaed(path: Path) -> bool:
    """Whether a folder is 4QAED: it has that data set's table."""
    return (path / "tracks.tsv").is_file() and read_columns(path / "tracks.tsv") >= _QAED_COLUMNS


def gtzan(path: str | Path, lists: str | Path | None = None) -> list[Track]:
    """List GTZAN's excerpts with their artists and the fault-filtered, artist-aware split.

    Source: Kereliuk, Sturm and Larsen 2015 (split); Sturm 2013 (artists, faults). Excerpts in none of the three
    lists (replicas, mislabelled, distorted) get the split ``faulty``; without the lists all are ``train``. Files with
    other names are left out with a warning.

    Args:
        path: the folder with files such as ``blues.00000.wav``, in sub-folders or not.
        lists: folder of ``{train,valid,test}_filtered.txt`` and ``artists.tsv``; None to look for it in and next to
            ``path``.

    Raises:
        DataError: no file is named as those of GTZAN, or one of the lists is missing.

    Example:
        >>> import shutil
        >>> Path("gtzan").mkdir()
        >>> _ = shutil.copy("music/a.ogg", "gtzan/blues.00007.ogg")
        >>> [(track.id, track.label, track.split) for track in gtzan("gtzan")]
        [('blues.00007', 'blues', 'train')]
    """
    root = Path(path)
    where = Path(lists) if lists else _find_lists(root)
    split_of: dict[str, str] = {}
    known: dict[str, dict[str, str]] = {}
    if where is not None:
        for split in ("train", "valid", "test"):
            for line in _lines(where / f"{split}_filtered.txt"):
                split_of[Path(line).stem] = split
        known = {row.get("track", ""): row for row in read_table(where / "artists.tsv")}
    tracks, strange = [], []
    for file in find_audio(root):
        match = _GTZAN_NAME.match(file.stem)
        if not match:
            strange.append(file)
            continue
        id_, row = file.stem, known.get(file.stem, {})
        split = split_of.get(id_, "faulty") if split_of else "train"
        group = row.get("artist") or id_
        tracks.append(Track(file, id_, "gtzan", group, match[1], split, {"title": row.get("title", "")}))
    if not tracks:
        raise DataError(f"{printable(root)}: no files named GENRE.NNNNN as GTZAN's are")
    if strange:
        first = printable(strange[0].name)
        text = f"{len(strange)} files are left out, because GTZAN's are named GENRE.NNNNN; the first: {first}"
        warn(UserWarning(f"{printable(root)}: {text}"))
    return tracks


def qaed(path: str | Path) -> list[Track]:
    """List 4QAED (Panda, Malheiro and Paiva 2018): labels are quadrants, groups artist groups; all are ``train``.

    Args:
        path: the folder with ``tracks.tsv`` and the audio files.

    Raises:
        DataError: the table is missing, or names no file that is there.

    Example:
        >>> import shutil
        >>> Path("4qaed").mkdir()
        >>> _ = shutil.copy("music/a.ogg", "4qaed/MT01.ogg")
        >>> rows = [("song", "quadrant", "artist", "artist_group"), ("MT01", "Q1", "Anna", "7")]
        >>> _ = Path("4qaed/tracks.tsv").write_text(chr(10).join(map(chr(9).join, rows)))
        >>> [(track.id, track.label, track.group) for track in qaed("4qaed")]
        [('MT01', 'Q1', '7')]
    """
    root = Path(path)
    tracks = []
    for row in read_table(root / "tracks.tsv"):
        song = row.pop("song")
        file = next((f for suffix in _QAED_SUFFIXES if (f := root / f"{song}{suffix}").is_file()), None)
        if song and file is not None:
            tracks.append(Track(file, song, "4qaed", row["artist_group"], row["quadrant"], "train", row))
    if not tracks:
        raise DataError(f"{printable(root)}: tracks.tsv names no file that is there")
    return tracks


def _find_lists(root: Path) -> Path | None:
    for candidate in (root, root / "lists", root / "gtzan-lists", root.parent / "gtzan-lists", root.parent):
        if (candidate / "train_filtered.txt").is_file():
            return candidate
    return None


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{printable(path)}: missing; the lists' folder needs train, valid and test_filtered.txt")
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
