"""Work on one file after the other: what fails is reported, and the rest is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from celesta._files import printable
from celesta.cli import console
from celesta.cli.process import reason, unexpected
from celesta.cli.progress import Meter
from celesta.errors import CelestaError


def each_file(
    meter: Meter,
    files: Iterable[Path],
    work: Callable[[Path], object],
    *,
    single: bool | None = None,
    failed: int = 0,
    as_json: bool = False,
) -> None:
    """Do ``work`` on every file; what fails is reported, and the rest is done.

    Args:
        meter: counts the files.
        files: to work on.
        work: called with each file.
        single: let the error of the only file through; by default if there is only one.
        failed: number of inputs that failed before, each of which was reported.
        as_json: also print a line of JSON for each failure.

    Raises:
        CelestaError, OSError: the only file failed.
    """
    files = list(files)
    total = len(files) + failed
    single = total == 1 if single is None else single
    for file in meter.each(files):
        damaged = console.damaged
        try:
            work(file)
            failed += console.strict and console.damaged > damaged
            continue
        except BrokenPipeError:
            raise
        except (CelestaError, OSError) as error:
            text = reason(error) if isinstance(error, OSError) else str(error)
            raised: Exception = error
        except Exception as error:
            text = f"{printable(file)}: {unexpected(error)}"
            raised = error
        if as_json:
            console.emit({"source": file, "error": text})
        if single:
            raise raised
        failed += 1
        console.fail(text)
    if failed and not single:
        console.note(f"celesta: {failed} of {total} files failed")
