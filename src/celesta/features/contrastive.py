"""Features learnt without labels: windows of one song are to be alike, windows of others not.

Source: Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations"; Spijkervet &
Burgoyne 2021, CLMR, whose recipe for music is followed in kind (two windows of a song, altered) on log-mel patches.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta._device import autocast
from celesta.errors import ModelError
from celesta.features.musicnn import PATCH_FRAMES, SAMPLE_RATE, log_mel
from celesta.models import weights
from celesta.models.weights import FOLDER as WEIGHTS

__all__ = ["SAMPLE_RATE", "Contrast", "load_contrast"]
WIDTHS = (16, 32, 64, 128)
SIZE = 2 * WIDTHS[-1]
_BATCH = 8


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

    @torch.inference_mode()
    def song(self, samples: np.ndarray, precision: str = "auto") -> dict[str, np.ndarray]:
        """``mean`` and ``std`` ``(256,)`` over the patches of 3 s of a song ``(n,)``, mono at 16 kHz.

        Raises:
            UsageError: not mono, empty or not finite.
        """
        spectrogram = log_mel(samples)
        spectrogram = np.pad(spectrogram, ((0, max(0, PATCH_FRAMES - len(spectrogram))), (0, 0)))
        starts = range(0, len(spectrogram) - PATCH_FRAMES + 1, PATCH_FRAMES // 2)
        made = []
        for first in range(0, len(starts), _BATCH):
            batch = np.stack([spectrogram[at : at + PATCH_FRAMES] for at in starts[first : first + _BATCH]])
            device = self.norm.weight.device
            with autocast(device, precision):
                made.append(self(torch.from_numpy(batch).to(device)).float().cpu().numpy())
        rows = np.concatenate(made)
        return {"mean": rows.mean(0), "std": rows.std(0)}


def load_contrast() -> Contrast:
    """The network with the weights that ship.

    Raises:
        ModelError: its weights are missing or damaged.
    """
    path = WEIGHTS / "celesta-ssl.safetensors"
    model = Contrast()
    model.project = nn.Sequential()  # what trains only is not stored, and random weights would change the hash
    try:
        weights.read(path).load_into(model, allow_extra=True)
    except ModelError as error:
        raise ModelError(f"{path}: no weights of celesta-ssl ({error})") from None
    return model.eval()
