"""Settings of a training run: one frozen dataclass, to TOML and back.

The dataclass is the only list of options and defaults. The command line makes its options from it: each field's
metadata holds ``help``, and where they apply ``min``, ``max`` and ``choices``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celesta._device import PRECISIONS
from celesta._files import printable
from celesta.errors import TrainingError, UsageError

INITS = ("default", "looks-linear")
SCHEDULES = ("cosine", "trapezoid")


def _field(default: Any, help: str, **metadata: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one run; each field is described in its metadata.

    ``looks-linear`` draws filters in pairs of opposite sign, so that activations and max pooling start out linear
    (Balduzzi et al. 2017). ``trapezoid`` keeps the learning rate constant and lowers it in the last fifth of the steps.

    Raises:
        UsageError: a value is out of range.

    >>> TrainConfig("cel-3", ("music",), steps=0)
    Traceback (most recent call last):
        ...
    celesta.errors.UsageError: training: steps must be at least 1, got 0
    """

    model: str
    data: tuple[str, ...]
    lists: str = _field("", "Folder of GTZAN's filtered lists; looked for next to the data if not given.")
    begin: str = _field("", "Model or run folder whose weights the run begins with.")
    seed: int = _field(0, "Seed of the weights and of every batch.", min=0)
    steps: int = _field(12_000, "Steps of the whole run; the learning rate falls to zero with them.", min=1)
    batch: int = _field(16, "Crops per step.", min=1)
    crop: int = _field(2_048, "Samples per crop.", min=256)
    loss: str = _field("mse", "Loss of models trained to reconstruct.")
    init: str = _field("looks-linear", "Initial weights; default is PyTorch's.", choices=INITS)
    learning_rate: float = _field(3e-3, "Highest learning rate of AdamW.", min=1e-12)
    beta2: float = _field(0.98, "Decay of AdamW's second moment.", min=0.0, max=0.999999)
    weight_decay: float = _field(0.01, "Weight decay of AdamW.", min=0.0)
    warmup: int = _field(50, "Steps in which the learning rate rises to its highest.", min=0)
    schedule: str = _field("cosine", "How the learning rate falls.", choices=SCHEDULES)
    average: float = _field(
        0.0, "Decay of the moving average of the weights that is validated and saved; 0: none.", min=0.0, max=0.999999
    )
    clip: float = _field(0.0, "Largest norm of the gradient; 0: any.", min=0.0)
    precision: str = _field(
        "float32", "Precision of the network; auto: bfloat16 where the processor has it.", choices=PRECISIONS
    )
    device: str = _field("auto", "Where the network computes: auto, cpu, cuda or mps.")
    compile: bool = _field(True, "Compile the network (on CPUs this needs a C++ compiler).")
    valid_every: int = _field(500, "Steps between validations.", min=1)
    valid_windows: int = _field(24, "Whole windows that a validation scores.", min=1)
    checkpoint_every: int = _field(500, "Steps between checkpoints.", min=1)
    threads: int = _field(0, "Threads of torch; 0: as torch chooses. Equal curves need equal numbers.", min=0)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, about = getattr(self, field.name), field.metadata
            where = f"training: {field.name} must be"
            if "choices" in about and value not in about["choices"]:
                raise UsageError(f"{where} one of {', '.join(about['choices'])}, got {value!r}")
            if "min" in about and not value >= about["min"]:
                raise UsageError(f"{where} at least {about['min']:g}, got {value}")
            if "max" in about and not value <= about["max"]:
                raise UsageError(f"{where} at most {about['max']:g}, got {value}")

    def with_absolute_paths(self) -> TrainConfig:
        """Return the same settings with paths that do not depend on the working folder."""

        def absolute(path: str) -> str:
            return os.path.abspath(path) if path else path

        begin = absolute(self.begin) if Path(self.begin).is_dir() and self.begin else self.begin
        data = tuple(absolute(path) for path in self.data)
        return dataclasses.replace(self, data=data, lists=absolute(self.lists), begin=begin)

    def to_toml(self) -> str:
        """Write the settings as TOML."""
        lines = [f"{key} = {_toml(value)}" for key, value in dataclasses.asdict(self).items()]
        return "\n".join(lines) + "\n"


def read_config(path: Path) -> TrainConfig:
    """Read the settings that :meth:`TrainConfig.to_toml` wrote.

    Raises:
        TrainingError: the file is missing, is not TOML or has other keys.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        data["data"] = tuple(data.get("data", ()))
        return TrainConfig(**data)
    except FileNotFoundError:
        raise TrainingError(f"{printable(path)}: missing; is this the folder of a training run?") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise TrainingError(f"{printable(path)}: not the settings of a training run ({error})") from None


def _toml(value: object) -> str:
    """Write a flat value; JSON's spelling of it is TOML's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
