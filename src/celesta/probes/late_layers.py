"""Train a tagger's last hidden layer further, with a new output layer, on the songs of a training fold.

The layers before it are frozen, so their outputs are computed once and training takes seconds. Epochs and learning
rates are fixed: they were chosen by grouped folds of the training side of the protocol ``cross`` (4QAED's clips of one
genre), without any song of GTZAN.

Source of the penalty on the distance from the first weights (L2-SP): Li, Grandvalet & Davoine 2018, "Explicit
Inductive Bias for Transfer Learning with Convolutional Networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta.errors import DataError
from celesta.features.musicnn import EPS, Musicnn

_NORM = ("weight", "bias", "running_mean", "running_var")

_DENSE_DROPOUT = 0.4
"""Dropout of the dense layer's inputs relative to that of the output layer's."""
_LEAST_DEVIATION = 1e-3
"""Added to standard deviations, so that hidden units that hardly vary are not amplified."""

Pooled = dict[str, np.ndarray]
"""``mean_pool`` and ``max_pool`` ``(patches, 753)`` of one song, see :class:`celesta.features.musicnn.Musicnn`."""


@dataclass(frozen=True)
class LateConfig:
    """How the late layers are trained.

    Attributes:
        epochs: passes over all patches.
        batch: patches in a step.
        lr: learning rate of AdamW for the output layer.
        dense_lr: for the tagger's dense layer.
        weight_decay: of the output layer.
        pull: weight of the squared distance of the dense layer from its first weights.
        dropout: share of the output layer's inputs that is dropped; the dense layer's inputs drop two fifths of it.
        seed: of order and dropout.
    """

    epochs: int = 8
    batch: int = 64
    lr: float = 3e-3
    dense_lr: float = 1e-4
    weight_decay: float = 0.05
    pull: float = 1e-2
    dropout: float = 0.5
    seed: int = 0


class Late(nn.Module):
    """Classify patches from a tagger's pooled layers.

    Attributes:
        classes: names, in the order of the columns of probabilities.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, tagger: Musicnn, classes: Sequence[str], config: LateConfig) -> None:
        super().__init__()
        self.classes, self.config = tuple(classes), config
        self.before, self.after = _norm(tagger, "pool_norm"), _norm(tagger, "dense_norm")
        weight, bias = (torch.tensor(tagger.weights[f"dense.{name}"]) for name in ("weight", "bias"))
        self.dense = nn.Linear(weight.shape[1], weight.shape[0])
        self.dense.load_state_dict({"weight": weight, "bias": bias})
        for part in (self.before, self.after):
            part.requires_grad_(False)
        width = self.dense.out_features
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.out = nn.Linear(width, len(self.classes))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def hidden(self, pooled: Tensor) -> Tensor:
        """Map ``(B, 1506)`` to the penultimate layer ``(B, 200)``."""
        x = F.dropout(self.before(pooled), _DENSE_DROPOUT * self.config.dropout, self.training)
        hidden: Tensor = self.after(F.relu(self.dense(x)))
        return hidden

    def forward(self, pooled: Tensor) -> Tensor:
        """Map ``(B, 1506)`` to logits ``(B, classes)``."""
        standard = (self.hidden(pooled) - self.mean) * self.scale
        logits: Tensor = self.out(F.dropout(standard, self.config.dropout, self.training))
        return logits

    def train(self, mode: bool = True) -> Late:
        """Set training mode; the tagger's batch normalisations keep their statistics."""
        super().train(mode)
        self.before.eval()
        self.after.eval()
        return self

    @torch.inference_mode()
    def predict_proba(self, songs: Sequence[Pooled]) -> np.ndarray:
        """Return probabilities ``(songs, classes)``: the mean over a song's patches."""
        self.eval()
        found = [torch.softmax(self(patches(song)), dim=1).mean(0).numpy() for song in songs]
        return np.stack(found).astype(np.float64)


def _norm(tagger: Musicnn, name: str) -> nn.BatchNorm1d:
    """Make a batch normalisation of the tagger's weights."""
    state = {key: torch.tensor(tagger.weights[f"{name}.{key}"]) for key in _NORM}
    norm = nn.BatchNorm1d(len(state["weight"]), EPS)
    norm.load_state_dict(state | {"num_batches_tracked": norm.num_batches_tracked})
    return norm


def patches(song: Pooled) -> Tensor:
    """Interleave the pooled layers of a song as the dense layer reads them: ``(patches, 1506)``."""
    both = np.stack([song["max_pool"], song["mean_pool"]], axis=-1)
    return torch.from_numpy(both.reshape(len(both), -1).astype(np.float32))


def train_late(tagger: Musicnn, songs: Sequence[Pooled], labels: np.ndarray, config: LateConfig | None = None) -> Late:
    """Train output and dense layer on songs; classes have equal weight, and so have the songs of a class.

    Args:
        tagger: whose layers are copied; it is not changed.
        songs: pooled layers of the training songs.
        labels: ``(n,)`` one class a song.
        config: see :class:`LateConfig`.

    Raises:
        DataError: songs and labels do not match, or there is only one class.
    """
    config = config or LateConfig()
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(songs) != len(labels) or len(classes) < 2:
        raise DataError(f"late layers: {len(songs)} songs, {len(labels)} labels of {len(classes)} classes; two needed")
    x = torch.cat([patches(song) for song in songs])
    song_of = np.repeat(np.arange(len(songs)), [len(song["mean_pool"]) for song in songs])
    target = torch.from_numpy(numbers[song_of])
    share = 1 / (np.bincount(numbers)[numbers] * np.bincount(song_of))
    weight = torch.from_numpy((share[song_of] / share[song_of].mean()).astype(np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = Late(tagger, classes.tolist(), config)
        with torch.no_grad():
            hidden = model.eval().hidden(x)
            model.mean.copy_(hidden.mean(0))
            model.scale.copy_(1 / (hidden.std(0) + _LEAST_DEVIATION))
        first = model.dense.weight.detach().clone()
        dense = {"params": model.dense.parameters(), "lr": config.dense_lr, "weight_decay": 0.0}
        optimizer = torch.optim.AdamW(
            [dense, {"params": model.out.parameters(), "lr": config.lr, "weight_decay": config.weight_decay}]
        )
        model.train()
        for _ in range(config.epochs):
            for rows in torch.split(torch.randperm(len(x)), config.batch):
                each = F.cross_entropy(model(x[rows]), target[rows], reduction="none")
                loss = (each * weight[rows]).mean() + config.pull * (model.dense.weight - first).square().sum()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
    return model.eval()
