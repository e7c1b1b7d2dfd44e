"""Folders of music as lists of tracks: any folder, a CSV of labels, GTZAN with its published lists, 4QAED.

A track has a label, a group (the artist where known: what splits must keep whole) and a split. No audio is decoded.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from celesta._files import printable
from celesta.audio import find_audio
from celesta.errors import DataError, UsageError, warn

GTZAN_GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_GTZAN_NAME = re.compile(r"^({})\.(\d{{5}})$".format("|".join(GTZAN_GENRES)))
_GTZAN_FOLDERS = 4
"""Folders named by its genres from which a folder may be GTZAN, or a part of it."""
_QAED_COLUMNS = {"song", "quadrant", "artist", "artist_group"}
_QAED_SUFFIXES = (".ogg", ".mp3", ".wav", ".flac")
_VALID_SHARE = 0.05
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is how this one begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Track:
    """One audio file of a data set.

    Attributes:
        path: the file.
        id: its name within the data set, the same on every machine.
        dataset: ``gtzan``, ``4qaed`` or ``folder``.
        group: what a split must keep whole (the artist), or the track's own id where nothing is known.
        label: genre, quadrant or folder name; "" where there is none.
        split: ``train``, ``valid``, ``test``, or ``faulty`` (left out by the data set's lists).
        extra: further columns as text (title, moods, ...).
    """

    path: Path
    id: str
    dataset: str
    group: str
    label: str = ""
    split: str = "train"
    extra: dict[str, str] = field(default_factory=dict)


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
    if (path / "tracks.tsv").is_file() and _columns(path / "tracks.tsv") >= _QAED_COLUMNS:
        return qaed(path)
    if path.is_dir() and sum((path / genre).is_dir() for genre in GTZAN_GENRES) >= _GTZAN_FOLDERS:
        files = find_audio(path)
        if 2 * sum(bool(_GTZAN_NAME.match(file.stem)) for file in files) > len(files):
            return gtzan(path, lists)
    return folder(path)


def folder(path: str | Path) -> list[Track]:
    """List every audio file below a folder (or one file). The label is the first folder below ``path``, if any.

    About one track in twenty gets the split ``valid``, chosen by a hash of its name, so that adding files never moves
    others between the splits.

    Raises:
        DataError: there is no audio file.
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
    """
    file = Path(path)
    text = _text(file, encoding)
    head, _, _ = text.partition("\n")
    delimiter = max(_DELIMITERS, key=head.count)
    tracks = []
    for number, row in _rows(file, text, delimiter):
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


def gtzan(path: str | Path, lists: str | Path | None = None) -> list[Track]:
    """List GTZAN's excerpts with their artists and the fault-filtered, artist-aware split.

    Source: Kereliuk, Sturm and Larsen 2015 (split); Sturm 2013 (artists, faults). Excerpts in none of the three
    lists (replicas, mislabelled, distorted) get the split ``faulty``; without the lists all are ``train``. Files with
    other names are left out with a warning.
    """
    root = Path(path)
    where = Path(lists) if lists else _find_lists(root)
    split_of: dict[str, str] = {}
    known: dict[str, dict[str, str]] = {}
    if where is not None:
        for split in ("train", "valid", "test"):
            for line in _lines(where / f"{split}_filtered.txt"):
                split_of[Path(line).stem] = split
        known = {row.get("track", ""): row for row in _table(where / "artists.tsv")}
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
    """List 4QAED (Panda, Malheiro and Paiva 2018): labels are quadrants, groups artist groups; all are ``train``."""
    root = Path(path)
    tracks = []
    for row in _table(root / "tracks.tsv"):
        song = row.pop("song")
        file = next((f for suffix in _QAED_SUFFIXES if (f := root / f"{song}{suffix}").is_file()), None)
        if song and file is not None:
            tracks.append(Track(file, song, "4qaed", row["artist_group"], row["quadrant"], "train", row))
    if not tracks:
        raise DataError(f"{printable(root)}: tracks.tsv names no file that is there")
    return tracks


def normalise_name(name: str) -> str:
    """Return a name without case, articles and punctuation, to compare artists across data sets.

    Example:
        >>> normalise_name("The Foo & Bars")
        'foobars'
    """
    words = re.findall(r"[a-z0-9]+", name.lower())
    return "".join(word for word in words if word not in ("the", "and"))


def by_split(tracks: Sequence[Track], split: str) -> list[Track]:
    """Return the tracks of one split, in their order."""
    return [t for t in tracks if t.split == split]


def _find_lists(root: Path) -> Path | None:
    for candidate in (root, root / "lists", root / "gtzan-lists", root.parent / "gtzan-lists", root.parent):
        if (candidate / "train_filtered.txt").is_file():
            return candidate
    return None


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{printable(path)}: missing; the lists' folder needs train, valid and test_filtered.txt")
    return [line.strip() for line in _text(path).splitlines() if line.strip()]


def _table(path: Path) -> list[dict[str, str]]:
    """Rows of a data set's own table; empty where the file is missing."""
    if not path.is_file():
        return []
    return [row for _, row in _rows(path, _text(path), "\t", quoted=False)]


def _columns(path: Path) -> set[str]:
    """Names in the first line of a table; empty where it is not text."""
    try:
        return set(_text(path).partition("\n")[0].rstrip("\r").split("\t"))
    except DataError:
        return set()


def _rows(path: Path, text: str, delimiter: str, quoted: bool = True) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the last line of each row, and its cells by the column's name in lower case."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )  # fmt: skip
    row = 1  # at which the next row begins
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        row = reader.line_num + 1
        for cells in reader:
            if any(cells):
                padded = [*cells, *[""] * (len(head) - len(cells))]
                yield reader.line_num, {name: cell.strip() for name, cell in zip(head, padded, strict=False) if name}
            row = reader.line_num + 1
    except csv.Error as error:
        reason, remedy = str(error), "is a quote missing?"
        if "field limit" in reason:
            reason = f"a field of more than {csv.field_size_limit() // 1024} KiB"
        elif "NUL" in reason:
            reason, remedy = "a zero byte", "name the encoding with --encoding, such as utf-16"
        elif "unexpected end" in reason:
            reason, remedy = f"a quote that is open from line {row} on is not closed", "close it"
        raise DataError(f"{printable(path)}, line {reader.line_num}: {reason}; {remedy}") from None


def _text(path: Path, encoding: str | None = None) -> str:
    """A text file in an encoding, that of its byte order mark, or UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read ({error.strerror})") from None
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding or marked)
    except LookupError:
        raise UsageError(f"--encoding {encoding!r}: no such encoding; for example utf-8, latin-1, utf-16") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        name = (encoding or marked).upper()
        raise DataError(
            f"{printable(path)}, line {line}: not {name}; name the encoding with --encoding, such as latin-1 or utf-16"
        ) from None
