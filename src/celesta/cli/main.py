"""The ``celesta`` command."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import typer

from celesta._version import __version__
from celesta.cli.console import err
from celesta.cli.verbs import GROUPS, VERBS
from celesta.errors import CelestaError

EXIT_ERROR = 1

app = typer.Typer(
    name="celesta",
    help="Music into latent vectors and back, and those vectors put to work.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"celesta {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def _register() -> None:
    groups = {name: typer.Typer(help=text, no_args_is_help=True) for name, text in GROUPS.items()}
    for name, function in VERBS.items():
        *first, last = name.split()
        (groups[first[0]] if first else app).command(last)(function)
    for name, group in groups.items():
        app.add_typer(group, name=name)


_register()


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    err.print(f"warning: {message}", style="yellow", markup=False, highlight=False)


def main() -> None:
    """Run the command; every error of ours is one line on stderr and a non-zero exit."""
    warnings.showwarning = _show_warning
    try:
        app()
    except CelestaError as error:
        err.print(f"celesta: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(EXIT_ERROR)
    except BrokenPipeError:  # `celesta models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_ERROR)
    except OSError as error:
        err.print(f"celesta: {error.filename or ''}: {error.strerror or error}", markup=False, soft_wrap=True)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        err.print("celesta: interrupted")
        sys.exit(130)


if __name__ == "__main__":
    main()
