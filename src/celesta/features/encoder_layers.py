"""Statistics of every layer of a model's encoder, not of its latent alone: early ones hear timbre, late ones form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from celesta.errors import ModelError
from celesta.features import pooling
from celesta.models.base import Model

VERSION = "1"


def layer_statistics(model: Model, samples: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, standard deviation and mean step over time of each layer, windows averaged to the song by their length.

    Args:
        model: whose ``encoder`` is a list of blocks, or has ``blocks``; prepared.
        samples: ``(n,)`` mono at the model's rate.

    Returns:
        ``<layer>.<statistic>`` ``(channels,)`` float32, layers from 1.

    Raises:
        ModelError: the model has no such encoder.
    """
    pieces = _windows(samples, model.window)
    found: dict[str, np.ndarray] = {}
    hooks = [layer.register_forward_hook(_keeper(found, i)) for i, layer in enumerate(encoder_layers(model), start=1)]
    total: dict[str, np.ndarray] = {}
    try:
        with torch.inference_mode():
            for piece in pieces:
                peak = np.abs(piece).max() if model.normalise else 1
                model.encode(torch.from_numpy(piece / (peak or 1))[None, None])
                for name, array in found.items():
                    total[name] = total.get(name, 0) + array * piece.size
    finally:
        for hook in hooks:
            hook.remove()
    heard = sum(piece.size for piece in pieces)
    return {name: (array / heard).astype(np.float32) for name, array in total.items()}


def encoder_layers(model: Model) -> list[nn.Module]:
    """The blocks of a model's encoder.

    Raises:
        ModelError: it has none.
    """
    encoder = getattr(model, "encoder", None)
    blocks = getattr(encoder, "blocks", encoder)
    if not isinstance(blocks, nn.ModuleList):
        raise ModelError(f"{type(model).__name__} has no layers to look into; use latent:MODEL")
    return list(blocks)


def _windows(samples: np.ndarray, window: int) -> list[np.ndarray]:
    """One behind the other; a last piece shorter than half a window is left out, unless it is all there is."""
    starts = range(0, max(1, len(samples) - window // 2 + 1), window)
    return [np.ascontiguousarray(samples[at : at + window], np.float32) for at in starts]


def _keeper(found: dict[str, np.ndarray], number: int) -> Callable[[nn.Module, object, Tensor], None]:
    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        rows = output[0].squeeze(1) if output.ndim == 4 else output[0].T  # (C, 1, T) or (T, C) to (C, T)
        for name, statistic in pooling.statistics(rows.float().numpy()).items():
            found[f"{number}.{name}"] = statistic

    return keep
