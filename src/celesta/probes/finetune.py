"""Fine-tune an encoder together with the 2024 report's classification head.

Fine-tuning starts from the head trained on the frozen encoder, so that the first gradients do not distort the
encoder's features. Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", section 4.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta._device import autocast, resolve
from celesta.errors import DataError, ModelError
from celesta.models import registry
from celesta.models.base import Model
from celesta.probes.head import (
    Head,
    NeuralConfig,
    chosen_head,
    log_loss,
    train_head,
    validation_split,
)

__all__ = ["Classifier", "Head", "NeuralConfig", "cut_windows", "fine_tune", "train_head", "window_latents"]

_ENCODE_BATCH = 4
"""Windows encoded at a time: more are not faster on a processor, and take more memory."""
_MAX_NORM = 1.0
"""Gradients are clipped to this norm."""
_INT16_MAX = 32_767


class Classifier:
    """An encoder with its head: audio in, probabilities out.

    Attributes:
        model: the encoder, in inference mode.
        head: its head.
        facts: steps, seconds and validation losses of the fine-tuning.
    """

    def __init__(self, model: Model, head: Head, facts: dict[str, Any] | None = None) -> None:
        self.model = model.eval()
        self.head = head.eval()
        self.facts = facts or {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the columns of probabilities."""
        return self.head.classes

    def predict_windows(self, samples: np.ndarray) -> np.ndarray:
        """Return probabilities ``(windows, classes)`` over time of one song ``(n,)`` at the model's sample rate."""
        config = self.head.config
        return self.head.predict_proba(window_latents(self.model, samples, config.pool, config.crop_seconds))

    def predict_proba(self, songs: Sequence[np.ndarray]) -> np.ndarray:
        """Return probabilities ``(songs, classes)``: the mean over the windows of each song ``(n,)``."""
        return np.stack([self.predict_windows(samples).mean(axis=0) for samples in songs])


def cut_windows(model: Model, samples: np.ndarray, seconds: float = 5.0, limit: int = 0) -> np.ndarray:
    """Cut a song into adjacent windows as the model reads them; what is left at the end is not used.

    Args:
        model: whose sample rate and normalisation apply.
        samples: ``(n,)`` mono at the model's sample rate; less than a window is padded with zeros.
        seconds: length of a window.
        limit: maximum number of windows, at even distances; 0 for all.

    Returns:
        ``(windows, round(seconds * sample_rate))`` float32.
    """
    size = round(seconds * model.sample_rate)
    if len(samples) < size:
        samples = np.pad(np.asarray(samples), (0, size - len(samples)))
    count = len(samples) // size
    if limit and limit < count:
        starts = np.linspace(0, len(samples) - size, limit + 2)[1:-1].astype(int)
    else:
        starts = np.arange(count) * size
    return np.stack([_scaled(model, samples[start : start + size]) for start in starts])


def window_latents(
    model: Model, samples: np.ndarray, pool: int = 1, seconds: float = 5.0, limit: int = 0
) -> np.ndarray:
    """Compute pooled latents ``(windows, latent_dim * pool)`` of one song; arguments as for :func:`cut_windows`."""
    with torch.inference_mode():
        model.eval()
        windows = torch.from_numpy(cut_windows(model, samples, seconds, limit))
        device = _device_of(model)
        latents = [pooled(model, part[:, None].to(device), pool) for part in torch.split(windows, _ENCODE_BATCH)]
        return torch.cat(latents).float().cpu().numpy()


def pooled(model: Model, x: Tensor, pool: int) -> Tensor:
    """Average the latents of ``(B, 1, T)`` to ``pool`` frames and flatten them: ``(B, latent_dim * pool)``."""
    base = model.encode(x).base
    return F.adaptive_avg_pool1d(base, pool).flatten(1)


def fine_tune(
    codec_model: Model,
    songs: Sequence[np.ndarray],
    labels: Sequence[str] | np.ndarray,
    config: NeuralConfig | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
    watch: Callable[[int, float], None] = lambda step, loss: None,
    windows: Sequence[np.ndarray] | None = None,
    device: str = "cpu",
) -> Classifier:
    """Train encoder and head together on random crops, within ``config.steps`` and ``config.seconds``.

    A validation part of the training songs, with no group in common, chooses the step with the lowest log loss; step
    0, the frozen encoder, is among the choices. Batch normalisation keeps its statistics, because batches are too
    small to estimate them.

    Args:
        codec_model: trained model; it is cloned and not changed.
        songs: ``(n,)`` mono samples of each training song at the model's sample rate, float or int16.
        labels: ``(songs,)`` names of classes.
        config: see :class:`NeuralConfig`.
        groups: ``(songs,)``, such as artists, that validation keeps whole; None for every song its own.
        watch: called with step and validation log loss.
        windows: :func:`window_latents` of each song, where they were computed before.
        device: that encoder and head are trained on, and the encoder stays on: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        DataError: numbers of songs, labels and groups differ, or a class has fewer than two groups.
        ModelError: the model has no dense latent.
        UsageError: the device does not exist here.
    """
    config = config or NeuralConfig()
    names = np.asarray(labels).astype(str)
    group = np.arange(len(songs)) if groups is None else np.asarray(groups)
    if not len(songs) == len(names) == len(group):
        raise DataError(f"classifier: {len(songs)} songs, {len(names)} labels and {len(group)} groups do not match")
    if codec_model.latent_dim == 0:
        raise ModelError("classifier: the model has no dense latent to pool; take one of cel-lr, cel-silu, cel-2")
    classes, target = np.unique(names, return_inverse=True)
    inside, outside = validation_split(target, group, config.valid_share, config.seed)
    model = _clone(codec_model).to(resolve(device))
    if windows is None:
        windows = [window_latents(model, samples, config.pool, config.crop_seconds) for samples in songs]
    head = _frozen_head(windows, target, classes, inside, config)
    valid = [torch.from_numpy(cut_windows(model, songs[i], config.crop_seconds, config.valid_windows)) for i in outside]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        facts = _tune(model, head, [songs[i] for i in inside], target[inside], valid, target[outside], config, watch)
    return Classifier(model, head, facts)


def _tune(
    model: Model,
    head: Head,
    songs: Sequence[np.ndarray],
    target: np.ndarray,
    valid: Sequence[Tensor],
    valid_target: np.ndarray,
    config: NeuralConfig,
    watch: Callable[[int, float], None],
) -> dict[str, Any]:
    """Fine-tune in place, load the weights of the best validation, and return steps and losses."""
    both = nn.ModuleDict({"model": model, "head": head.to(_device_of(model))})
    optimizer = torch.optim.AdamW(
        [
            {"params": list(model.parameters()), "lr": config.encoder_lr},
            {"params": list(head.parameters()), "lr": config.tuned_lr},
        ],
        weight_decay=config.weight_decay,
    )
    rng = np.random.default_rng(config.seed)
    size = round(min(config.tune_seconds, config.crop_seconds) * model.sample_rate)
    began, step, best, curve = time.monotonic(), 0, math.inf, []
    saved: dict[str, Tensor] = {}
    batches = _batches(len(songs), config.tune_batch, rng)
    while True:
        out_of_time = bool(config.seconds) and time.monotonic() - began > config.seconds
        last = step == config.steps or out_of_time
        if last or step % config.valid_every == 0:
            valid_loss = _validate(model, head, valid, valid_target, config)
            curve.append((step, valid_loss))
            watch(step, valid_loss)
            if valid_loss < best:
                best = valid_loss
                saved = {key: value.detach().clone() for key, value in both.state_dict().items()}
        if last:
            break
        chosen = next(batches)
        x = torch.from_numpy(np.stack([_crop(model, songs[i], size, rng) for i in chosen]))[:, None]
        model.eval()  # batch normalisation keeps its statistics
        head.train()
        loss = F.cross_entropy(_logits(model, head, x, config), torch.from_numpy(target[chosen]).to(_device_of(model)))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(both.parameters(), _MAX_NORM)
        optimizer.step()
        step += 1
    both.load_state_dict(saved)
    head.cpu()  # it is small, and takes latents that were copied back
    best_step = min(curve, key=lambda point: point[1])[0]
    return {"steps": step, "best_step": best_step, "curve": curve, "seconds": round(time.monotonic() - began, 1)}


def _batches(songs: int, size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Indices of songs in random order, without end: each song once before any comes again."""
    queue: list[int] = []
    while True:
        while len(queue) < size:
            queue += rng.permutation(songs).tolist()
        yield queue[:size]
        queue = queue[size:]


def _logits(model: Model, head: Head, x: Tensor, config: NeuralConfig) -> Tensor:
    """Logits ``(B, classes)`` of windows ``(B, 1, T)``, the encoder in the configured precision, on its device."""
    x = x.to(_device_of(model))
    with autocast(x.device, config.precision):
        latent = pooled(model, x, config.pool)
    logits: Tensor = head(latent.float())
    return logits


@torch.no_grad()
def _validate(model: Model, head: Head, valid: Sequence[Tensor], target: np.ndarray, config: NeuralConfig) -> float:
    """Log loss of songs; a song's probabilities are the mean over its windows."""
    model.eval()
    head.eval()
    windows = torch.split(torch.cat(list(valid)), _ENCODE_BATCH)
    shares = torch.cat([F.softmax(_logits(model, head, part[:, None], config), dim=1) for part in windows])
    by_song = torch.stack([part.mean(0) for part in torch.split(shares.cpu(), [len(song) for song in valid])])
    return log_loss(by_song.double().numpy(), target)


def _frozen_head(
    windows: Sequence[np.ndarray],
    target: np.ndarray,
    classes: np.ndarray,
    inside: np.ndarray,
    config: NeuralConfig,
) -> Head:
    """The head of the frozen encoder, trained on the songs ``inside``; the others choose its number of epochs."""
    song = np.repeat(np.arange(len(windows)), [len(part) for part in windows])
    within = np.isin(song, inside)
    rows, others = np.flatnonzero(within), np.flatnonzero(~within)
    return chosen_head(np.concatenate(windows), target[song], song, rows, others, rows, classes, config)


def _device_of(model: Model) -> torch.device:
    return next(model.parameters()).device


def _clone(model: Model) -> Model:
    """A trainable copy of a model, without the layers that inference folded."""
    clone = registry.build(model.config)
    clone.load_state_dict(model.state_dict())
    return clone.float().eval()


def _crop(model: Model, samples: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random window ``(size,)`` of a song, padded with zeros where the song is shorter."""
    start = int(rng.integers(max(1, len(samples) - size + 1)))
    piece = np.asarray(samples[start : start + size])
    return _scaled(model, np.pad(piece, (0, size - len(piece))))


def _scaled(model: Model, samples: np.ndarray) -> np.ndarray:
    """Float32 samples in [-1, 1], scaled to peak 1 where the model was trained so."""
    x = samples.astype(np.float32) / (_INT16_MAX if samples.dtype == np.int16 else 1)
    peak = float(np.abs(x).max(initial=0.0))
    return x / peak if model.normalise and peak > 0 else x
