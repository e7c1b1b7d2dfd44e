"""The table of models, and configurations as plain dictionaries.

Everything that lists models reads :func:`shipped`: the ``models`` verb, the demo, the study, the contract tests, the
golden files, benchmarks and docs. To add a model, write its file and add one :class:`Entry`.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celesta import _device
from celesta._names import near
from celesta.errors import ModelError
from celesta.models import stored, weights
from celesta.models.baseline_info import BaselineInfo, LinearInfo, PcaInfo, SparseInfo
from celesta.models.info import Capabilities, ModelConfig, ModelInfo, StoredInfo
from celesta.models.licences import APACHE, COMMERCIAL, RESEARCH

if TYPE_CHECKING:
    from celesta.models.base import Model


class Role(StrEnum):
    """Why a model is here."""

    CODEC = "codec"
    REPORT = "2024 report"
    BASELINE = "baseline"


@dataclass(frozen=True)
class Entry:
    """One model of the table.

    Attributes:
        name: what users type. For a sized family the size that ships, such as ``linear-64``.
        network: module in :mod:`celesta.models` and class of the network, imported when it is used.
        role: see :class:`Role`.
        description: one line, without a full stop.
        weights: file name in the weights folder, "" for a model that needs none.
        weights_licence: terms of use of the weights, "" where there are none.
        preset: constant of the module that is the configuration; "" for the defaults.
        objective: training objective, a key of :data:`celesta.training.objectives.OBJECTIVES`.
        backend: inference engine that is the faster one on CPUs in float32, ``onnx`` or ``torch``, where both are
            installed: by benchmarks/backends.py, starting the process included.
        sized: class that describes a family of sizes; the number at the end of the name is the configuration's
            ``size``.
    """

    name: str
    network: str
    role: Role
    description: str
    weights: str = ""
    weights_licence: str = ""
    preset: str = ""
    objective: str = "reconstruction"
    backend: str = "onnx"
    sized: type[BaselineInfo] | None = None

    @property
    def weights_file(self) -> Path | None:
        """Path of the weights; None for a model that needs none. The file may be missing."""
        return weights.FOLDER / self.weights if self.weights else None

    @property
    def size(self) -> int:
        """The number K in the name of a sized model, 0 for the others."""
        return int(self.name.rpartition("-")[2]) if self.sized else 0

    @property
    def model(self) -> type[Model]:
        """The class of the network; needs torch."""
        module, _, name = self.network.partition(".")
        return typing.cast("type[Model]", getattr(_device.import_with_torch(f"celesta.models.{module}"), name))

    @property
    def config(self) -> ModelConfig:
        """The configuration; needs torch, but for the baselines."""
        if self.sized is not None:
            return self.sized.Config(self.size)
        if self.preset:
            module = _device.import_with_torch(f"celesta.models.{self.network.partition('.')[0]}")
            return typing.cast(ModelConfig, getattr(module, self.preset))
        return typing.cast(ModelConfig, self.model.Config())

    @cached_property
    def info(self) -> ModelInfo:
        """Sizes and capabilities: of the exported model where there is one, else of the network, with torch."""
        if self.sized is not None:
            return self.sized(self.sized.Config(self.size))
        if self.exported.is_file():
            described = stored.read_description(self.exported).info
            assert described is not None
            return described
        return self.model(self.config)

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        if self.sized is not None:
            return 0
        info = self.info
        if isinstance(info, StoredInfo):
            return info.parameters
        return sum(p.numel() for p in typing.cast("Model", info).parameters())

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do."""
        return self.sized.capabilities if self.sized is not None else self.info.capabilities

    @property
    def exported(self) -> Path:
        """Path of the description of the exported model; the file may be missing."""
        return weights.FOLDER / f"{self.name}.json"

    @property
    def commercial(self) -> bool:
        """Whether the terms of the weights allow commercial use."""
        return not self.weights or self.weights_licence in COMMERCIAL

    @property
    def needs_weights(self) -> bool:
        """Whether the model gives nothing useful before it is trained or fitted."""
        return self.capabilities.has_weights or self.capabilities.needs_fitting


MODELS: tuple[Entry, ...] = (
    Entry(
        "nested2",
        "nested2.Nested2",
        Role.CODEC,
        "Celesta's codec at 44.1 kHz: a band envelope, a small dense base and a sparse detail, coded to any bitrate",
        "nested2.safetensors",
        APACHE,
        objective="enveloped",
    ),
    Entry(
        "cel-lr",
        "cel.CelAutoencoder",
        Role.REPORT,
        "CELAutoencoder: convolutions, LeakyReLU, a latent of 512 x 6890 for 5 s",
        "cel-lr.safetensors",
        RESEARCH,
        preset="CEL_LR",
    ),
    Entry(
        "cel-silu",
        "cel.CelAutoencoder",
        Role.REPORT,
        "CELAutoencoderSiLU: cel-lr with SiLU activations",
        "cel-silu.safetensors",
        RESEARCH,
        preset="CEL_SILU",
    ),
    Entry(
        "cel-2",
        "cel.CelAutoencoder",
        Role.REPORT,
        "CELAutoencoder2: one pooling less, a latent of 512 x 13781 for 5 s",
        "cel-2.safetensors",
        RESEARCH,
        preset="CEL_2",
    ),
    Entry(
        "cel-3",
        "cel.CelAutoencoder",
        Role.REPORT,
        "CELAutoencoder3: seven poolings, a latent of 256 x 861 for 5 s",
        "cel-3.safetensors",
        RESEARCH,
        preset="CEL_3",
    ),
    Entry(
        "linear-64",
        "baselines.LinearBaseline",
        Role.BASELINE,
        "The K lowest of 512 MDCT coefficients of each frame",
        sized=LinearInfo,
    ),
    Entry(
        "pca-64",
        "baselines.PcaBaseline",
        Role.BASELINE,
        "Four MDCT frames projected on their 4 K strongest principal components",
        "pca-64.safetensors",
        RESEARCH,
        sized=PcaInfo,
    ),
    Entry(
        "sparse-64",
        "baselines.SparseBaseline",
        Role.BASELINE,
        "The K / 2 largest MDCT coefficients of each frame with their places",
        sized=SparseInfo,
    ),
)

FORMER: tuple[Entry, ...] = (
    Entry(
        "nested",
        "nested.Nested",
        Role.CODEC,
        "The codec before nested2: a small dense base and a sparse detail, coded to any bitrate",
        "nested.safetensors",
        APACHE,
        objective="scalable",
    ),
)
"""Models that later ones replace: they and their files still work, lists leave them out."""
DEFAULT = "nested2"
"""The model that is used where none is named."""


def shipped(role: Role | None = None) -> tuple[Entry, ...]:
    """Return the models that ship: by role, then in the order of the table.

    Args:
        role: only the models of this role.

    >>> [entry.name for entry in shipped(Role.BASELINE)]
    ['linear-64', 'pca-64', 'sparse-64']
    """
    roles = list(Role) if role is None else [role]
    return tuple(one for wanted in roles for one in MODELS if one.role is wanted)


def patterns() -> tuple[str, ...]:
    """Return the names of the models that come in any size: ``linear-K``, ``pca-K``, ``sparse-K``."""
    return tuple(f"{entry.sized.kind}-K" for entry in MODELS if entry.sized)


def entry(name: str) -> Entry:
    """Return the entry of a name, such as ``cel-silu`` or ``linear-12``.

    For a size that does not ship, name and configuration are those of that size.

    Raises:
        ModelError: there is no such model (near misses are named), or its size is out of range.
    """
    for one in (*MODELS, *FORMER):
        if one.name == name:
            return one
    for one in MODELS:
        match = re.fullmatch(rf"{one.sized.kind}-([1-9][0-9]{{0,5}})", name) if one.sized else None
        if match is not None and one.sized is not None:
            try:
                one.sized.Config(int(match[1]))
            except ModelError as error:
                raise ModelError(f"{name}: {error}") from None
            return dataclasses.replace(one, name=name)
    raise ModelError(f"unknown model {name!r}; {_suggestion(name)}")


def configuration(name: str) -> ModelConfig:
    """Return the configuration that a name stands for; raises as :func:`entry`."""
    return entry(name).config


def create(name: str) -> Model:
    """Create a new model of that name, its weights random or, for the baselines, none or unfitted.

    Raises:
        ModelError: see :func:`entry`.
    """
    found = entry(name)
    return found.model(found.config)


def build(config: ModelConfig) -> Model:
    """Create a new model from a configuration; needs torch."""
    for model in _kinds().values():
        if type(config) is model.Config:
            return model(config)
    raise ModelError(f"no model has a configuration of type {type(config).__name__}")


def config_to_dict(config: ModelConfig) -> dict[str, Any]:
    """Convert a configuration to numbers, strings and lists with its ``kind``; ready for JSON and TOML."""
    kind = next((kind for kind, model in _kinds().items() if type(config) is model.Config), None)
    if kind is None:
        raise ModelError(f"no model has a configuration of type {type(config).__name__}")
    plain: dict[str, Any] = {"kind": kind}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        plain[field.name] = list(value) if isinstance(value, tuple) else value
    return plain


def config_from_dict(data: Mapping[str, Any]) -> ModelConfig:
    """Rebuild the configuration that :func:`config_to_dict` wrote. Keys left out take their defaults.

    Raises:
        ModelError: the kind is unknown, a key is unknown or missing, or a value has the wrong type or range.
    """
    kinds, kind = _kinds(), data.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise ModelError(f"model configuration: kind must be one of {', '.join(kinds)}, got {kind!r}")
    cls = typing.cast(Any, kinds[kind].Config)
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


def _kinds() -> dict[str, type[Model]]:
    return {one.model.kind: one.model for one in (*MODELS, *FORMER)}


def _checked(value: Any, hint: Any, where: str) -> Any:
    """Return ``value`` if it is exactly of the type (an integer also stands for a float, a list for a tuple)."""
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
    """Name near misses, else all models."""
    sized = [one.sized.kind for one in MODELS if one.sized]
    kind = near(name.split("-")[0], sized, n=1)
    if kind:
        return f"its names are {kind[0]}-K with an integer K, such as {kind[0]}-64"
    fixed = [one.name for one in MODELS if not one.sized]
    found = near(name, fixed, cutoff=0.5)
    if found:
        return f"did you mean {' or '.join(found)}?"
    return f"there are {', '.join((*fixed, *patterns()))}"
