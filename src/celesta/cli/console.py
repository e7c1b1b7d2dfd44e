"""Where the commands print: tables to stdout, progress and errors to stderr."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from celesta.errors import CelestaError, UsageError

Tell = Callable[[float, float | None], None]
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)


def bar(*columns: TextColumn) -> Progress:
    """A progress bar on stderr, drawn only in a terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right. Control characters become spaces."""
    made = Table(title=_printable(title) or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(head):
        made.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        made.add_row(*map(_printable, row))
    out.print(made)


def _printable(text: str) -> str:
    # Tags and names come from files of strangers; an escape sequence in them must not reach the terminal.
    return "".join(c if c.isprintable() else " " for c in text)


def each_file(files: Sequence[Path], verb: str, work: Callable[[Path, Tell], None]) -> None:
    """Do ``work`` on every file; name the failures at the end and exit non-zero if there were any.

    Args:
        files: to work on.
        verb: shown beside the file's name.
        work: gets a file and a function to tell how many seconds of its sound are done.
    """
    failed: list[str] = []
    with bar() as progress:
        task = progress.add_task(verb, total=len(files))
        for file in files:
            doing = f"{verb} {file.name}"[:50]
            progress.update(task, description=doing)

            def tell(seconds: float, total: float | None, doing: str = doing) -> None:
                progress.update(task, description=f"{doing} {int(seconds) // 60}:{int(seconds) % 60:02d}")

            try:
                work(file, tell)
            except CelestaError as error:
                if len(files) == 1:
                    raise
                failed.append(str(error))
                err.print(f"celesta: {error}", style="red", markup=False, soft_wrap=True)
            progress.advance(task)
    if failed:
        err.print(f"celesta: {len(failed)} of {len(files)} files failed", style="red")
        raise typer.Exit(1)


def free_target(target: Path, force: bool) -> Path:
    """The target if it may be written.

    Raises:
        UsageError: it exists and ``force`` is not set.
    """
    if target.exists() and not force:
        raise UsageError(f"{target}: exists already; overwrite it with --force")
    return target
