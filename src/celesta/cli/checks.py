"""Refuse names that do not exist before anything is loaded: these are wrong options, with exit code 2."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celesta import _device
from celesta._files import printable
from celesta._names import near
from celesta.cli.options import DEFAULT_MODEL
from celesta.errors import CelestaError, DataError, ModelError, UsageError

if TYPE_CHECKING:
    from celesta.variations import Step

_RANGES = {"kbps": (0.5, 2_000.0), "quality": (0.0, 10.0), "detail": (0.0, 1_024.0)}


def check_model(name: str, option: str = "--model") -> None:
    """Refuse a name that is neither a model's nor a folder's.

    Raises:
        UsageError: with names that are near.
    """
    if Path(name).is_dir():
        return
    from celesta.features import registry as features
    from celesta.models import registry

    try:
        registry.entry(name)
    except ModelError as error:
        if name in features.names():
            raise UsageError(
                f"{option} {name}: is a feature extractor, not a model that decodes; use it with --features, for "
                f"example: celesta cluster --features {name}"
            ) from None
        if "/" in name or "\\" in name:
            raise UsageError(f"{option} {printable(name)}: no such folder of a training run; check the path") from None
        raise UsageError(f"{option} {printable(name)}: {error}") from None


def check_predictor(name: str, option: str = "--model") -> None:
    """Refuse a predictor that neither ships nor is a file.

    Raises:
        UsageError: with what may be given.
    """
    from celesta.predict.predictor import SHIPPED

    if name in SHIPPED or Path(name).is_file():
        return
    found = near(name, SHIPPED)
    remedy = f"did you mean {' or '.join(found)}?" if found else f"give {', '.join(SHIPPED)} or a predictor's file"
    raise UsageError(f"{option} {printable(name)}: there is no such predictor or file; {remedy}")


def model_of(sources: Sequence[Path], model: str | None) -> str:
    """Return the model that was asked for, or that of the first .cel file, or the default.

    Args:
        sources: audio files, .cel files or folders.
        model: what was asked for; None if nothing was.
    """
    if model is not None:
        return model
    from celesta.latents import CelReader, is_cel

    for source in sources:
        if is_cel(source):
            with contextlib.suppress(CelestaError, OSError), CelReader(source) as reader:  # whoever reads it says why
                return reader.meta.model
    return DEFAULT_MODEL


def check_needs(model: str, steps: Iterable[Step] = (), *, frames: bool = False) -> None:
    """Refuse changes that the latents of a model do not allow; of the folder of a run nothing is known here.

    Args:
        model: its name.
        steps: the changes.
        frames: frames are moved in time.

    Raises:
        LatentError: with a model that allows them.
    """
    if Path(model).is_dir():
        return
    from celesta.models import registry
    from celesta.variations import needs

    info = registry.entry(model).info
    if frames:
        needs.check_frames(model, info)
    for step in steps:
        if step.variation.needs == "detail":
            needs.check_detail(model, info, step.name)
        elif step.variation.needs:
            needs.check_frames(model, info)


def check_songs(*sources: Path) -> None:
    """Refuse songs of which one is missing, before any is worked on.

    Raises:
        DataError: with the one that is.
    """
    for source in sources:
        if not source.exists():
            raise DataError(f"{printable(source)}: no such file or folder; check the path")


def check_features(name: str) -> None:
    """Refuse the name of a feature extractor that does not exist, or that is of no model.

    Raises:
        UsageError: with those that there are.
    """
    from celesta.features import registry

    kind, colon, model = name.partition(":")
    registry.entry(name)
    if colon:
        check_model(model, f"--features {kind}")


def check_compute(device: str, precision: str = "float32", backend: str = "auto") -> None:
    """Refuse a device, a precision or an inference engine that does not exist, or is not there.

    Raises:
        UsageError: with those that are there.
        MissingExtraError: torch is needed and not installed.
    """
    _device.name(device)
    if precision not in _device.PRECISIONS:
        given, those = printable(precision), ", ".join(_device.PRECISIONS)
        raise UsageError(f"--precision {given}: give one of {those}")
    if backend not in _device.BACKENDS:
        raise UsageError(f"--backend {printable(backend)}: give one of {', '.join(_device.BACKENDS)}")
    if backend == "torch":
        _device.require_torch("--backend torch")
    _device.backend(backend, device, precision, True)


def check_sizes(model: str, **given: Any) -> None:
    """Refuse options of ``encode`` that are out of range, contradict each other or do not fit the model.

    Args:
        model: name of the model, or folder of a run, of which nothing is known here.
        given: ``kbps``, ``quality``, ``detail``, ``bits``, ``dtype`` and ``channels``; None for what is not given.

    Raises:
        UsageError: with the option and the remedy.
    """
    check_model(model)
    names = [name for name, value in given.items() if value is not None]
    sizes = [name for name in names if name != "channels"]
    if len(sizes) > 1:
        options = " and ".join(f"--{name}" for name in sizes)
        raise UsageError(f"{options} contradict each other; give one of --kbps, --quality, --detail, --bits, --dtype")
    if "channels" in names and sizes and sizes[0] in ("bits", "dtype"):
        raise UsageError(f"--channels and --{sizes[0]} contradict each other; give one of them")
    if given["dtype"] not in (None, "float16", "float32"):
        raise UsageError(f"--dtype {printable(given['dtype'])}: give float16 or float32")
    for name, (low, high) in _RANGES.items():
        value = given[name]
        if value is not None and not low <= value <= high:
            raise UsageError(f"--{name} {value:g}: give a number from {low:g} to {high:g}")
    if not Path(model).is_dir():
        _check_coding(model, names, given["channels"])


def _check_coding(model: str, names: list[str], channels: int | None) -> None:
    """Refuse sizes of coded files for a model that does not code, and more channels than it has."""
    from celesta.models import registry

    entry = registry.entry(model)
    coding = [f"--{name}" for name in names if name not in ("bits", "dtype")]
    if coding and not entry.capabilities.codes_to_bitrate:
        able = ", ".join(one.name for one in registry.shipped() if one.capabilities.codes_to_bitrate)
        raise UsageError(f"{coding[0]}: {model} does not code to a bitrate; use {able}, or give --bits or --dtype")
    most = entry.info.latent_dim
    if channels is not None and channels > most:
        raise UsageError(f"--channels {channels}: {model} has {most}; give a number from 1 to {most}")
