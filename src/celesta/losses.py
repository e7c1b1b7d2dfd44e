"""Training losses, by name: functions of the sound and its reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from celesta import metrics
from celesta.errors import UsageError

Loss = Callable[[Tensor, Tensor], Tensor]


def mse(x: Tensor, x_hat: Tensor) -> Tensor:
    """Mean squared error in float32, the report's loss. Shapes ``(B, C, T)``; a scalar comes back."""
    return F.mse_loss(x_hat.float(), x)


MEL_RATE = 44_100
MEL_WINDOWS = (64, 128, 256, 512, 1024, 2048, 4096)
MEL_BANDS = (10, 20, 40, 80, 120, 160, 160)


def mel(x: Tensor, x_hat: Tensor) -> Tensor:
    """Multi-scale mel distance of sounds ``(B, T)`` at 44 100 Hz, as :func:`celesta.metrics.mel_distance` but smooth.

    Sum over scales of the mean |difference of log10 mel magnitudes|; the floor is added, not clipped, so that
    gradients reach what is too quiet. Windows are those of the metric at 22 050 Hz.
    """
    both = torch.cat([x.float(), x_hat.float()])
    total = x.new_zeros(())
    for window, bands in zip(MEL_WINDOWS, MEL_BANDS, strict=True):
        hann, filters = _mel_tables(window, bands)
        frames = F.pad(both, (window // 2, window // 2)).unfold(-1, window, window // 4)
        spectrum = torch.view_as_real(torch.fft.rfft(frames * hann))
        magnitude = (spectrum.square().sum(-1) + 1e-14).sqrt()
        log = torch.log10(magnitude @ filters + metrics.MEL_FLOOR)
        total = total + (log[: len(x)] - log[len(x) :]).abs().mean()
    return total


@lru_cache
def _mel_tables(window: int, bands: int) -> tuple[Tensor, Tensor]:
    filters = torch.from_numpy(metrics.mel_filters(MEL_RATE, window, bands).copy())
    return torch.hann_window(window), filters


LOSSES: dict[str, Loss] = {"mse": mse}


def get(name: str) -> Loss:
    """The loss of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in LOSSES:
        raise UsageError(f"unknown loss {name!r}; choose one of {', '.join(LOSSES)}")
    return LOSSES[name]
