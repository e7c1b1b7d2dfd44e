"""Recipes: chains of variations as TOML files, and as the side files (JSON) of results.

model = "nested2"
seed = 7

[[step]]
name = "brightness"
value = 2

[[step]]
name = "noise"
sigma = 0.1
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celesta._files import printable
from celesta.errors import UsageError
from celesta.variations.registry import VARIATIONS, Step

_KEYS = ("model", "seed", "step")
_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Recipe:
    r"""A chain of variations.

    Attributes:
        steps: one after the other.
        model: name of the model or run folder; "" for the command's.
        seed: of steps that draw random numbers and have no seed of their own.

    Example:
        >>> recipe = parse_recipe('[[step]]\nname = "brightness"\nvalue = 2')
        >>> [str(step) for step in recipe.steps]
        ['brightness 2']
    """

    steps: tuple[Step, ...]
    model: str = ""
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON and TOML hold."""
        return {
            "model": self.model,
            "seed": self.seed,
            "step": [{"name": step.name, **step.settings} for step in self.steps],
        }


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a TOML file, or from the side file (``.json``) of a result of ``transform`` or ``vary``.

    Raises:
        UsageError: the file cannot be read, or a key or value is unknown or out of range; the message names it.

    Example:
        steps = read_recipe("warm.toml").steps
    """
    try:
        data = Path(path).read_bytes()[: _LARGEST + 1]
    except OSError as error:
        raise UsageError(f"{printable(path)}: cannot be read ({error.strerror}); check the path") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{printable(path)}: is larger than 1 MiB; is it a recipe?")
    try:
        text = data.decode("utf-8")
        return _of_side_file(text) if Path(path).suffix.lower() == ".json" else parse_recipe(text)
    except UnicodeDecodeError:
        raise UsageError(f"{printable(path)}: is not UTF-8 text") from None
    except UsageError as error:
        raise UsageError(f"{printable(path)}: {error}") from None


def parse_recipe(text: str) -> Recipe:
    """Read a recipe from text.

    Raises:
        UsageError: it is no TOML, or a key or value is unknown or out of range.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"is not a TOML file ({error})") from None
    return _recipe(document)


def _of_side_file(text: str) -> Recipe:
    """Read the recipe in the side file of a result."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    settings = document.get("settings") if isinstance(document, dict) else None
    if not isinstance(settings, dict) or "step" not in settings:
        raise UsageError("is not the side file of a result of transform or vary")
    return _recipe({key: settings[key] for key in ("model", "step") if key in settings})


def _recipe(document: dict[str, Any]) -> Recipe:
    for key in document:
        if key not in _KEYS:
            raise UsageError(f"unknown key {printable(key)!r}; a recipe has {', '.join(_KEYS)}")
    model, seed, listed = document.get("model", ""), document.get("seed", 0), document.get("step")
    if not isinstance(model, str):
        raise UsageError(f"model must be a text, got {model!r}")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise UsageError(f"seed must be an integer in 0..{2**32 - 1}, got {seed!r}")
    if not isinstance(listed, list) or not listed:
        raise UsageError("has no [[step]]; give at least one, with a name")
    return Recipe(tuple(_step(i, one, seed) for i, one in enumerate(listed, start=1)), model, seed)


def _step(number: int, settings: Any, seed: int) -> Step:
    if not isinstance(settings, dict) or not isinstance(settings.get("name"), str):
        raise UsageError(f"step {number} has no name; there are {', '.join(VARIATIONS)}")
    given = {key: value for key, value in settings.items() if key != "name"}
    name = settings["name"]
    if name in VARIATIONS and "seed" not in given and any(p.name == "seed" for p in VARIATIONS[name].parameters):
        given["seed"] = seed
    try:
        return Step(name, **given)
    except UsageError as error:
        raise UsageError(f"step {number}: {printable(error)}") from None


def describe(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return steps as the rows of a recipe."""
    return [{"name": step.name, **step.settings} for step in steps]
