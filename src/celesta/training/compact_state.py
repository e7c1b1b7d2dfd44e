"""Training runs as small files: enough to go on with a run elsewhere, in about a fifth of its checkpoint's size.

Kept are the weights in float16 and the optimiser's second moments as logarithms in 8 bits. First moments are those of
the last ten steps and the moving average begins anew at the weights: both are soon what they would have been.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor

from celesta._files import printable
from celesta.errors import ModelError, TrainingError
from celesta.models import weights
from celesta.training.config import read_config
from celesta.training.loop import STATE

SETTINGS = "train.toml"
_LOWEST, _STEPS = -64.0, 4.0  # log2 of the least second moment that differs from 0, and steps of an octave


def pack(run: Path, target: Path) -> int:
    """Write the checkpoint of a run as a compact state.

    Args:
        run: folder with ``train.toml`` and a checkpoint.
        target: the ``.safetensors`` file.

    Returns:
        The step of the checkpoint.

    Raises:
        TrainingError: the run has no checkpoint, or it is damaged.
    """
    read_config(run / SETTINGS)
    try:
        found = weights.read(run / STATE)
        facts = found.json("facts")
    except ModelError as error:
        raise TrainingError(f"{printable(run)}: no checkpoint to pack ({error})") from None
    tensors: dict[str, Tensor] = {}
    for name, value in found.tensors.items():
        if name.startswith("model."):
            tensors[name] = value.half() if value.dim() > 1 and value.is_floating_point() else value
        elif name.endswith(".exp_avg_sq"):
            tensors[name] = _to_bytes(value)
        elif name.endswith(".step"):
            tensors[name] = value
    text = (run / SETTINGS).read_text(encoding="utf-8")
    weights.write(target, tensors, {"facts": json.dumps(facts), "settings": text}, TrainingError)
    return int(facts["step"])


def unpack(source: Path, run: Path, data: str | None = None) -> int:
    """Make a folder of a run from a compact state; ``celesta train --resume`` goes on with it.

    Args:
        source: file that :func:`pack` wrote.
        run: new folder.
        data: where the music is here; None for the folder named in the settings.

    Returns:
        The step that the run goes on from.

    Raises:
        TrainingError: the file is damaged, or the folder holds a run.
    """
    if (run / SETTINGS).exists():
        raise TrainingError(f"{printable(run)}: already holds a run; choose another folder")
    try:
        found = weights.read(source)
        facts = found.json("facts")
        settings = str(found.metadata["settings"])
    except (ModelError, KeyError) as error:
        raise TrainingError(f"{printable(source)}: not a compact training state ({error})") from None
    tensors: dict[str, Tensor] = {}
    for name, value in found.tensors.items():
        if name.startswith("model."):
            tensors[name] = value.float() if value.is_floating_point() else value
            tensors[f"average.{name[6:]}"] = tensors[name].clone()
        elif name.endswith(".exp_avg_sq"):
            tensors[name] = _from_bytes(value)
            tensors[name.removesuffix("_sq")] = torch.zeros_like(tensors[name])
        else:
            tensors[name] = value
    run.mkdir(parents=True, exist_ok=True)
    # The new folder has no weights of its own yet: the next validation is its best.
    facts |= {"best": math.inf, "best_step": 0}
    weights.write(run / STATE, tensors, {"facts": json.dumps(facts)}, TrainingError)
    if data is not None:
        lines = [f"data = {json.dumps([data])}" if x.startswith("data = ") else x for x in settings.splitlines()]
        settings = "\n".join(lines) + "\n"
    (run / SETTINGS).write_text(settings, encoding="utf-8")
    return int(facts["step"])


def _to_bytes(value: Tensor) -> Tensor:
    """Logarithms in quarters of an octave, 0 for 0."""
    index = ((torch.log2(value.clamp(min=1e-38)) - _LOWEST) * _STEPS).round() + 1
    return torch.where(value > 0, index.clamp(1, 255), torch.zeros_like(value)).to(torch.uint8)


def _from_bytes(value: Tensor) -> Tensor:
    power = torch.exp2((value.float() - 1) / _STEPS + _LOWEST)
    return torch.where(value > 0, power, torch.zeros_like(power))
