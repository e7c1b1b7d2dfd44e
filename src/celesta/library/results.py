"""What adding did, what a library holds, and what is wrong with files."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from celesta.library.adding import AnalysisResult
from celesta.library.block_table import analysis_version
from celesta.library.claims import waiting
from celesta.library.scan import ScanResult
from celesta.library.store import Store

_ALL_MISSING = "NOT EXISTS (SELECT 1 FROM files f WHERE f.recording = r.id AND f.missing_since IS NULL)"


@dataclass
class AddResult:
    """What :meth:`Library.add` did.

    Attributes:
        scan: files found.
        analysis: songs analysed.

    Example:
        >>> from celesta.library.scan import ScanResult
        >>> result = AddResult(ScanResult(new=2))
        >>> result.scan.new, result.analysis.analysed
        (2, 0)
    """

    scan: ScanResult = field(default_factory=ScanResult)
    analysis: AnalysisResult = field(default_factory=AnalysisResult)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"scan": self.scan.to_dict(), "analysis": asdict(self.analysis)}


@dataclass(frozen=True)
class LibraryStatus:
    """What a library holds.

    Attributes:
        path: of the library file.
        size: of it in bytes.
        folders: that were added.
        songs: recordings with a file that is there, without those that could not be analysed.
        analysed: of these, by this version of the analysis.
        waiting: of these, to be analysed by the next update.
        failed: recordings with a file that is there but cannot be analysed; no songs, often.
        missing: recordings whose files have all vanished.
        files: that are there; more than songs where there are copies.
        hours: of music analysed.
        errors: files with an error.
        warnings: files with a warning.
        licence: ``research`` or ``commercial``, which weights the analysis uses.

    Example:
        >>> import celesta
        >>> with celesta.Library("empty.db") as library:
        ...     status = library.status()
        >>> status.songs, status.waiting, status.hours
        (0, 0, 0)
    """

    path: Path
    size: int
    folders: list[Path]
    songs: int
    analysed: int
    waiting: int
    failed: int
    missing: int
    files: int
    hours: float
    errors: int
    warnings: int
    licence: str


@dataclass(frozen=True)
class FileError:
    """What is wrong with a file.

    Attributes:
        path: of the file.
        stage: ``scan`` or ``analysis``, where it failed; ``warning`` where it was analysed nevertheless.
        message: what is wrong.

    Example:
        >>> FileError(Path("song.mp3"), "analysis", "no audio data").stage
        'analysis'
    """

    path: Path
    stage: str
    message: str


def read_status(store: Store) -> LibraryStatus:
    """Count what the library holds."""

    def count(what: str, *values: object) -> int:
        return int(store.rows(f"SELECT count(*) FROM {what}", values)[0][0])

    there = count(f"recordings r WHERE NOT {_ALL_MISSING}")
    analysed = count(f"recordings r WHERE r.analysis = ? AND NOT {_ALL_MISSING}", analysis_version(store.licence))
    unanalysed = waiting(store)
    return LibraryStatus(
        path=store.path,
        size=store.path.stat().st_size,
        folders=read_roots(store),
        songs=analysed + unanalysed,
        analysed=analysed,
        waiting=unanalysed,
        failed=max(0, there - analysed - unanalysed),
        missing=count(f"recordings r WHERE {_ALL_MISSING}"),
        files=count("files WHERE missing_since IS NULL"),
        hours=store.rows("SELECT coalesce(sum(duration), 0) / 3600 FROM recordings")[0][0],
        errors=count("errors WHERE stage <> 'warning'"),
        warnings=count("errors WHERE stage = 'warning'"),
        licence=store.licence,
    )


def read_roots(store: Store) -> list[Path]:
    """Return the folders and files that were added."""
    return [Path(os.fsdecode(path)) for (path,) in store.rows("SELECT path FROM roots ORDER BY path")]


def read_errors(store: Store) -> list[FileError]:
    """Return the files with errors and warnings."""
    rows = store.rows("SELECT path, stage, message FROM errors ORDER BY stage, path")
    return [FileError(Path(os.fsdecode(path)), stage, message) for path, stage, message in rows]
