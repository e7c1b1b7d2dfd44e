"""A PyTorch data set of latents: random crops of .cel files, for people who train on latents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from celesta.errors import DataError, UsageError
from celesta.latents import CelReader, find_cel


class LatentDataset(Dataset[dict[str, Any]]):
    """Crops of the dense base of .cel files of one model.

    Only the windows that a crop needs are read from the disk, so folders of any size take no memory. Crops are a pure
    function of seed, epoch and index: call :meth:`set_epoch` before each epoch for new ones.

    Args:
        files: .cel files, or folders with such files.
        frames: length of a crop. Shorter songs are padded with zeros.
        labels: one for each file, in the order of :attr:`paths`; None for none.
        seed: of the crops.
        whole: crops in the middle of each song, always the same, for validation.

    Attributes:
        paths: the files, sorted within folders.
        latent_dim: rows of a crop.
        model: name of the model that made the latents.
        frame_rate: frames per second.

    Raises:
        DataError: there are no files, or they are of several models.
        UsageError: frames or labels do not fit.

    Example:
        data = LatentDataset(["latents/"], frames=430, labels=labels)
        loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, collate_fn=LatentDataset.collate)
        for epoch in range(10):
            data.set_epoch(epoch)
            for batch in loader:
                print(batch["base"].shape, batch["frames"], batch["label"])
    """

    def __init__(
        self,
        files: Sequence[str | Path],
        frames: int,
        labels: Sequence[int] | None = None,
        *,
        seed: int = 0,
        whole: bool = False,
    ) -> None:
        self.paths = [found for one in files for found in find_cel(one)]
        if not self.paths:
            raise DataError("no .cel files to train on; make them: celesta encode FOLDER -o latents")
        if frames < 1 or (labels is not None and len(labels) != len(self.paths)):
            raise UsageError(f"frames must be positive, and labels one for each of {len(self.paths)} files")
        self.frames, self.labels, self.seed, self.whole, self.epoch = frames, labels, seed, whole, 0
        made = set()
        for path in self.paths:
            with CelReader(path) as reader:
                made.add((reader.meta.model, reader.meta.weights, reader.meta.latent_dim))
                self.frame_rate = reader.meta.sample_rate / reader.meta.hop_length
        if len({(model, weights) for model, weights, _ in made}) > 1:
            raise DataError("the .cel files are of several models; encode all with one")
        self.model, self.latent_dim = next(iter(made))[0], max(size for *_, size in made)
        if not self.latent_dim:
            raise DataError(f"latents of {self.model} have no dense base to train on; use another model")

    def set_epoch(self, epoch: int) -> None:
        """Draw other crops from now on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return ``base (latent_dim, frames)`` of a random audio channel, the ``frames`` that are music, ``label``."""
        if not 0 <= index < len(self.paths):
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        with CelReader(self.paths[index]) as reader:
            m = reader.meta
            total = max(1, min(m.windows * m.frames, round(reader.seconds * self.frame_rate)))
            free = max(0, total - self.frames)
            start = free // 2 if self.whole else int(rng.integers(free + 1))
            stop = min(total, start + self.frames)
            channel = 0 if self.whole else int(rng.integers(m.channels))
            windows = range(start // m.frames, (stop - 1) // m.frames + 1)
            rows = np.concatenate([reader.window(i).base[channel] for i in windows], axis=-1)
        first = start - windows[0] * m.frames
        crop = np.zeros((self.latent_dim, self.frames), np.float32)
        crop[: len(rows), : stop - start] = rows[:, first : first + stop - start]
        item = {"base": torch.from_numpy(crop), "frames": stop - start}
        return item if self.labels is None else {**item, "label": self.labels[index]}

    @staticmethod
    def collate(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Join items to ``base (B, latent_dim, frames)``, ``frames (B,)`` and ``label (B,)``."""
        batch = {"base": torch.stack([item["base"] for item in items])}
        for name in ("frames", "label"):
            if name in items[0]:
                batch[name] = torch.tensor([item[name] for item in items])
        return batch
