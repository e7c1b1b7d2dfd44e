"""A run's state in one safetensors file, replaced atomically: a kill at any moment leaves the last whole one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from celesta._files import printable
from celesta.errors import ModelError, TrainingError
from celesta.models import weights
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
    weights.write(path, tensors, {"facts": json.dumps(facts)}, TrainingError)


def load_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: Average) -> dict[str, Any]:
    """Put a saved state into ``model``, ``optimizer`` and ``average``; the facts come back.

    Raises:
        TrainingError: the file is damaged or is of another model.
    """
    try:
        found = weights.read(path)
        facts: dict[str, Any] = found.json("facts")
        tensors = found.tensors
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
    except (ModelError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{printable(path)}: cannot resume from it ({error}); start a new run") from None
    return facts


def save_weights(path: Path, model: nn.Module, config: ModelConfig, facts: dict[str, Any], *, half: bool) -> None:
    """Write a model's weights with its configuration, as :func:`celesta.codec.load` reads them.

    Args:
        path: the file.
        model: whose state is written.
        config: its configuration.
        facts: of its training, JSON types.
        half: see :func:`celesta.models.weights.in_half`.
    """
    state = model.state_dict()
    if half:
        state = weights.in_half(state)
    metadata = {"config": json.dumps(config_to_dict(config)), "facts": json.dumps(facts)}
    weights.write(path, state, metadata, TrainingError)
