"""Start or continue a run: find the music, decode it, train, draw the curves."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import torch

from celesta import _device, codec, datasets
from celesta._files import atomic, printable
from celesta._version import __version__
from celesta.audio import AudioSource
from celesta.datasets import Track
from celesta.errors import AudioError, DataError, TrainingError, UsageError, warn
from celesta.models import registry, weights
from celesta.training import data, distributed, losses
from celesta.training.config import TrainConfig, read_config
from celesta.training.curves import draw_curves
from celesta.training.data import Corpus
from celesta.training.fitting import fit
from celesta.training.loop import BEST, LOG, STATE, Progress, train
from celesta.training.shards import Shards, is_shards

SETTINGS = "train.toml"
ENVIRONMENT = "environment.json"


class Options(TypedDict, total=False):
    """Options of a run that are not part of its settings.

    Attributes:
        strict: an unreadable file ends the run instead of being skipped.
        watch: called about once a second with the progress of training.
        doing: called with what begins: ``decoding``, ``compiling``, ``training``.
        decoded: called with (tracks decoded, tracks in all).
        skipped: called with each unreadable file and the reason.
    """

    strict: bool
    watch: Callable[[Progress], None]
    doing: Callable[[str], None]
    decoded: Callable[[int, int], None]
    skipped: Callable[[str, str], None]


def start(run: str | Path, config: TrainConfig, **options: Unpack[Options]) -> dict[str, Any]:
    """Start a new run. If it fails before its first checkpoint, nothing of it is left.

    Args:
        run: folder of the run; it must not hold one yet.
        config: settings; paths in them are stored absolute.
        options: see :class:`Options`.

    Returns:
        The facts of the run, see :func:`celesta.training.loop.train`.

    Raises:
        UsageError: the folder already holds a run, or a setting is out of range.
        ModelError: there is no such model.
        TrainingError: the weights to begin with are of another model, or training failed.
        DataError, AudioError: there is too little music, or ``strict`` and a file is unreadable.
    """
    run = Path(run)
    with distributed.joined(config.device, config.batch):
        with distributed.first_alone():
            folders = _prepare(run, config) if distributed.is_first() else []
        try:
            return go_on(run, **options)
        except BaseException:
            if distributed.is_first() and not any((run / name).exists() for name in (STATE, BEST)):
                _discard(run, folders)
            raise


def _prepare(run: Path, config: TrainConfig) -> list[Path]:
    """Make the folder of a run and write its settings; return the folders that were made, the run's first."""
    if any((run / name).exists() for name in (STATE, BEST)):
        raise UsageError(f"{printable(run)}: already holds a run; continue it with --resume or choose another folder")
    _check(config)
    folders = [folder for folder in (run, *run.parents) if not folder.exists()]
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{printable(run)}: cannot be made ({error.strerror}); choose another folder") from None
    write_text(run / SETTINGS, config.with_absolute_paths().to_toml())
    return folders


def go_on(run: str | Path, *, steps: int | None = None, **options: Unpack[Options]) -> dict[str, Any]:
    """Train until the run's last step, from its last checkpoint if there is one.

    Args:
        run: folder with ``train.toml``.
        steps: new number of steps of the whole run, which extends or shortens it. The learning rate follows the
            schedule of the new number from here on.
        options: see :class:`Options`.

    Returns:
        The facts of the run, see :func:`celesta.training.loop.train`.

    Raises:
        UsageError: the run has done more than ``steps`` steps already.
        TrainingError: the folder holds no run, its checkpoint is damaged, or training failed.
        DataError, AudioError: there is too little music, or ``strict`` and a file is unreadable.
    """
    run = Path(run)
    config = read_config(run / SETTINGS)
    if steps is not None and steps != config.steps:
        config = dataclasses.replace(config, steps=steps)
        done = steps_done(run)
        if done > steps:
            raise UsageError(f"{printable(run)}: has done {done} steps already; give --steps a larger number")
        write_text(run / SETTINGS, config.to_toml())
    with distributed.joined(config.device, config.batch):
        return _trained(run, config, options)


def _trained(run: Path, config: TrainConfig, options: Options) -> dict[str, Any]:
    doing: Callable[[str], None] = options.get("doing", _ignore)
    doing("decoding")
    with distributed.first_alone():
        sets = _corpora(config, options)
    if distributed.is_first():
        warn_if_elsewhere(run, config)
    if registry.entry(config.model).model.capabilities.needs_fitting:
        doing("fitting")
        return fit(run, config, *sets)
    watch = options.get("watch", _ignore) if distributed.is_first() else _ignore
    facts = train(run, config, *sets, watch, doing)
    if distributed.is_first():
        draw_curves(run)
    return facts


def steps_done(run: Path) -> int:
    """Return the steps of a run's last checkpoint, 0 without one."""
    if not (run / STATE).is_file():
        return 0
    return int(weights.read(run / STATE).json("facts")["step"])


def _check(config: TrainConfig) -> None:
    """Refuse settings that cannot work, before anything is written."""
    wanted = registry.configuration(config.model)
    _device.resolve(config.device)
    losses.get(config.loss)
    if config.begin and codec.load(config.begin, backend="torch").torch_model.config != wanted:
        begin = printable(config.begin)
        raise TrainingError(f"{begin}: not a {config.model}, so a run of that cannot begin with its weights")


def _discard(run: Path, made: Sequence[Path]) -> None:
    """Remove what a failed start has written, and the folders that it made."""
    for name in (SETTINGS, ENVIRONMENT, LOG):
        (run / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something of the user is in it
        for folder in made:
            folder.rmdir()


def _corpora(config: TrainConfig, options: Options) -> tuple[Corpus, Corpus]:
    """Decode the music, or take it from the cache: train and valid."""
    if len(config.data) == 1 and is_shards(Path(config.data[0])):
        return Shards(Path(config.data[0]), "train"), Shards(Path(config.data[0]), "valid")
    tracks = datasets.load(config.data, lists=config.lists or None)
    where = ", ".join(map(printable, config.data))
    train, valid = (datasets.by_split(tracks, split) for split in ("train", "valid"))
    for split, chosen in (("train", train), ("valid", valid)):
        if not chosen:
            raise DataError(f"{where}: no {split} tracks; give at least two audio files")
    if not options.get("strict", False):
        train, valid = _with_readable_validation(train, valid)
    rate = registry.entry(config.model).model.sample_rate
    skipped: Callable[[str, str], None] = options.get("skipped", _ignore)
    made = []
    for chosen in (train, valid):
        built = data.build(chosen, rate, strict=options.get("strict", False), progress=options.get("decoded"))
        for file, reason in built.skipped:
            skipped(file, reason)
        made.append(built)
    return made[0], made[1]


def _with_readable_validation(train: list[Track], valid: list[Track]) -> tuple[list[Track], list[Track]]:
    """Where no validation track is audio, let the first training track that is take their place.

    Raises:
        DataError: fewer than two tracks are audio.
    """
    if any(map(_is_audio, valid)):
        return train, valid
    found = next((track for track in train if _is_audio(track)), None)
    rest = [track for track in train if track is not found]
    name = printable(valid[0].path)
    if found is None or not any(map(_is_audio, rest)):
        raise DataError(f"{name}: cannot be read, and validation needs another track; give at least two audio files")
    text = f"{name}: the only validation track cannot be read" if len(valid) == 1 else "no validation track can be read"
    warn(UserWarning(f"{text}; {printable(found.path)} is used for validation instead"))
    return rest, [*valid, found]


def _is_audio(track: Track) -> bool:
    try:
        with AudioSource(track.path) as source:
            next(source.blocks())
    except (AudioError, StopIteration):
        return False
    return True


def _ignore(*_: object) -> None:
    """Take the place of a callback that was not given."""


def warn_if_elsewhere(run: Path, config: TrainConfig) -> None:
    """Record what makes curves identical to the bit, and warn where it has changed since the run began."""
    here = {
        "celesta": __version__,
        "torch": torch.__version__,
        "threads": config.threads or torch.get_num_threads(),
        "device": str(_device.resolve(config.device)),
        "machine": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
    path = run / ENVIRONMENT
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise TrainingError(f"{printable(path)}: damaged; delete it to go on") from None
        changed = [f"{k} {before[k]} -> {v}" for k, v in here.items() if before.get(k, v) != v]
        if changed:
            where = f"{printable(run)}: resumed elsewhere ({'; '.join(changed)})"
            warn(UserWarning(f"{where}: curves may differ"))
    write_text(path, json.dumps(here, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically; bytes of paths that are not UTF-8 are kept."""
    with atomic(path, TrainingError) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
