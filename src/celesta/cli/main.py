"""The ``celesta`` command: its verbs by the table of :mod:`celesta.cli.verbs`."""

from __future__ import annotations

from typing import Annotated

import typer

from celesta._version import __version__
from celesta.cli.help import WIDEST, Root, Section, Verb
from celesta.cli.verbs import GROUPS, VERBS


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"celesta {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turn music into latent vectors and back, and work with the latents: classify, cluster, compare, vary, train."""


def build() -> typer.Typer:
    """Build the command from the table of verbs."""
    made = typer.Typer(
        name="celesta",
        cls=Root,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    )
    made.callback()(_root)
    groups = {name: typer.Typer(cls=Section, help=text, no_args_is_help=True) for name, text in GROUPS.items()}
    for name, function in VERBS.items():
        *first, last = name.split()
        (groups[first[0]] if first else made).command(last, cls=Verb, no_args_is_help=False)(function)
    for name, group in groups.items():
        made.add_typer(group, name=name)
    return made


app = build()


def main() -> None:
    """Run the command and exit with one of :data:`celesta.cli.process.EXIT_CODES`."""
    app()


if __name__ == "__main__":
    main()
