"""Options of a verb from the table of variations, so that a new variation needs no change of the command line."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.variations import Step

METAVARS = {int: "N", float: "X"}


def with_variations(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb an option for each parameter of each variation in the place of its ``**settings``."""
    from celesta.variations.registry import VARIATIONS

    hints = typing.get_type_hints(verb, include_extras=True)
    parameters = [
        p.replace(annotation=hints[p.name])
        for p in inspect.signature(verb).parameters.values()
        if p.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    for variation in VARIATIONS.values():
        for number, (flag, p) in enumerate(variation.options()):
            text = p.help if number else f"{variation.summary} {p.help}"
            if number and p.default is not None:
                text += f" Default: {p.default:g}."
            option = typer.Option(
                flag, help=text, show_default=False, metavar=METAVARS[p.kind], rich_help_panel="Variations"
            )
            kind: Any = typing.Optional[p.kind]  # noqa: UP045 (a type that is made here, not an annotation)
            parameters.append(
                inspect.Parameter(
                    _name(flag), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
                )
            )

    @functools.wraps(verb)
    def wrapped(**given: object) -> None:
        verb(**given)

    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapped


def chosen_steps(settings: Mapping[str, float | None]) -> list[Step]:
    """Return the variations whose options were given, in the order of the table.

    Raises:
        UsageError: none was given, an option needs another one, or a value is out of range.
    """
    from celesta.variations.registry import VARIATIONS, Step

    steps = []
    for variation in VARIATIONS.values():
        options = variation.options()
        given = {p.name: settings.get(_name(flag)) for flag, p in options}
        values = {name: value for name, value in given.items() if value is not None}
        if options[0][1].name in values:
            steps.append(Step(variation.name, **values))
        elif values:
            flags = ", ".join(flag for flag, p in options if p.name in values)
            raise UsageError(f"{flags} belongs to {options[0][0]}, which is not given")
    if not steps:
        raise UsageError(f"give at least one of {', '.join(f'--{name}' for name in VARIATIONS)}")
    return steps


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")
