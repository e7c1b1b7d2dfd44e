"""Options of a verb from the fields of a dataclass, so that the defaults of the command and of the API are the same."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Collection
from typing import Annotated, Any

import typer


def options_of(cls: type[Any], skip: Collection[str] = (), *, panel: str | None = None) -> list[inspect.Parameter]:
    """Make an option for each field: its name with hyphens, its type, its default, its help.

    Args:
        cls: a dataclass; a field's ``metadata`` may hold ``help``, ``choices``, ``metavar`` and ``option`` (another
            name of the option). Ranges are checked by the dataclass itself.
        skip: names of fields that are no options.
        panel: title of the options in the help.
    """
    hints = typing.get_type_hints(cls)
    made = []
    for field in dataclasses.fields(cls):
        if field.name in skip:
            continue
        name = field.metadata.get("option", field.name).replace("_", "-")
        flag = f"--{name}/--no-{name}" if hints[field.name] is bool else f"--{name}"
        text = field.metadata.get("help", "")
        choices = field.metadata.get("choices", ())
        if choices and not all(choice in text for choice in choices):
            text = f"{text.rstrip('. ')}: {', '.join(choices)}."
        option = typer.Option(
            flag,
            help=text,
            metavar=None if hints[field.name] is bool else field.metadata.get("metavar", _METAVARS[hints[field.name]]),
            rich_help_panel=panel,
        )
        default = None if field.default is dataclasses.MISSING else field.default
        made.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[hints[field.name], option],
            )
        )
    return made


_METAVARS = {int: "N", float: "X", str: "NAME"}


def with_options(
    cls: type[Any], skip: Collection[str] = (), *, panel: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the options of a dataclass in the place of its ``**settings``."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        hints = typing.get_type_hints(function, include_extras=True)
        own = [
            p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for p in inspect.signature(function).parameters.values()
            if p.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        parameters = [*own, *options_of(cls, skip, panel=panel)]

        @functools.wraps(function)
        def verb(**given: Any) -> None:
            function(**given)

        verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        verb.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        return verb

    return decorate
