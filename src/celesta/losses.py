"""Training losses, by name: functions of the sound and its reconstruction."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from celesta.errors import UsageError

Loss = Callable[[Tensor, Tensor], Tensor]


def mse(x: Tensor, x_hat: Tensor) -> Tensor:
    """Mean squared error in float32, the report's loss. Shapes ``(B, C, T)``; a scalar comes back."""
    return F.mse_loss(x_hat.float(), x)


LOSSES: dict[str, Loss] = {"mse": mse}


def get(name: str) -> Loss:
    """The loss of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in LOSSES:
        raise UsageError(f"unknown loss {name!r}; choose one of {', '.join(LOSSES)}")
    return LOSSES[name]
