"""Export networks as ONNX graphs that read their weights from the safetensors file next to them.

ONNX's external data are a file name, an offset and a length for each tensor. A safetensors file holds its tensors in
that very form, so weights exist once, for torch and for ONNX Runtime.
"""

from __future__ import annotations

import io
import json
import shutil
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from celesta._files import atomic, printable
from celesta.errors import MissingExtraError, ModelError
from celesta.models import registry, weights
from celesta.models.base import Model, parameter_count
from celesta.models.graphs import Function, Traced, functions
from celesta.models.info import StoredInfo
from celesta.models.onnx_runtime import GraphNetwork
from celesta.models.stored import MDCT, Description, file_hash

OPSET = 20
TOLERANCE = 1e-4
_PREFIX = "model."


@dataclass(frozen=True)
class _Tensor:
    """Where a tensor of a safetensors file lies."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


def export_network(
    name: str,
    network: nn.Module,
    weights_file: Path,
    folder: Path,
    licence: str,
    facts: Mapping[str, Any] | None = None,
) -> Description:
    """Write the graphs of a network, which must hold the weights of a file, and their description.

    Every graph is compared with the network at several lengths.

    Args:
        name: of the model; files are called ``NAME.json`` and ``NAME.FUNCTION.onnx``.
        network: in evaluation mode, float32, not prepared.
        weights_file: the weights; copied into the folder where it is not there.
        folder: an existing folder.
        licence: terms of use of the weights.
        facts: of its training; None for what the weights' file says.

    Raises:
        ModelError: a graph does not compute what the network does, or a file cannot be written.
        MissingExtraError: the package onnx is not installed.
    """
    if weights_file.resolve().parent != folder.resolve():
        target = folder / f"{name}.safetensors"
        with atomic(target, ModelError) as temporary:
            shutil.copyfile(weights_file, temporary)
        weights_file = target
    found = weights.read(weights_file)
    graphs = {}
    for function in functions(network):
        path = folder / f"{name}.{function.name}.onnx"
        with atomic(path, ModelError) as temporary:
            temporary.write_bytes(_graph(network, function, weights_file))
        _compare(network, function, path)
        graphs[function.name] = file_hash(path)
    if facts is None:
        facts = found.json("facts") if "facts" in found.metadata else {}
    transform = MDCT if hasattr(network, "mdct") else ""
    made = Description(
        folder / f"{name}.json", name, _info(network), weights_file.name, found.sha256, graphs, transform,
        licence, dict(facts), OPSET,
    )  # fmt: skip
    with atomic(made.path, ModelError) as temporary:
        temporary.write_text(made.to_json(), encoding="utf-8")
    return made


def export_model(name: str | Path, folder: str | Path) -> Description:
    """Export a model that ships, or the best weights of a training run.

    Args:
        name: of the model, or the folder of the run.
        folder: made where it does not exist.

    Raises:
        ModelError: there is no such model, it has no network, or its weights are missing.
    """
    run = Path(name) / "best.safetensors"
    if run.is_file():
        found = weights.read(run)
        model = registry.build(registry.config_from_dict(found.json("config")))
        title, file, licence = Path(name).resolve().name, run, "that of the training data"
    else:
        entry = registry.entry(str(name))
        if entry.sized is not None:
            raise ModelError(f"{name}: runs with NumPy alone, there is no network to export")
        if entry.weights_file is None or not entry.weights_file.is_file():
            raise ModelError(f"{name}: its weights are not installed; train it, or export a training run's folder")
        found = weights.read(entry.weights_file)
        model, title, file, licence = entry.model(entry.config), entry.name, entry.weights_file, entry.weights_licence
    found.load_into(model)
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{printable(target)}: cannot be made ({error.strerror})") from None
    return export_network(title, model.eval(), file, target, licence)


def _info(network: nn.Module) -> StoredInfo | None:
    if not isinstance(network, Model):
        return None
    stored_numbers = sum(value.numel() for value in network.state_dict().values())
    config = registry.config_to_dict(network.config)
    return StoredInfo.of(network, config, parameters=parameter_count(network), stored_numbers=stored_numbers)


def _graph(network: nn.Module, function: Function, weights_file: Path) -> bytes:
    """Trace a function and let its weights be those of a file."""
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("export needs the package onnx, of the extra [train]; pip install onnx") from None
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.enable_grad():  # pooling has an operator of its own with gradients only
        warnings.simplefilter("ignore")  # of tracing: graphs are compared at several lengths
        torch.onnx.export(
            Traced(network, function).eval(), tuple(function.inputs.values()), buffer,  # type: ignore[arg-type]
            input_names=list(function.inputs), output_names=list(function.outputs), dynamic_axes=function.axes,
            opset_version=OPSET, dynamo=False, do_constant_folding=False,
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    _refer(model.graph, _tensors(weights_file), weights_file.name)
    del model.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))


def _refer(graph: Any, tensors: Mapping[str, _Tensor], file: str) -> None:
    """Replace initial values that the file holds by references to it; half precision is widened in the graph."""
    import onnx

    casts = []
    for value in graph.initializer:
        held = tensors.get(value.name.removeprefix(_PREFIX))
        if held is None or held.shape != tuple(value.dims) or value.data_type != onnx.TensorProto.FLOAT:
            continue
        value.ClearField("raw_data")
        value.ClearField("float_data")
        if held.dtype == "F16":
            wide = value.name
            value.name += ".half"
            value.data_type = onnx.TensorProto.FLOAT16
            casts.append(onnx.helper.make_node("Cast", [value.name], [wide], to=onnx.TensorProto.FLOAT))
        value.data_location = onnx.TensorProto.EXTERNAL
        for key, entry in (("location", file), ("offset", held.offset), ("length", held.length)):
            value.external_data.add(key=key, value=str(entry))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _tensors(path: Path) -> dict[str, _Tensor]:
    """Return where the tensors of a safetensors file lie."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    begin = 8 + size
    return {
        name: _Tensor(one["dtype"], tuple(one["shape"]), begin + one["data_offsets"][0], _length(one["data_offsets"]))
        for name, one in header.items()
    }


def _length(offsets: list[int]) -> int:
    return offsets[1] - offsets[0]


def _compare(network: nn.Module, function: Function, path: Path) -> None:
    """Compare a graph with the network, at the length of the example and at others.

    Raises:
        ModelError: they differ.
    """
    graph = GraphNetwork(path)
    for frames in (4, 16, 28):
        inputs = {name: _resized(name, value, frames, function) for name, value in function.inputs.items()}
        with torch.no_grad():
            made = function.compute(*inputs.values())
        wanted = made if isinstance(made, tuple) else (made,)
        got = graph.run(**{name: value.numpy() for name, value in inputs.items()})
        for name, one in zip(function.outputs, wanted, strict=True):
            far = np.abs(got[name].astype(np.float64) - one.numpy()).max(initial=0)
            if got[name].shape != tuple(one.shape) or not far <= TOLERANCE * max(1, float(one.abs().max())):
                raise ModelError(
                    f"{printable(path)}: {name} differs from the network's by {far:.2g} at {frames} frames"
                )


def _resized(name: str, value: torch.Tensor, frames: int, function: Function) -> torch.Tensor:
    """Return an input with another number of frames."""
    if value.dim() == 0:
        return value * frames // 16 if name == "length" else value
    for axis in function.axes.get(name, {}):
        if function.axes[name][axis] in ("F", "T", "cells"):
            size = max(1, value.shape[axis] * frames // 16)
            value = value.repeat_interleave(2, axis).narrow(axis, 0, size)
    return value.contiguous()
