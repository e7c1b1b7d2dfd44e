"""`celesta studio`."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.options import Json, LibraryFile
from celesta.errors import MissingExtraError

_DATABASE = b"SQLite format 3\0"


def studio(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE|FOLDER|LIBRARY",
            help="Audio files, .cel files, folders, or a library file; by default the clips that ship with Celesta, "
            "and your library if there is one.",
            show_default=False,
        ),
    ] = None,
    library: LibraryFile = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="N", help="Port; 0: any that is free.")] = 0,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let other machines connect that know the token; needs --host.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    as_json: Json = False,
) -> None:
    """Open a page in the browser: songs, comparisons of models and bitrates, variations, your library.

    Only files below the given folders are served, and only to who knows the token in the address. Ctrl-C ends it.

    Example: `celesta studio song.mp3`

    Example: `celesta studio albums/ --library music.db`
    """
    missing = [name for name in ("starlette", "uvicorn", "msgspec") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"studio: needs {', '.join(missing)}; install them: pip install 'celesta[studio]'")
    from celesta.library import default_path
    from celesta.studio import Settings, serve

    folders = [one for one in sources or [] if not _is_library(one)]
    named = [one for one in sources or [] if _is_library(one)]
    chosen = library or (named[0] if named else None)
    if chosen is None and not sources and default_path().is_file():
        chosen = default_path()
    if not sources and (chosen is None or library is None):
        folders = [Path(__file__).parents[1] / "clips"]
    settings = Settings(tuple(folders), chosen, host, port, allow_remote)
    threading.Thread(target=_load, daemon=True).start()
    show = (lambda url: console.emit({"url": url})) if as_json else (lambda url: console.say(f"studio: {url}"))
    serve(settings, show, browser=browser)


def _is_library(path: Path) -> bool:
    """Return whether a file is an SQLite file."""
    try:
        with path.open("rb") as file:
            return path.is_file() and file.read(16) == _DATABASE
    except OSError:
        return False


def _load() -> None:
    """Import the networks while the user looks at the page."""
    from celesta.models import registry

    registry.shipped()
