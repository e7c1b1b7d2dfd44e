"""Start or resume a run: find the music, decode it, train, draw the curves."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from celesta import codec, datasets
from celesta._version import __version__
from celesta.errors import DataError, TrainingError, UsageError
from celesta.models import registry
from celesta.training import data
from celesta.training.config import TrainConfig, read_config
from celesta.training.curves import draw_curves
from celesta.training.data import Corpus
from celesta.training.fitting import fit
from celesta.training.loop import Progress, train
from celesta.training.shards import Shards, is_shards

SETTINGS = "train.toml"


def start(run: Path, config: TrainConfig, **options: Any) -> dict[str, Any]:
    """Start a new run in a folder that must not hold one yet. See :func:`go_on` for the options.

    Raises:
        UsageError: the folder already holds a run.
        TrainingError: the weights to begin with are of another model.
    """
    if (run / SETTINGS).exists():
        raise UsageError(f"{run}: already holds a run; continue it with --resume {run} or choose another folder")
    wanted = registry.configuration(config.model)
    if config.begin and codec.load(config.begin).model.config != wanted:
        raise TrainingError(f"{config.begin}: not a {config.model}, so a run of that cannot begin with its weights")
    run.mkdir(parents=True, exist_ok=True)
    write_text(run / SETTINGS, config.to_toml())
    return go_on(run, **options)


def go_on(
    run: Path,
    *,
    strict: bool = False,
    watch: Callable[[Progress], None] = lambda _: None,
    decoded: Callable[[int, int], None] | None = None,
    skipped: Callable[[str, str], None] = lambda file, reason: None,
) -> dict[str, Any]:
    """Train until the run's last step, from its last checkpoint if there is one; the run's facts come back.

    Args:
        run: folder with ``train.toml``.
        strict: an unreadable file ends the run instead of being listed and skipped.
        watch: told the progress of training.
        decoded: told the progress of decoding.
        skipped: told each unreadable file and the reason.

    Raises:
        TrainingError, DataError, AudioError: see the modules that do the work.
    """
    config = read_config(run / SETTINGS)
    sets = _corpora(config, strict, decoded, skipped)
    warn_if_elsewhere(run)
    if registry.entry(config.model).model.capabilities.needs_fitting:
        return fit(run, config, *sets)
    facts = train(run, config, *sets, watch)
    draw_curves(run)
    return facts


def _corpora(
    config: TrainConfig,
    strict: bool,
    decoded: Callable[[int, int], None] | None,
    skipped: Callable[[str, str], None],
) -> tuple[Corpus, Corpus]:
    if len(config.data) == 1 and is_shards(Path(config.data[0])):
        return Shards(Path(config.data[0]), "train"), Shards(Path(config.data[0]), "valid")
    tracks = datasets.load(config.data, lists=config.lists or None)
    rate = registry.create(config.model).sample_rate
    made = []
    for split in ("train", "valid"):
        chosen = datasets.by_split(tracks, split)
        if not chosen:
            raise DataError(f"{', '.join(config.data)}: no {split} tracks; two sound files are the least")
        built = data.build(chosen, rate, strict=strict, progress=decoded)
        for file, reason in built.skipped:
            skipped(file, reason)
        made.append(built)
    return made[0], made[1]


def warn_if_elsewhere(run: Path) -> None:
    """Record what makes a curve identical to the bit; refuse nothing, but say when it changed."""
    here = {
        "celesta": __version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
    path = run / "environment.json"
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise TrainingError(f"{path}: damaged; delete it to go on") from None
        changed = [f"{k} {before.get(k)} -> {v}" for k, v in here.items() if before.get(k) != v]
        if changed:
            import warnings

            warnings.warn(f"{run}: resumed elsewhere ({'; '.join(changed)}): curves may differ", stacklevel=2)
    write_text(path, json.dumps(here, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
