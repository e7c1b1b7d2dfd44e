"""``celesta train`` for models that are fitted in closed form, such as pca-K."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from celesta.models import registry
from celesta.training.checkpoint import save_weights
from celesta.training.config import TrainConfig
from celesta.training.data import Corpus


def fit(run: Path, config: TrainConfig, train_set: Corpus, valid_set: Corpus) -> dict[str, Any]:
    """Fit a model on every training track and save its weights as ``best.safetensors``."""
    model = registry.create(config.model)
    signals = (
        torch.from_numpy(train_set.samples[a:b].astype("float32") / 32768)[None, None]
        for a, b in zip(train_set.offsets[:-1], train_set.offsets[1:], strict=True)
    )
    shares = model.fit(signals)
    windows = torch.from_numpy(valid_set.windows(config.valid_windows, model.window))[:, None]
    with torch.no_grad():
        valid = torch.mean((model(windows) - windows) ** 2).item()
    facts = {"step": 1, "tracks": train_set.tracks, "variance": float(sum(shares)), "best": valid, "valid": valid}
    save_weights(run / "best.safetensors", model, model.config, facts, half=True)
    (run / "log.jsonl").write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return facts
