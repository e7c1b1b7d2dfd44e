"""Extractors ``layers:MODEL`` and ``layers-random:MODEL``: statistics over time of every layer of a model's encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from celesta import codec
from celesta.errors import ModelError
from celesta.features import pooling
from celesta.features.base import Arrays, Extractor, Recording
from celesta.features.latents import untrained

if TYPE_CHECKING:
    from torch import Tensor, nn

    from celesta.models.base import Model

VERSION = "1"


def create(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor; see :data:`celesta.features.registry.TABLE`."""
    loaded = codec.load(model, precision=precision, device=device, backend="torch")
    return _of_layers(name, loaded.torch_model, loaded.weights, precision)


def create_random(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the control: the same layers with the weights that they had before training."""
    made, weights = untrained(name, model)
    codec.Codec(model, made, weights, precision=precision, device=device)  # prepares it
    return _of_layers(name, made, weights, precision)


def _of_layers(name: str, model: Model, weights: str, precision: str) -> Extractor:
    encoder_layers(model)  # refused here, before a song is read
    rate = model.sample_rate

    def summary(recording: Recording, start: float, stop: float | None) -> Arrays:
        found: Arrays = recording.shared(name, lambda x: layer_statistics(model, x), start, stop)
        return found

    return Extractor(name, VERSION, rate, f"{rate} Hz", lambda: Recording(rate), summary, weights, precision)


def layer_statistics(model: Model, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Compute mean, standard deviation and mean step over time of each layer, averaged over windows by their length.

    Args:
        model: whose ``encoder`` is a list of blocks, or has ``blocks``; prepared.
        samples: ``(n,)`` mono at the model's rate.

    Returns:
        ``<layer>.<statistic>`` ``(channels,)`` float32, layers from 1.

    Raises:
        ModelError: the model has no such encoder.
    """
    import torch

    pieces, device = _windows(samples, model.window), next(model.parameters()).device
    found: dict[str, np.ndarray] = {}
    hooks = [
        layer.register_forward_hook(_collector(found, i)) for i, layer in enumerate(encoder_layers(model), start=1)
    ]
    total: dict[str, np.ndarray] = {}
    try:
        with torch.inference_mode():
            for piece in pieces:
                peak = np.abs(piece).max() if model.normalise else 1
                model.encode(torch.from_numpy(piece / (peak or 1))[None, None].to(device))
                for name, array in found.items():
                    total[name] = total.get(name, 0) + array * piece.size
    finally:
        for hook in hooks:
            hook.remove()
    total_samples = sum(piece.size for piece in pieces)
    return {name: (array / total_samples).astype(np.float32) for name, array in total.items()}


def encoder_layers(model: Model) -> list[nn.Module]:
    """Return the blocks of a model's encoder.

    Raises:
        ModelError: it has none.
    """
    from torch import nn

    encoder = getattr(model, "encoder", None)
    blocks = getattr(encoder, "blocks", encoder)
    if not isinstance(blocks, nn.ModuleList):
        raise ModelError(f"{type(model).__name__} has no layers to look into; use latent:MODEL")
    return list(blocks)


def _windows(samples: np.ndarray, window: int) -> list[np.ndarray]:
    """Cut samples into windows; a last piece shorter than half a window is left out, unless it is all there is."""
    starts = range(0, max(1, len(samples) - window // 2 + 1), window)
    return [np.ascontiguousarray(samples[at : at + window], np.float32) for at in starts]


def _collector(found: dict[str, np.ndarray], number: int) -> Callable[[nn.Module, object, Tensor], None]:
    def collect(module: nn.Module, inputs: object, output: Tensor) -> None:
        rows = output[0].squeeze(1) if output.ndim == 4 else output[0].T  # (C, 1, T) or (T, C) to (C, T)
        for name, statistic in pooling.statistics(rows.float().cpu().numpy()).items():
            found[f"{number}.{name}"] = statistic

    return collect
