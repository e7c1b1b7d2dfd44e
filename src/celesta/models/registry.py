"""Every model by its name, and configurations as plain dictionaries. Nothing is imported by name from outside."""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from celesta.errors import ModelError
from celesta.models.base import Model, ModelConfig
from celesta.models.baselines import LinearBaseline, PcaBaseline, SparseBaseline
from celesta.models.cel import CEL_2, CEL_3, CEL_LR, CEL_SILU, CelAutoencoder
from celesta.models.nested import NESTED, Nested

_KINDS: dict[str, type[Model]] = {
    "cel": CelAutoencoder,
    "linear": LinearBaseline,
    "sparse": SparseBaseline,
    "pca": PcaBaseline,
    "nested": Nested,
}
_FIXED: dict[str, ModelConfig] = {
    "cel-lr": CEL_LR,
    "cel-silu": CEL_SILU,
    "cel-2": CEL_2,
    "cel-3": CEL_3,
    "nested": NESTED,
}
_SIZED = ("linear", "sparse", "pca")
_SIZED_NAME = re.compile(rf"({'|'.join(_SIZED)})-([1-9]\d{{0,5}})")


def names() -> tuple[str, ...]:
    """Names of the models that have one fixed configuration."""
    return tuple(_FIXED)


def patterns() -> tuple[str, ...]:
    """Names of the models that come in any size: ``linear-K``, ``sparse-K``, ``pca-K``."""
    return tuple(f"{kind}-K" for kind in _SIZED)


def configuration(name: str) -> ModelConfig:
    """The configuration that a name stands for, such as ``cel-silu`` or ``linear-64``.

    Raises:
        ModelError: there is no such model (near misses are named), or its size is out of range.
    """
    if name in _FIXED:
        return _FIXED[name]
    match = _SIZED_NAME.fullmatch(name)
    if match is None:
        raise ModelError(f"unknown model {name!r}; {_suggestion(name)}")
    try:
        return config_from_dict({"kind": match[1], "size": int(match[2])})
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None


def create(name: str) -> Model:
    """A new model of that name, its weights random or, for the baselines, none or unfitted.

    Raises:
        ModelError: see :func:`configuration`.
    """
    return build(configuration(name))


def build(config: ModelConfig) -> Model:
    """A new model of a configuration."""
    return _KINDS[_kind_of(config)](config)


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """A configuration as numbers, strings and lists, with its ``kind``; ready for JSON and TOML."""
    plain: dict[str, Any] = {"kind": _kind_of(config)}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        plain[field.name] = list(value) if isinstance(value, tuple) else value
    return plain


def config_from_dict(data: Mapping[str, Any]) -> ModelConfig:
    """The configuration that :func:`config_to_dict` wrote. Keys left out take their defaults.

    Raises:
        ModelError: the kind is unknown, a key is unknown or missing, or a value has the wrong type or range.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ModelError(f"model configuration: kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    cls = typing.cast(Any, _KINDS[kind].Config)
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(str(key) for key in data if key != "kind" and key not in fields)
    if unknown:
        raise ModelError(f"model configuration ({kind}): unknown key {unknown[0]!r}; it has {', '.join(fields)}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _checked(data[name], hints[name], f"model configuration ({kind}): {name}")
        elif field.default is dataclasses.MISSING:
            raise ModelError(f"model configuration ({kind}): {name} is missing")
    return typing.cast(ModelConfig, cls(**values))


def _kind_of(config: ModelConfig) -> str:
    for kind, model in _KINDS.items():
        if type(config) is model.Config:
            return kind
    raise ModelError(f"no model has a configuration of type {type(config).__name__}")


def _checked(value: Any, hint: Any, where: str) -> Any:
    """``value`` if it is exactly of the type (a whole number also stands for a float, a list for a tuple)."""
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ModelError(f"{where} must be a list, got {value!r}")
        item = typing.get_args(hint)[0]
        return tuple(_checked(v, item, f"{where}[{i}]") for i, v in enumerate(value))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        raise TypeError(f"{where}: configurations hold no unions")
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ModelError(f"{where} must be {hint.__name__}, got {value!r}")
    return value


def _suggestion(name: str) -> str:
    """What to type instead: near misses, else all names."""
    stem = name.split("-")[0]
    kind = difflib.get_close_matches(stem, _SIZED, n=1, cutoff=0.6)
    if kind:
        return f"its names are {kind[0]}-K with a whole number K, such as {kind[0]}-64"
    near = difflib.get_close_matches(name.lower(), _FIXED, n=2, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join((*names(), *patterns()))}"
