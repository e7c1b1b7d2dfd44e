"""Standard input as a source, standard output as a target."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from celesta._files import printable
from celesta.errors import CelestaError, UsageError

STANDARD = Path("-")
"""How both are named on the command line."""


@contextlib.contextmanager
def opened_input(source: Path) -> Iterator[Path]:
    """Give the source, or for ``-`` a temporary file with what standard input holds."""
    if source != STANDARD:
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="celesta-") as folder:
        file = Path(folder, "stdin")
        with file.open("wb") as opened:
            shutil.copyfileobj(sys.stdin.buffer, opened)
        try:
            yield file
        except CelestaError as error:
            raise type(error)(str(error).replace(printable(file), "standard input")) from None


@contextlib.contextmanager
def opened_output(target: Path, suffix: str) -> Iterator[Path]:
    """Give the target, or for ``-`` a temporary file that is copied to standard output when it is complete."""
    if target != STANDARD:
        yield target
        return
    if sys.stdout.isatty():
        raise UsageError("standard output is a terminal; redirect it to a file or a pipe, or give -o FILE")
    with tempfile.TemporaryDirectory(prefix="celesta-") as folder:
        file = Path(folder, f"stdout{suffix}")
        yield file
        with file.open("rb") as opened:
            shutil.copyfileobj(opened, sys.stdout.buffer)
        sys.stdout.buffer.flush()
