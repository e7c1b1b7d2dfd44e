"""Load codecs by the name of a model, or from the folder of a training run or an exported model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celesta import _device
from celesta._files import printable
from celesta.codec.codec import Codec
from celesta.codec.pretrained import CONFIG
from celesta.errors import ModelError, UsageError

if TYPE_CHECKING:
    from celesta.models.registry import Entry


def load(name: str | Path, *, device: str = "auto", precision: str = "float32", backend: str = "auto") -> Codec:
    """Load a codec by the name of a model (``nested2``, ``cel-silu``, ``linear-64``, ...) or from a folder.

    Args:
        name: name of the model, or folder of a training run or of ``celesta export``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``: where the network computes.
        precision: ``float32``; ``bfloat16``: up to twice as fast on processors that have it, at an error far below the
            model's own, and slower on others; ``auto``: bfloat16 where the processor has it.
        backend: ``torch``; ``onnx``: ONNX Runtime and NumPy, on the CPU in float32; ``auto``: on the CPU in float32
            the model's faster one (:attr:`celesta.models.registry.Entry.backend`), else ``torch``.

    Raises:
        ModelError: there is no such model, or its weights are missing, damaged or do not fit.
        UsageError: device, precision or backend are unknown or not there.
        MissingExtraError: torch is needed and not installed.

    Example:
        >>> load("linear-64")
        Codec(linear-64, 22050 Hz, cpu)
    """
    if not isinstance(name, str | Path):
        raise UsageError(f"a model's name or a run's folder is needed, got {type(name).__name__}")
    from celesta.models import registry, stored

    folder = Path(name)
    if (folder / "best.safetensors").is_file():
        if backend == "onnx":
            raise ModelError(f"{printable(folder)}: a training run has no graphs; celesta export {name} -o DIR")
        return _with_torch(str(name), folder / "best.safetensors", None, device, precision)
    if (folder / "train.toml").is_file():
        raise ModelError(f"{printable(folder)}: the run has no weights yet; train until its first validation")
    saved = _saved(folder)
    if (described := stored.find_description(folder)) is not None and (backend != "torch" or saved is None):
        return _exported(described, device, precision, backend)
    if saved is not None:
        return _from_saved(folder, saved, device, precision, backend)
    entry = registry.entry(str(name))
    _check_weights(entry)
    exported = entry.sized is not None or entry.exported.is_file()
    if _device.backend(backend, device, precision, exported, entry.backend) == "torch":
        return _with_torch(entry.name, entry.weights_file, entry, device, precision)
    if entry.sized is not None:
        return _baseline(entry, entry.weights_file)
    if not entry.exported.is_file():
        raise ModelError(f"{name}: has no graphs; load it with backend='torch', or export it: celesta export {name}")
    return _exported(entry.exported, device, precision, backend)


def _check_weights(entry: Entry) -> None:
    """Check that the weights of a model are there.

    Raises:
        ModelError: they are not.
    """
    from celesta.models import registry

    file, name = entry.weights_file, entry.name
    if file is None:
        if entry.needs_weights:
            raise ModelError(f"{name}: its weights are not installed; train it: celesta train -m {name} -o RUN")
        return
    if not file.is_file():
        raise ModelError(
            f"{name}: its weights are not installed; train it: celesta train -m {name} --data MUSIC -o RUN"
        )
    if entry.sized is not None and entry.size > registry.entry(file.stem).size:
        raise ModelError(f"{name}: the shipped fit goes up to {file.stem}; train it: celesta train -m {name}")


def _saved(folder: Path) -> dict[str, Any] | None:
    """Read the ``config.json`` of :meth:`Codec.save_pretrained`; None where there is none of Celesta's."""
    file = folder / CONFIG
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["model_type"] != "celesta":
            return None
        names = [found["name"], *([found["weights"]] if found["weights"] else [])]
        if not all(isinstance(one, str) and Path(one).name == one for one in names) or not found["config"]["kind"]:
            raise ValueError("names must have no folders")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{printable(file)}: damaged configuration of a model ({error!r})") from None
    return dict(found)


def _from_saved(folder: Path, saved: dict[str, Any], device: str, precision: str, backend: str) -> Codec:
    """Load what :meth:`Codec.save_pretrained` wrote of a model without graphs, or with torch."""
    from celesta.models import registry

    file = folder / saved["weights"] if saved["weights"] else None
    try:
        entry = registry.entry(saved["name"])
    except ModelError:
        entry = None
    sized = entry is not None and entry.sized is not None
    if sized and _device.backend(backend, device, precision, True) == "onnx":
        assert entry is not None
        return _baseline(entry, file)
    if backend == "onnx":
        raise ModelError(f"{printable(folder)}: has no graphs; celesta export {printable(folder)} -o DIR")
    return _with_torch(saved["name"], file, entry, device, precision, saved["config"])


def _baseline(entry: Entry, file: Path | None) -> Codec:
    """Load a baseline in NumPy."""
    from celesta.models import numpy_runtime, weights
    from celesta.models.baseline_info import BaselineConfig

    assert isinstance(entry.config, BaselineConfig)
    if file is None:
        return Codec(entry.name, numpy_runtime.create(entry.config))
    found = weights.read(file, advice="fetch or train them again")
    components = found.arrays.get("components")
    if components is None:
        raise ModelError(f"{printable(file)}: weights do not fit (components)")
    facts = found.json("facts") if "facts" in found.metadata else {}
    made = Codec(entry.name, numpy_runtime.create(entry.config, components), found.sha256, facts)
    made.files = (file,)
    return made


def _exported(file: Path, device: str, precision: str, backend: str) -> Codec:
    """Load an exported model with ONNX Runtime."""
    from celesta.models import onnx_runtime, stored

    if backend == "torch":
        raise ModelError(f"{printable(file.parent)}: an exported model runs with backend='onnx'")
    if precision == "bfloat16":
        raise UsageError("the backend onnx computes in float32; use precision='float32' or backend='torch'")
    found = stored.read_description(file)
    runtime = onnx_runtime.create(found, "cpu" if device == "auto" else device)
    made = Codec(found.name, runtime, found.sha256, found.facts)
    made.files = (found.weights_file, found.path, *(found.graph_file(name) for name in found.graphs))
    return made


def _with_torch(
    name: str,
    file: Path | None,
    entry: Entry | None,
    device: str,
    precision: str,
    config: dict[str, Any] | None = None,
) -> Codec:
    """Load a model of PyTorch, its configuration that given, else the entry's, else that in the weights' file."""
    _device.import_with_torch("celesta.models.base", name)
    from celesta.models import registry, weights

    found = weights.read(file, advice="fetch or train them again") if file is not None else None
    if config is None and entry is None and found is not None:
        config = found.json("config")
    if config is not None:
        model = registry.build(registry.config_from_dict(config))
    else:
        assert entry is not None
        model = entry.model(entry.config)
    if found is None:
        return Codec(name, model, device=device, precision=precision)
    found.load_into(model)
    facts = found.json("facts") if "facts" in found.metadata else {}
    made = Codec(name, model, found.sha256, facts, precision, device)
    assert file is not None
    made.files = (file,)
    return made
