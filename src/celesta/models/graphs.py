"""The functions of models that are exported as ONNX graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta.models.base import Model, Parts
from celesta.models.cel import CelAutoencoder, kernel_2d

Axes = dict[int, str]
_FRAMES = 16


@dataclass(frozen=True)
class Function:
    """A function to export.

    Attributes:
        name: of the graph.
        inputs: example of each input, by name.
        axes: axes of each input or output that have any length, with names for them.
        outputs: names.
        compute: takes the inputs in order; returns the outputs, or one of them.
    """

    name: str
    inputs: dict[str, Tensor]
    axes: dict[str, Axes]
    outputs: tuple[str, ...]
    compute: Callable[..., Any]


class Traced(nn.Module):
    """A function as a module that holds the model, so that graphs name its weights as the model does."""

    def __init__(self, model: nn.Module, function: Function) -> None:
        super().__init__()
        self.model = model
        self.compute = function.compute

    def forward(self, *inputs: Tensor) -> Any:
        """Compute the outputs."""
        return self.compute(*inputs)


def functions(model: nn.Module) -> list[Function]:
    """Return the functions of a model that are exported."""
    if isinstance(model, CelAutoencoder):
        return _cel(model)
    if isinstance(model, Model):
        return _with_mdct(model) if hasattr(model, "mdct") else _dense(model)
    return [
        Function(
            "features",
            {"patches": _noise(2, 187, 96)},
            {"patches": {0: "batch"}, "out": {0: "batch"}},
            ("out",),
            model,
        )
    ]


def _dense(model: Model) -> list[Function]:
    x = _noise(1, model.channels, _FRAMES * model.hop_length)
    with torch.no_grad():
        base = model.encode(x).base
    return [
        Function("encode", {"x": x}, {"x": {0: "B", 2: "T"}, "base": {0: "B", 2: "F"}}, ("base",),
                 lambda x: model.encode(x).base),
        Function("decode", {"base": base}, {"base": {0: "B", 2: "F"}, "out": {0: "B", 2: "T"}}, ("out",),
                 lambda base: model.decode(Parts.dense(base), base.shape[-1] * model.hop_length)),
    ]  # fmt: skip


def _cel(model: CelAutoencoder) -> list[Function]:
    encode, decode = _dense(model)
    inputs = {**decode.inputs, "length": torch.tensor(_FRAMES * model.hop_length)}

    def compute(base: Tensor, length: Tensor) -> Tensor:
        """Decode without a branch: one sample more than needed is always made, and cut off."""
        pooled, n = model.config.pooled, len(model.encoder)
        level = len(pooled)
        h = base.unsqueeze(2)
        for number, block in zip(range(n, 1, -1), model.decoder, strict=True):
            if number in pooled:
                level -= 1
                h = _upsampled(h, length // 2**level)
            h = block(h)
        if 1 in pooled:
            h = _upsampled(h, length)
        weight = kernel_2d(model.last)
        return torch.tanh(F.conv2d(h, weight, model.last.bias, padding=(0, weight.shape[-1] // 2))).squeeze(2)

    return [encode, Function("decode", inputs, decode.axes, ("out",), compute)]


def _upsampled(x: Tensor, length: Tensor) -> Tensor:
    x = F.interpolate(x, scale_factor=(1.0, 2.0), mode="nearest")  # Expand of the last axis is slow in ONNX Runtime
    return torch.cat([x, x[..., -1:]], dim=-1)[..., : cast(int, length)]


def _with_mdct(model: Any) -> list[Function]:
    bands = model.hop_length
    x = _noise(1, 1, _FRAMES * bands)
    with torch.no_grad():
        c = model.mdct(x[:, 0])
        parts = model.encode(x)
    # ONNX has no fast MDCT: in graphs the transform is an input or an output.
    names = tuple(name for name, part in parts._asdict().items() if part.numel())
    frames = {0: "B", 2: "F"}
    axes: dict[str, Axes] = {
        "x": {0: "B", 2: "T"}, "c": {0: "B", 1: "F"}, "base": {0: "B", 1: "dense", 2: "F"},
        "places": {0: "B", 1: "k", 2: "F"}, "values": {0: "B", 1: "k", 2: "F"}, "envelope": {0: "B", 2: "cells"},
    }  # fmt: skip

    def encode(x: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        with _without_transform(model, c):
            made = model.encode(x)
        return tuple(getattr(made, name) for name in names)

    numbers = {"start": torch.tensor(3)}
    if model.capabilities.has_envelope:
        numbers["channel"] = torch.tensor(1)

    def decode(*values: Tensor) -> Tensor:
        made = dict(zip((*names, *numbers), values, strict=True))
        own = {name: made.pop(name) for name in numbers}
        with _without_transform(model, None):
            return cast(Tensor, model.decode(Parts(**made), 0, **own))[:, 0]

    inputs = {name: getattr(parts, name) for name in names}
    return [
        Function(
            "encode", {"x": x, "c": c}, axes | {"base": frames, "places": frames, "values": frames}, names, encode
        ),
        Function("decode", inputs | numbers, axes | {"out": {0: "B", 1: "F"}}, ("out",), decode),
        Function("base", {"x": x, "c": c}, axes | {"out": {0: "B", 1: "F"}}, ("out",), lambda x, c: model.base(x, c)),
    ]


class _without_transform:
    """Let a model's transform return given coefficients, and its inverse the coefficients themselves."""

    def __init__(self, model: Any, c: Tensor | None) -> None:
        self._model, self._c = model, c

    def __enter__(self) -> None:
        model, c = self._model, self._c
        self._held = model.mdct
        given = nn.Identity()
        given.forward = lambda _: c  # type: ignore[method-assign, assignment, return-value]
        given.inverse = lambda c, length: c  # type: ignore[assignment]
        model.mdct = given

    def __exit__(self, *_: object) -> None:
        self._model.mdct = self._held


def _noise(*shape: int) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))
