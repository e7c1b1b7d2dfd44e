"""The training loop. Everything it does is here to be read; what a step sees is a pure function of seed and step."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from celesta import codec
from celesta.errors import TrainingError
from celesta.models import registry
from celesta.models.base import Model
from celesta.training import objectives
from celesta.training.checkpoint import Average, load_state, save_state, save_weights
from celesta.training.config import TrainConfig
from celesta.training.data import Corpus

LOG_EVERY = 50


@dataclass(frozen=True)
class Progress:
    """What the loop tells whoever watches, every ``LOG_EVERY`` steps."""

    step: int
    steps: int
    loss: float
    valid: float | None
    audio_per_second: float
    eta: float


class Interrupted(Exception):
    """SIGTERM or SIGINT came; the state was saved at this step."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


def train(
    run: Path,
    config: TrainConfig,
    train_set: Corpus,
    valid_set: Corpus,
    watch: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Train or go on training in the folder ``run`` until ``config.steps``; the facts of the run come back.

    Writes ``log.jsonl`` (a line every 50 steps), ``last.safetensors`` (state) and ``best.safetensors`` (weights of
    the lowest validation error). Resumed after any kill, the loss curve is the same to the bit, given the same torch,
    processor and number of threads.

    Raises:
        Interrupted: a signal asked to stop; the state is saved.
        TrainingError: the loss is no longer finite.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = registry.create(config.model)
    if config.begin:
        model.load_state_dict(codec.load(config.begin).model.state_dict())
    task = objectives.create(model, config, train_set)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, (0.9, config.beta2), weight_decay=config.weight_decay, fused=True
    )
    average = {k: p.detach().clone() for k, p in model.named_parameters()} if config.average else {}
    facts: dict[str, Any] = {"step": 0, "best": math.inf, "best_step": 0, "seconds": 0.0}
    state, log = run / "last.safetensors", run / "log.jsonl"
    if state.is_file():
        facts = load_state(state, model, optimizer, average)
    _cut_log(log, facts["step"])

    valid = torch.from_numpy(valid_set.windows(config.valid_windows, model.window))[:, None]
    asked_to_stop = _catch_signals()
    began, first, recent, fresh_valid = time.monotonic(), facts["step"], [], None
    spent_before = facts["seconds"]

    model.train()
    for step in range(first, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        loss = task.loss(task.batch(train_set, step), step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if config.clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        for key, weight in model.named_parameters() if average else ():
            # A short memory at first, so that the average does not drag the start along.
            average[key].lerp_(weight.detach(), 1 - min(config.average, step / (step + 10)))
        recent.append(loss.item())
        if not math.isfinite(recent[-1]):
            raise TrainingError(f"{run}: the loss is not finite at step {step}; lower --learning-rate and start anew")

        done = step + 1
        facts["step"], facts["seconds"] = done, spent_before + time.monotonic() - began
        if done % config.valid_every == 0 or done == config.steps:
            with averaged(model, average):
                fresh_valid = facts["valid"] = task.validate(valid)
                if fresh_valid < facts["best"]:
                    facts["best"], facts["best_step"] = fresh_valid, done
                    save_weights(run / "best.safetensors", model, model.config, facts, half=False)
        if done % LOG_EVERY == 0 or done == config.steps:
            line = {"step": done, "loss": float(np.mean(recent)), "lr": learning_rate(config, step)}
            if fresh_valid is not None:
                line["valid"] = fresh_valid
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            pace = (done - first) / (time.monotonic() - began)
            speed = pace * config.batch * config.crop / model.sample_rate
            watch(Progress(done, config.steps, line["loss"], fresh_valid, speed, (config.steps - done) / pace))
            recent, fresh_valid = [], None
        stop = asked_to_stop()
        # Only at the log's own steps, so that a line's mean never spans a resume.
        if (done % LOG_EVERY == 0 and (done % config.checkpoint_every == 0 or stop)) or done == config.steps:
            save_state(state, model, optimizer, facts, average)
            if stop and done < config.steps:
                raise Interrupted(done)
    return facts


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then the schedule's fall to zero at the last step."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    if config.schedule == "trapezoid":
        return config.learning_rate * min(warm, 5 * (1 - step / config.steps))
    return config.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / config.steps))


@contextmanager
def averaged(model: Model, average: Average) -> Iterator[None]:
    """Put the averaged weights in the model's place for a while."""
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
    """Drop lines behind the checkpoint that is resumed from: they will be written again."""
    if log.is_file():
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _catch_signals() -> Callable[[], bool]:
    """Note SIGTERM and SIGINT instead of dying of them; a second SIGINT stops at once."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if seen and number == signal.SIGINT:
            raise KeyboardInterrupt
        seen.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            signal.signal(number, note)
        except ValueError:  # not the main thread: whoever runs us handles signals
            return lambda: False
    return lambda: bool(seen)
