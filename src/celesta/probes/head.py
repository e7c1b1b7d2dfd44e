"""Train the 2024 report's classification head on pooled latents of windows.

Source: Grinblat, Mazzarello & Migdal 2024, "TP4 TDVI" (the 2024 report), section 4: trained encoder,
AdaptiveAvgPool1d, fully connected layers with LeakyReLU and dropout, linear layer. Widths, learning rates and the
choice of epochs are ours, because the report does not state them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor, nn

from celesta.errors import DataError, UsageError

_CONSTANT = 1e-6
"""Relative standard deviation below which a feature counts as constant: a few times float32's rounding."""
_LOWEST = 1e-7
"""Probability from which the log loss grows no further: float32's rounding of 1."""


@dataclass(frozen=True)
class NeuralConfig:
    """How the head is built and trained, and how it is fine-tuned with its encoder.

    Attributes:
        pool: frames that AdaptiveAvgPool1d leaves of a window's latent.
        hidden: widths of the fully connected layers.
        dropout: share of each layer that is dropped in training.
        slope: of LeakyReLU below 0.
        epochs: maximum number of passes over the windows; validation chooses the number.
        batch: windows in a step of the head's training.
        lr: learning rate of AdamW for the head.
        weight_decay: of AdamW.
        valid_share: share of the training songs' groups that chooses epochs and steps, in (0, 0.5].
        seed: of all random draws.
        crop_seconds: length of a window.
        steps: maximum number of fine-tuning steps.
        seconds: maximum duration of fine-tuning with its validation; 0 for no limit. Where this limit ends the
            training, the result depends on the machine's speed, otherwise only on the seed.
        tune_batch: windows in a step of fine-tuning.
        tune_seconds: length of such a window; the latent is averaged over time, so it may be shorter.
        encoder_lr: learning rate of the encoder in fine-tuning.
        tuned_lr: learning rate of the head in fine-tuning.
        valid_every: fine-tuning steps between two validations.
        valid_windows: windows of each validation song, at even distances.
        precision: of the encoder in fine-tuning, ``float32`` or ``bfloat16``.
    """

    pool: int = 1
    hidden: tuple[int, ...] = (256, 64)
    dropout: float = 0.3
    slope: float = 0.01
    epochs: int = 60
    batch: int = 64
    lr: float = 1e-3
    weight_decay: float = 1e-2
    valid_share: float = 0.2
    seed: int = 0
    crop_seconds: float = 5.0
    steps: int = 200
    seconds: float = 0.0
    tune_batch: int = 8
    tune_seconds: float = 1.5
    encoder_lr: float = 1e-4
    tuned_lr: float = 3e-4
    valid_every: int = 20
    valid_windows: int = 2
    precision: str = "float32"

    def __post_init__(self) -> None:
        counts = (self.pool, *self.hidden, self.epochs, self.batch, self.tune_batch, self.valid_every)
        if min(*counts, self.valid_windows) < 1 or self.steps < 0 or self.seconds < 0:
            raise UsageError("classifier: pool, hidden, epochs, batches and validation must be 1 or more")
        if not (
            0 <= self.dropout < 1 and 0 < self.valid_share <= 0.5 and min(self.crop_seconds, self.tune_seconds) > 0
        ):
            raise UsageError("classifier: dropout must be in [0, 1), valid_share in (0, 0.5], crop_seconds above 0")
        if min(self.lr, self.encoder_lr, self.tuned_lr) <= 0 or self.weight_decay < 0:
            raise UsageError("classifier: learning rates must be above 0 and weight_decay not below")
        if self.precision not in ("float32", "bfloat16"):
            raise UsageError(f"classifier: precision must be float32 or bfloat16, got {self.precision!r}")


class Head(nn.Module):
    """Standardise pooled latents ``(B, size)`` of windows and classify them by fully connected layers.

    Attributes:
        classes: names, in the order of the columns of probabilities.
        facts: number of epochs and validation log loss.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int, classes: Sequence[str], config: NeuralConfig) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.config = config
        self.facts: dict[str, Any] = {}
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise((size, *config.hidden)):
            layers += [nn.Linear(a, b), nn.LeakyReLU(config.slope), nn.Dropout(config.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear((size, *config.hidden)[-1], len(self.classes)))

    def forward(self, windows: Tensor) -> Tensor:
        """Return logits ``(B, classes)`` of windows ``(B, size)``."""
        logits: Tensor = self.layers((windows - self.mean) * self.scale)
        return logits

    def standardise_by(self, windows: Tensor) -> None:
        """Take mean and standard deviation from the training windows ``(n, size)``."""
        self.mean.copy_(windows.mean(0))
        deviation = windows.std(0, correction=0)
        varies = deviation > _CONSTANT * (1 + self.mean.abs())
        self.scale.copy_(1 / torch.where(varies, deviation, torch.ones_like(deviation)))

    @torch.no_grad()
    def predict_proba(self, windows: np.ndarray) -> np.ndarray:
        """Return probabilities ``(n, classes)`` of pooled windows ``(n, size)``.

        Raises:
            DataError: the windows have another size than those of the training.
        """
        if windows.ndim != 2 or windows.shape[1] != len(self.mean):
            raise DataError(f"classifier: it takes windows of {len(self.mean)} numbers, got shape {windows.shape}")
        self.eval()
        return F.softmax(self(torch.from_numpy(np.ascontiguousarray(windows, np.float32))), dim=1).double().numpy()


def train_head(
    latents: np.ndarray,
    labels: Sequence[str] | np.ndarray,
    songs: Sequence[Any] | np.ndarray,
    config: NeuralConfig | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
) -> Head:
    """Train the head on a frozen encoder's pooled latents.

    A validation part of the training songs, with no group in common, chooses the number of epochs by its log loss;
    then all training songs train a new head for that number of epochs.

    Args:
        latents: ``(windows, channels * pool)`` of the training songs only.
        labels: ``(windows,)`` names of classes.
        songs: ``(windows,)`` the song of each window.
        config: see :class:`NeuralConfig`.
        groups: ``(windows,)``, such as artists, that validation keeps whole; the songs if None.

    Raises:
        DataError: shapes do not match, numbers are not finite, or a class has fewer than two groups.
    """
    config = config or NeuralConfig()
    x, names = np.asarray(latents, np.float32), np.asarray(labels).astype(str)
    song = np.asarray(songs)
    group = song if groups is None else np.asarray(groups)
    if x.ndim != 2 or not len(x) == len(names) == len(song) == len(group):
        raise DataError(f"classifier: {x.shape} latents do not fit {len(names)} labels and {len(song)} songs")
    if not np.isfinite(x).all():
        raise DataError("classifier: latents hold NaN or infinite numbers")
    classes, target = np.unique(names, return_inverse=True)
    inside, outside = validation_split(target, group, config.valid_share, config.seed)
    return chosen_head(x, target, song, inside, outside, np.arange(len(x)), classes, config)


def chosen_head(
    x: np.ndarray,
    target: np.ndarray,
    songs: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    rows: np.ndarray,
    classes: np.ndarray,
    config: NeuralConfig,
) -> Head:
    """Train a head on ``rows`` for the number of epochs at which one trained on ``inside`` fits ``outside`` best.

    Args:
        x: ``(windows, size)`` float32, all of training songs.
        target: ``(windows,)`` indices of classes.
        songs: ``(windows,)`` the song of each window.
        inside: rows of ``x`` to train on while choosing.
        outside: rows of ``x`` to choose by.
        rows: rows of ``x`` that the final head is trained on.
        classes: ``(classes,)`` names.
        config: see :class:`NeuralConfig`.
    """
    _, first = np.unique(songs[outside], return_index=True)
    truth = target[outside][np.sort(first)]
    losses: list[float] = []

    def watch() -> None:
        _, probabilities = mean_by_song(head.predict_proba(x[outside]), songs[outside])
        losses.append(log_loss(probabilities, truth))

    with torch.random.fork_rng(devices=[]):
        head = Head(x.shape[1], classes.tolist(), config)
        _fit(head, x[inside], target[inside], config, watch)
        epochs = int(np.argmin(losses)) + 1
        _fit(head, x[rows], target[rows], replace(config, epochs=epochs))
    head.facts = {"epochs": epochs, "valid_loss": losses[epochs - 1]}
    return head.eval()


def validation_split(target: np.ndarray, groups: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation: no group on both sides, every class in training.

    Raises:
        DataError: there are fewer than two classes, or a class has fewer than two groups.
    """
    counts = [len(np.unique(groups[target == c])) for c in np.unique(target)]
    if len(counts) < 2 or min(counts) < 2:
        raise DataError("classifier: it needs two or more classes, each with two or more songs of different groups")
    _, codes = np.unique(groups, return_inverse=True)
    folds = StratifiedGroupKFold(max(2, min(round(1 / share), min(counts))), shuffle=True, random_state=seed)
    fitting = [
        (len(np.unique(target[valid])), -number, train, valid)
        for number, (train, valid) in enumerate(folds.split(codes, target, codes))
        if len(np.unique(target[train])) == len(counts) and len(valid)
    ]
    if not fitting:
        raise DataError("classifier: groups and classes leave nothing to validate on; give more songs or groups")
    _, _, train, valid = max(fitting, key=lambda fold: fold[:2])
    return train, valid


def mean_by_song(probabilities: np.ndarray, songs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return songs in order of first appearance, and the mean probabilities ``(songs, classes)`` of their windows."""
    names, first, code = np.unique(songs, return_index=True, return_inverse=True)
    sums = np.zeros((len(names), probabilities.shape[1]))
    np.add.at(sums, code, probabilities)
    order = np.argsort(first)
    return names[order], (sums / np.bincount(code)[:, None])[order]


def log_loss(probabilities: np.ndarray, target: np.ndarray) -> float:
    """Compute the mean negative logarithm of the true class's probability."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(target)), target], _LOWEST)).mean())


def _fit(
    head: Head, x: np.ndarray, target: np.ndarray, config: NeuralConfig, watch: Callable[[], None] | None = None
) -> None:
    """Train ``head`` from new weights for ``config.epochs``; ``watch`` is called after each."""
    # The same initial weights and draws in every call, so that choosing and training differ by their songs only.
    torch.manual_seed(config.seed)
    for layer in head.layers:
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    rows, wanted = torch.from_numpy(x), torch.from_numpy(target)
    head.standardise_by(rows)
    optimizer = torch.optim.AdamW(head.parameters(), config.lr, weight_decay=config.weight_decay)
    for _ in range(config.epochs):
        head.train()
        for part in torch.split(torch.randperm(len(rows)), config.batch):
            loss = F.cross_entropy(head(rows[part]), wanted[part])
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
        if watch is not None:
            watch()
