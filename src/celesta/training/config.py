"""What a training run is: one frozen dataclass, to TOML and back."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celesta.errors import TrainingError, UsageError

INITS = ("default", "looks-linear")
SCHEDULES = ("cosine", "trapezoid")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one run.

    Attributes:
        model: registry name.
        data: folders of music.
        lists: folder of GTZAN's lists, empty to look beside the data.
        begin: model name or run folder whose weights the run begins with, empty to draw them.
        seed: of the weights and of every batch.
        steps: optimiser steps of the whole run; the schedule depends on it.
        batch: crops a step.
        crop: samples of a crop.
        loss: name in :mod:`celesta.training.losses`.
        init: ``default`` (PyTorch's) or ``looks-linear`` (Balduzzi et al. 2017: filters in pairs of opposite sign,
            so that activations and max pooling start out linear).
        learning_rate, beta2, weight_decay, warmup: of AdamW with linear warm-up.
        schedule: ``cosine`` falls to zero over the run; ``trapezoid`` holds the rate and falls in the last fifth.
        average: decay of the moving average of the weights that is validated and kept; 0 keeps the weights themselves.
        clip: largest norm of the gradient, 0 for any.
        precision: ``bfloat16`` runs the network under autocast; ``auto`` takes it where the processor has it.
        compile: use ``torch.compile`` (needs a C++ compiler on CPUs).
        valid_every, valid_windows: steps between validations and how many whole windows each scores.
        checkpoint_every: steps between checkpoints.
        threads: torch threads, 0 for its default; part of what makes a curve identical to the bit.
    """

    model: str
    data: tuple[str, ...]
    lists: str = ""
    begin: str = ""
    seed: int = 0
    steps: int = 20_000
    batch: int = 16
    crop: int = 2_048
    loss: str = "mse"
    init: str = "looks-linear"
    learning_rate: float = 3e-3
    beta2: float = 0.98
    weight_decay: float = 0.01
    warmup: int = 50
    schedule: str = "cosine"
    average: float = 0.0
    clip: float = 0.0
    precision: str = "auto"
    compile: bool = True
    valid_every: int = 1_000
    valid_windows: int = 24
    checkpoint_every: int = 500
    threads: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "crop", "valid_every", "valid_windows", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"training: {name} must be at least 1, got {getattr(self, name)}")
        if self.init not in INITS:
            raise UsageError(f"training: init must be one of {', '.join(INITS)}, got {self.init!r}")
        if self.schedule not in SCHEDULES:
            raise UsageError(f"training: schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")
        if not 0 <= self.average < 1:
            raise UsageError(f"training: average must be in [0, 1), got {self.average}")
        if self.precision not in PRECISIONS:
            raise UsageError(f"training: precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        if not self.learning_rate > 0 or not 0 <= self.beta2 < 1:
            raise UsageError("training: learning_rate must be positive and beta2 in [0, 1)")

    def to_toml(self) -> str:
        """The settings as TOML text."""
        lines = [f"{key} = {_toml(value)}" for key, value in dataclasses.asdict(self).items()]
        return "\n".join(lines) + "\n"


def read_config(path: Path) -> TrainConfig:
    """The settings written by :meth:`TrainConfig.to_toml`.

    Raises:
        TrainingError: the file is missing, is not TOML or has other keys.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        data["data"] = tuple(data.get("data", ()))
        return TrainConfig(**data)
    except FileNotFoundError:
        raise TrainingError(f"{path}: missing; is this the folder of a training run?") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise TrainingError(f"{path}: not the settings of a training run ({error})") from None


def _toml(value: object) -> str:
    """Flat values only: JSON's spelling of them is TOML's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
