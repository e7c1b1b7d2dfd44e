"""`celesta library add`, `status`, `update`, `errors` and `backup`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from celesta._files import printable
from celesta.cli import console
from celesta.cli.options import Engine, Json, LibraryFile, Songs
from celesta.cli.progress import Meter, clock, working

if TYPE_CHECKING:
    from celesta.library import AddResult
    from celesta.library.adding import AddProgress

Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Processes that analyse; by default one for each processor, or all of a cluster.",
        show_default=False,
    ),
]
Retry = Annotated[bool, typer.Option("--retry", help="Try files again that could not be analysed before.")]


def add(
    sources: Songs,
    library: LibraryFile = None,
    workers: Workers = None,
    retry: Retry = False,
    engine: Engine = "loky",
    licence: Annotated[
        str | None,
        typer.Option(
            metavar="USE",
            help="Of a new library: commercial to use no weights that are for research only; songs then have no genre "
            "and no mood. By default research, with all weights.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Scan folders and analyse the songs that are new or changed.

    A song is known by its audio: a file that was moved, renamed or tagged is recognised and not analysed again. Each
    song is stored when it is done; run the command again to continue after an interruption.

    Example: `celesta library add Music/`
    """
    from celesta.library import Library

    with Library(library, licence=licence) as opened, working("add", "looking for files") as meter:
        result = opened.add(*sources, workers=workers, retry=retry, engine=engine, progress=shown(meter))
    report(result, opened.path, as_json=as_json)


def update(
    library: LibraryFile = None,
    workers: Workers = None,
    retry: Retry = False,
    engine: Engine = "loky",
    prune: Annotated[
        bool, typer.Option("--prune", help="Then forget the songs whose files have all vanished; asks first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Scan the added folders again, and analyse the songs that are new or changed.

    Vanished files are marked as missing and keep their analysis. A folder that is gone is reported and left as it is.

    Example: `celesta library update`
    """
    from celesta.library import Library, command_for

    with Library(library, create=False) as opened:
        with working("update", "looking for files") as meter:
            result = opened.update(workers=workers, retry=retry, engine=engine, progress=shown(meter))
        report(result, opened.path, as_json=as_json)
        found = opened.status()
        missing = found.missing
        if found.errors and not result.analysis.failed:
            console.fail(
                f"still not analysed: {found.errors}; list them with: {command_for(opened.path, 'library errors')}"
            )
        if prune and missing and typer.confirm(f"Songs whose files have vanished: {missing}. Forget them?", err=True):
            console.note(f"forgotten: {opened.prune()}")


def status(library: LibraryFile = None, as_json: Json = False) -> None:
    """Show what the library holds.

    Example: `celesta library status`
    """
    from celesta.library import Library, command_for

    with Library(library, create=False) as opened:
        found = opened.status()
    if as_json:
        console.emit(found, indent=1)
        return
    console.facts(
        [
            ("library", f"{found.path} ({found.size / 1e6:.1f} MB)"),
            *(("folder", folder) for folder in found.folders),
            ("weights", f"licence {found.licence}"),
            ("files", found.files),
            ("songs", found.songs),
            ("analysed", f"{found.analysed}, {clock(3600 * found.hours)} of music"),
            ("waiting", found.waiting),
            ("failed", f"{found.failed}, see {command_for(found.path, 'library errors')}" if found.failed else 0),
            ("missing", found.missing),
            *([("errors", found.errors)] if found.errors != found.failed else []),
            *([("warnings", found.warnings)] if found.warnings else []),
        ]
    )


def errors(library: LibraryFile = None, as_json: Json = False) -> None:
    """List the files that could not be read or analysed, and those with warnings.

    Example: `celesta library errors`
    """
    from celesta.library import Library

    with Library(library, create=False) as opened:
        found = opened.errors()
    if as_json:
        console.emit(found, indent=1)
        return
    for one in found:
        console.say(f"{one.path}: {one.stage}: {one.message.removeprefix(f'{printable(one.path)}: ')}")
    if not found:
        console.note("no errors")


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; it must not exist.", show_default=False)],
    library: LibraryFile = None,
    as_json: Json = False,
) -> None:
    """Copy the library to another file; others may use it meanwhile.

    Example: `celesta library backup music-backup.db`
    """
    from celesta.library import Library

    with Library(library, create=False) as opened:
        made = opened.backup(target)
    if as_json:
        console.emit({"library": opened.path, "backup": made})
    else:
        console.say(f"backup: {made}")


def shown(meter: Meter) -> Callable[[AddProgress], None]:
    """Return the function that shows a library's progress with a meter."""

    def show(at: AddProgress) -> None:
        if at.stage == "scan":
            meter.doing(f"looking at files, {at.songs} so far")
        else:
            meter.steps(f"{clock(at.seconds)} of music, songs", at.songs, at.total or 0)

    return show


def report(result: AddResult, library: Path, *, as_json: bool) -> None:
    """Print what was scanned and analysed; what could not be is reported and makes the exit code 1."""
    from celesta.library import command_for

    for path, reason in result.scan.skipped:
        console.fail(f"{path}: {reason}")
    if result.analysis.failed:
        console.fail(
            f"not analysed: {result.analysis.failed}; list them with: {command_for(library, 'library errors')}"
        )
    if as_json:
        console.emit(result.to_dict(), indent=1)
        return
    scan, done = result.scan, result.analysis
    console.say(
        f"files: {scan.new} new, {scan.moved} moved, {scan.attached - scan.moved} tagged or copied,"
        f" {scan.unchanged} unchanged, {scan.missing} missing"
    )
    line = f"songs: {done.analysed} analysed, {clock(done.seconds)} of music"
    console.say(line + (f"; {done.elsewhere} with another process" if done.elsewhere else ""))
