"""Predictions on disk, saved song by song."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from celesta._files import atomic, disk_errors
from celesta.cli.console import plain
from celesta.errors import DataError


class Results:
    """The predictions of songs in a file of JSON lines, one per song, each written as soon as it is known.

    Args:
        path: the file; it may exist.
        predictors: names that a record must have to count as done.
        force: forget what is there.
    """

    def __init__(self, path: Path, predictors: Sequence[str], *, force: bool = False) -> None:
        self.path = path
        self._predictors = predictors
        self._records: dict[str, dict[str, Any]] = {}
        kept = list(self._read()) if path.exists() and not force else []
        # The file is written anew: the next line must not continue one that a crash cut short.
        with atomic(path, DataError) as temporary:
            temporary.write_text("".join(f"{json.dumps(record)}\n" for record in kept), encoding="utf-8")

    def find(self, file: Path) -> dict[str, Any] | None:
        """Return the record of a song that has not changed since; None if there is none with all predictors."""
        record = self._records.get(plain(file))
        try:
            state = _state(file)
        except OSError:  # deleted meanwhile, or a link to nothing
            return None
        if record is None or any(record.get(key) != value for key, value in state.items()):
            return None
        return record if set(self._predictors) <= set(record.get("predictors", ())) else None

    def add(self, file: Path, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Save a song's prediction, and return it as plain data."""
        record: dict[str, Any] = plain({**prediction, "path": file, **_state(file), "predictors": self._predictors})
        with disk_errors(self.path, DataError), self.path.open("a", encoding="utf-8") as opened:
            opened.write(f"{json.dumps(record)}\n")
            opened.flush()
            os.fsync(opened.fileno())
        self._records[record["path"]] = record
        return record

    def _read(self) -> Iterator[dict[str, Any]]:
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
                self._records[record["path"]] = record
            except (ValueError, KeyError, TypeError):
                continue
            yield record


def _state(file: Path) -> dict[str, int]:
    """Return what changes when a file is changed."""
    status = file.stat()
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}
