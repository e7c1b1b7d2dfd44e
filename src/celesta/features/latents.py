"""Extractors ``latent:MODEL``, ``latent-random:MODEL`` and ``windows:MODEL``: a model's latent, pooled over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from celesta import _device, codec
from celesta.audio import Audio
from celesta.errors import ModelError
from celesta.features import pooling
from celesta.features.base import Arrays, Extractor, Recording
from celesta.latents.latent import Latent
from celesta.models import registry

if TYPE_CHECKING:
    from celesta.models.base import Model

RANDOM_SEED = 0


def create(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor of statistics over time; see :data:`celesta.features.registry.TABLE`."""
    loaded = codec.load(model, precision=precision, device=device)
    return _pooled(name, name, loaded, loaded.weights, pooling.pool_parts, precision)


def create_random(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the control: the same architecture with the weights that it had before training."""
    made, weights = untrained(name, model)
    coder = codec.Codec(model, made, weights, precision=precision, device=device)
    return _pooled(name, name, coder, weights, pooling.pool_parts, precision)


def create_windows(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor of the mean of each latent channel over each window, which the 2024 report's head reads."""
    loaded = codec.load(model, precision=precision, device=device)
    return _pooled(name, f"latent:{model}", loaded, loaded.weights, pooling.window_means, precision)


def _pooled(
    name: str, latent: str, coder: codec.Codec, weights: str, pool: Callable[[Latent], Arrays], precision: str
) -> Extractor:
    rate, window, step = coder.model.sample_rate, coder.model.window, coder.model.window - coder.model.overlap

    def encode(x: np.ndarray) -> Latent:
        # A last window with less than half a step of audio is left out, unless it is the only one.
        left = (len(x) - window) % step
        x = x[: len(x) - left] if len(x) > window and left < step // 2 else x
        return coder.encode(Audio(x[None], rate))

    def summary(recording: Recording, start: float, stop: float | None) -> Arrays:
        return pool(recording.shared(latent, encode, start, stop))

    start = lambda: Recording(rate)  # noqa: E731
    version = pooling.VERSION + (".envelope" if coder.model.capabilities.has_envelope else "")
    return Extractor(name, version, rate, f"{rate} Hz", start, summary, weights, precision)


def untrained(name: str, model: str) -> tuple[Model, str]:
    """Return a model with the weights that it had before training, drawn with a fixed seed, and their hash.

    Raises:
        ModelError: it has no weights.
        MissingExtraError: torch is not installed.
    """
    state_hash = _device.import_with_torch("celesta.models.contrast", name).state_hash
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        made = registry.create(model)
    if not any(True for _ in made.parameters()):
        raise ModelError(f"{name}: {model} has no weights to draw at random; use latent:{model}")
    return made, state_hash(made)
