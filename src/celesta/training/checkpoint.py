"""A run's state in one safetensors file, replaced atomically: a kill at any moment leaves the last whole one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from celesta.errors import TrainingError
from celesta.models.base import ModelConfig
from celesta.models.registry import config_to_dict

Average = dict[str, Tensor]


def save_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, facts: dict[str, Any], average: Average
) -> None:
    """Write weights, optimiser state, the weights' moving average and ``facts`` (JSON) under ``path``."""
    tensors = {f"model.{k}": v.detach().contiguous() for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v.contiguous() for k, v in average.items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{k}": torch.as_tensor(v).contiguous() for k, v in state.items()}
    _write(path, tensors, {"facts": json.dumps(facts)})


def load_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: Average) -> dict[str, Any]:
    """Put a saved state into ``model``, ``optimizer`` and ``average``; the facts come back.

    Raises:
        TrainingError: the file is damaged or is of another model.
    """
    try:
        with safe_open(path, "pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()["facts"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        for key in average:
            average[key].copy_(tensors[f"average.{key}"])
        saved = optimizer.state_dict()
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, number, name = key.split(".")
                states.setdefault(int(number), {})[name] = value
        optimizer.load_state_dict({"state": states, "param_groups": saved["param_groups"]})
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise TrainingError(f"{path}: cannot resume from it ({error}); start a new run") from None
    return facts


def save_weights(path: Path, model: nn.Module, config: ModelConfig, facts: dict[str, Any], *, half: bool) -> None:
    """Write a model's weights with its configuration, as :func:`celesta.codec.load` reads them.

    Half precision keeps statistics of batch normalisation (one-dimensional tensors) in float32: they are small, and
    running variances leave float16's range.
    """
    tensors = {}
    for key, value in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        value = value.detach().contiguous()
        tensors[key] = value.half() if half and value.dim() > 1 else value
    metadata = {"config": json.dumps(config_to_dict(config)), "facts": json.dumps(facts)}
    _write(path, tensors, metadata)


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(tensors, temporary, metadata)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
