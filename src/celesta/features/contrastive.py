"""Extractor ``celesta-ssl``: a network trained without labels, windows of one song alike, windows of others not.

Source: Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations"; Spijkervet &
Burgoyne 2021, CLMR, whose recipe for music is followed in kind (two windows of a song, altered) on log-mel patches.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta._device import autocast, resolve
from celesta.errors import ModelError
from celesta.features.base import Arrays, Extractor, Rows, checked, frame_range
from celesta.features.latents import state_hash
from celesta.features.musicnn import PATCH_FRAMES, SAMPLE_RATE, PatchStream
from celesta.models import weights
from celesta.models.weights import FOLDER as WEIGHTS

__all__ = ["SAMPLE_RATE", "Contrast", "load_contrast"]
WIDTHS = (16, 32, 64, 128)
SIZE = 2 * WIDTHS[-1]
_BATCH = 8
_HOP = PATCH_FRAMES // 2
VERSION = "2"


def create(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor: mean and standard deviation over patches; see :data:`celesta.features.registry.TABLE`."""
    network = load_contrast().to(resolve(device))

    def summary(patches: ContrastPatches, start: float, stop: float | None) -> Arrays:
        rows = patches.rows(start, stop)
        return {"mean": rows.mean(0), "std": rows.std(0)}

    return Extractor(
        name, VERSION, SAMPLE_RATE, name, lambda: ContrastPatches(network, precision), summary,
        state_hash(network), precision,
    )  # fmt: skip


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

    def song(self, samples: np.ndarray, precision: str = "float32") -> Arrays:
        """Return ``mean`` and ``std`` ``(256,)`` over the patches of 3 s of a song ``(n,)``, mono at 16 kHz.

        Raises:
            UsageError: not mono, empty or not finite.
        """
        patches = ContrastPatches(self, precision)
        patches.push(checked(samples))
        patches.finish()
        rows = patches.rows()
        return {"mean": rows.mean(0), "std": rows.std(0)}


class ContrastPatches:
    """The network's vector of each patch of a stream, mono at 16 kHz."""

    def __init__(self, network: Contrast, precision: str) -> None:
        self._network, self._precision = network, precision
        self._stream = PatchStream(_HOP)
        self._rows = Rows(SIZE)
        self._held: list[np.ndarray] = []

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        self._add(self._stream.push(x))

    def finish(self) -> None:
        """End the stream."""
        self._add(self._stream.finish())
        if self._held:
            self._run()

    def _add(self, patches: Iterable[np.ndarray]) -> None:
        for patch in patches:
            self._held.append(patch)
            if len(self._held) == _BATCH:
                self._run()

    @torch.inference_mode()
    def _run(self) -> None:
        device = self._network.norm.weight.device
        with autocast(device, self._precision):
            self._rows.append(self._network(torch.from_numpy(np.stack(self._held)).to(device)).float().cpu().numpy())
        self._held = []

    def rows(self, start: float = 0.0, stop: float | None = None) -> np.ndarray:
        """Return the vectors ``(patches, 256)`` of the patches whose middle lies in a stretch (seconds)."""
        middle = PATCH_FRAMES / 2 * 0.016
        rate = 1 / (_HOP * 0.016)
        end = None if stop is None else stop - middle
        return self._rows.between(*frame_range(max(start - middle, 0), end, rate, len(self._rows)))


def load_contrast() -> Contrast:
    """Load the network with the weights that ship.

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
