"""The network of the features ``celesta-ssl``: log-mel patches to vectors, trained without labels.

Source: Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations"; Spijkervet &
Burgoyne 2021, CLMR, whose recipe for music is followed in kind (two windows of a song, altered) on log-mel patches.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta._device import autocast
from celesta.errors import ModelError
from celesta.models import weights
from celesta.models.torch_runtime import TorchNetwork

WIDTHS = (16, 32, 64, 128)
SIZE = 2 * WIDTHS[-1]


class _Stage(nn.Module):
    """Halve time and frequency, then one residual block."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(before, after, 3, 2, 1)
        self.first = nn.Conv2d(after, after, 3, 1, 1)
        self.second = nn.Conv2d(after, after, 3, 1, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(after) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norms[0](self.down(x)))
        y = F.relu(self.norms[1](self.first(x)))
        made: Tensor = F.relu(x + self.norms[2](self.second(y)))
        return made


class Contrast(nn.Module):
    """Log-mel patches to one vector each; the projection is for training only."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(96)
        self.stages = nn.Sequential(*(_Stage(a, b) for a, b in zip((1, *WIDTHS), WIDTHS, strict=False)))
        self.project = nn.Sequential(nn.Linear(SIZE, 256), nn.ReLU(), nn.Linear(256, 128))

    def forward(self, patches: Tensor) -> Tensor:
        """``(B, frames, 96)`` to ``(B, 256)``: mean and largest over time of the mean over frequency."""
        x = self.norm(patches.transpose(1, 2))[:, None].contiguous(memory_format=torch.channels_last)
        y = self.stages(x).float().mean(2)
        return torch.cat([y.mean(-1), y.amax(-1)], dim=1)


def load_contrast(path: Path) -> Contrast:
    """Load the network with the weights of a file, in evaluation mode.

    Raises:
        ModelError: the weights are missing or damaged.
    """
    model = Contrast()
    model.project = nn.Sequential()  # what trains only is not stored, and random weights would change the hash
    try:
        weights.read(path).load_into(model, allow_extra=True)
    except ModelError as error:
        raise ModelError(f"{path}: no weights of celesta-ssl ({error})") from None
    return model.eval()


def as_network(model: Contrast, device: torch.device, precision: str) -> TorchNetwork:
    """Return the function ``patches (B, frames, 96)`` to ``out (B, 256)`` on a device."""
    model.to(device)

    def compute(patches: Tensor) -> Tensor:
        with autocast(device, precision):
            made: Tensor = model(patches)
        return made

    return TorchNetwork(compute, device)


def state_hash(module: nn.Module) -> str:
    """Return the SHA-256 of a module's weights, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()
