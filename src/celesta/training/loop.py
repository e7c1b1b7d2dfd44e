"""The training loop: setup, step, validation, checkpoint. What a step computes is a pure function of seed and step."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from celesta import _device, codec
from celesta._files import printable
from celesta.errors import TrainingError
from celesta.models import registry
from celesta.models.base import Model
from celesta.training import distributed, objectives
from celesta.training.checkpoint import Average, load_state, save_state, save_weights
from celesta.training.config import TrainConfig
from celesta.training.data import Corpus
from celesta.training.task import Task

LOG_EVERY = 50  # steps of a line of the log; checkpoints are made at these steps only
WATCH_EVERY = 1.0  # seconds between two calls of the progress callback
STATE, BEST, LOG = "last.safetensors", "best.safetensors", "log.jsonl"


@dataclass(frozen=True)
class Progress:
    """State of the loop, passed to the progress callback about once a second.

    Attributes:
        step: optimiser steps done.
        steps: of the whole run.
        loss: mean over the last steps, up to ``LOG_EVERY``.
        valid: validation error, where there is a new one.
        audio_per_second: seconds of audio trained on per second.
    """

    step: int
    steps: int
    loss: float
    valid: float | None
    audio_per_second: float


class Interrupted(Exception):
    """SIGTERM or SIGINT asked the run to stop; its state is saved at this step."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


@dataclass
class Session:
    """Everything that a run holds in memory.

    Attributes:
        run: its folder.
        config: its settings.
        model: on its device, in training mode.
        task: batches and losses.
        optimizer: AdamW.
        average: moving average of the weights, empty without one.
        facts: step, best validation error and its step, seconds spent.
        valid: held-out windows ``(n, 1, T)``.
        recent: losses since the last line of the log.
        fresh_valid: validation error since the last line of the log.
    """

    run: Path
    config: TrainConfig
    model: Model
    task: Task
    optimizer: torch.optim.Optimizer
    average: Average
    facts: dict[str, Any]
    valid: Tensor
    recent: list[float] = field(default_factory=list)
    fresh_valid: float | None = None


def train(
    run: Path,
    config: TrainConfig,
    train_set: Corpus,
    valid_set: Corpus,
    watch: Callable[[Progress], None] = lambda _: None,
    doing: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train in the folder ``run`` until ``config.steps``, from its last checkpoint if there is one.

    Writes ``log.jsonl`` (a line every 50 steps), ``last.safetensors`` (state) and ``best.safetensors`` (weights of
    the lowest validation error). A run that was interrupted and resumed has the same loss curve to the bit, given the
    same torch, device and number of threads. Signal handlers, threads and random numbers of the process are restored.

    Args:
        run: folder of the run.
        config: its settings.
        train_set: music for the crops.
        valid_set: music for the validation.
        watch: called about once a second.
        doing: called with what begins, for example ``compiling``.

    Returns:
        The facts of the run: ``step``, ``best``, ``best_step``, ``valid``, ``seconds``.

    Raises:
        Interrupted: a signal asked to stop; the state is saved.
        TrainingError: the loss is not finite.
    """
    with _device.threads(config.threads), torch.random.fork_rng(devices=[]), stop_signals() as asked_to_stop:
        session = _set_up(run, config, train_set, valid_set)
        began, first, spent = time.monotonic(), session.facts["step"], session.facts["seconds"]
        watched = began
        compiles = config.compile and first < config.steps
        doing("compiling" if compiles else "training")
        for step in range(first, config.steps):
            _step(session, train_set, step)
            if step == first:
                began, spent = time.monotonic(), spent + time.monotonic() - began
                if compiles:
                    doing("training")
            done, now = step + 1, time.monotonic()
            session.facts |= {"step": done, "seconds": spent + now - began}
            last = done == config.steps
            if done % config.valid_every == 0 or last:
                doing("validating")
                _validate(session)
                distributed.wait()
            log = done % LOG_EVERY == 0 or last
            if log or session.fresh_valid is not None or now - watched > WATCH_EVERY:
                pace = (step - first) / max(1e-9, time.monotonic() - began)  # the first step compiles
                speed = pace * config.batch * config.crop / session.model.sample_rate
                watch(Progress(done, config.steps, float(np.mean(session.recent)), session.fresh_valid, speed))
                watched = now
            if log:
                _log(session)
            stop = log and distributed.any_of(asked_to_stop(), session.task.device)
            # Only at the log's own steps, so that a line's mean never spans a resume.
            if (log and (done % config.checkpoint_every == 0 or stop)) or last:
                if distributed.is_first():
                    save_state(run / STATE, session.model, session.optimizer, session.facts, session.average)
                distributed.wait()
                if stop and not last:
                    raise Interrupted(done)
    return session.facts


def _set_up(run: Path, config: TrainConfig, train_set: Corpus, valid_set: Corpus) -> Session:
    """Create model, objective and optimiser on the device, and load the run's last checkpoint."""
    device = distributed.device_of(config.device)
    torch.manual_seed(config.seed)
    model = registry.create(config.model)
    if config.begin:
        model.load_state_dict(codec.load(config.begin, backend="torch").torch_model.state_dict())
    model.to(device)
    task = objectives.create(model, config, train_set)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, (0.9, config.beta2), weight_decay=config.weight_decay, fused=True
    )
    average = {k: p.detach().clone() for k, p in model.named_parameters()} if config.average else {}
    facts: dict[str, Any] = {"step": 0, "best": math.inf, "best_step": 0, "seconds": 0.0}
    if (run / STATE).is_file():
        facts = load_state(run / STATE, model, optimizer, average)
    if distributed.is_first():
        _cut_log(run / LOG, facts["step"])
    valid = torch.from_numpy(valid_set.windows(config.valid_windows, model.window))[:, None]
    model.train()
    return Session(run, config, model, task, optimizer, average, facts, valid)


def _step(session: Session, train_set: Corpus, step: int) -> None:
    """Do one step of the optimiser."""
    config, model = session.config, session.model
    for group in session.optimizer.param_groups:
        group["lr"] = learning_rate(config, step)
    batch = distributed.share(session.task.batch(train_set, step))
    loss = session.task.loss(batch.to(session.task.device), step)
    session.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    distributed.average_gradients(model)
    if config.clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    session.optimizer.step()
    for key, weight in model.named_parameters() if session.average else ():
        # A short memory at first, so that the initial weights do not stay in the average for long.
        session.average[key].lerp_(weight.detach(), 1 - min(config.average, step / (step + 10)))
    session.recent.append(distributed.mean(loss.item(), session.task.device))
    if not math.isfinite(session.recent[-1]):
        raise TrainingError(
            f"{printable(session.run)}: the loss is not finite at step {step}; lower --learning-rate and start anew"
        )


def _validate(session: Session) -> None:
    """Score the held-out windows and save the weights if they are the best so far."""
    facts = session.facts
    with averaged(session.model, session.average):
        session.fresh_valid = facts["valid"] = session.task.validate(session.valid)
        if session.fresh_valid < facts["best"]:
            facts["best"], facts["best_step"] = session.fresh_valid, facts["step"]
            if distributed.is_first():
                save_weights(session.run / BEST, session.model, session.model.config, facts, half=False)


def _log(session: Session) -> None:
    """Append a line to the log and begin the next one."""
    done = session.facts["step"]
    line = {"step": done, "loss": float(np.mean(session.recent)), "lr": learning_rate(session.config, done - 1)}
    line |= {name: round(value, 4) for name, value in session.task.terms.items()}
    if session.fresh_valid is not None:
        line["valid"] = session.fresh_valid
    if distributed.is_first():
        with (session.run / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    session.recent, session.fresh_valid = [], None


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of a step: linear warm-up, then the schedule's decay to zero at the last step."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    if config.schedule == "trapezoid":
        return config.learning_rate * min(warm, 5 * (1 - step / config.steps))
    return config.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / config.steps))


@contextmanager
def averaged(model: Model, average: Average) -> Iterator[None]:
    """Exchange the model's weights for their average inside the block."""
    own = {key: weight.detach().clone() for key, weight in model.named_parameters() if key in average}
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if key in average:
                weight.copy_(average[key])
    try:
        yield
    finally:
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if key in own:
                    weight.copy_(own[key])


def _cut_log(log: Path, step: int) -> None:
    """Remove the log's lines after the checkpoint that is resumed from: they are written again."""
    if log.is_file():
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Note SIGTERM and SIGINT inside the block instead of ending the process; a second SIGINT interrupts at once.

    Yields:
        A function that says whether a signal came. Outside the main thread, where Python allows no handlers, it is
        always False.
    """
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if seen and number == signal.SIGINT:
            raise KeyboardInterrupt
        seen.append(number)

    before: dict[signal.Signals, Any] = {}
    try:
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                before[number] = signal.signal(number, note)
        except ValueError:  # not the main thread
            pass
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
