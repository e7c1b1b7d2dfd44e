"""Load codecs by the name of a model or from the folder of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from celesta._files import printable
from celesta.codec.codec import Codec
from celesta.errors import ModelError, UsageError

if TYPE_CHECKING:
    from celesta.models.base import Model


def load(name: str | Path, *, device: str = "auto", precision: str = "float32") -> Codec:
    """Load a codec by the name of a model (``nested``, ``cel-silu``, ``linear-64``, ...) or from a training run.

    Args:
        name: name of the model, or folder of the run.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``: where the network computes.
        precision: ``float32``; ``bfloat16``: up to twice as fast on processors that have it, at an error far below the
            model's own, and slower on others; ``auto``: bfloat16 where the processor has it.

    Raises:
        ModelError: there is no such model, or its weights are missing, damaged or do not fit.
        UsageError: device or precision are unknown or not there.

    Example:
        >>> load("linear-64")
        Codec(linear-64, 22050 Hz, cpu)
    """
    if not isinstance(name, str | Path):
        raise UsageError(f"a model's name or a run's folder is needed, got {type(name).__name__}")
    from celesta.models import registry

    folder = Path(name)
    if (folder / "best.safetensors").is_file():
        return _from_weights(str(name), None, folder / "best.safetensors", device, precision)
    if (folder / "train.toml").is_file():
        raise ModelError(f"{printable(folder)}: the run has no weights yet; train until its first validation")
    entry = registry.entry(str(name))
    file = entry.weights_file
    if file is None and not entry.needs_weights:
        return Codec(entry.name, registry.build(entry.config), device=device, precision=precision)
    if file is None or not file.is_file():
        raise ModelError(
            f"{name}: its weights are not installed; train it: celesta train -m {name} --data MUSIC -o RUN"
        )
    if entry.sized and entry.size > registry.entry(file.stem).size:
        raise ModelError(f"{name}: the shipped fit goes up to {file.stem}; train it: celesta train -m {name}")
    return _from_weights(entry.name, registry.build(entry.config), file, device, precision)


def _from_weights(name: str, model: Model | None, file: Path, device: str, precision: str) -> Codec:
    from celesta.models import registry, weights

    found = weights.read(file, advice="fetch or train them again")
    if model is None:
        model = registry.build(registry.config_from_dict(found.json("config")))
    found.load_into(model)
    facts = found.json("facts") if "facts" in found.metadata else {}
    return Codec(name, model, found.sha256, facts, precision, device)
