"""The 2024 report's classifier on the published split, with a frozen and a fine-tuned encoder; results are cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import joblib
import numpy as np

from celesta import audio, codec
from celesta._device import name as name_of
from celesta._device import threads
from celesta._device import workers as shared_by
from celesta.features.cache import FeatureCache, Key
from celesta.features.extract import song_arrays
from celesta.features.registry import extractor
from celesta.probes import finetune
from celesta.probes.cross_validation import Result
from celesta.probes.protocols import Protocol
from celesta.study.memo import remember
from celesta.study.methods import Method

CONFIG = finetune.NeuralConfig(steps=60, tune_batch=8, valid_every=20, crop_seconds=5.0)


def results(
    protocol: Protocol,
    models: Sequence[str],
    cache: FeatureCache,
    workers: int = 1,
    progress: Callable[[str], None] = lambda _: None,
    config: finetune.NeuralConfig = CONFIG,
    device: str = "cpu",
) -> list[Result]:
    """Return two results for each model, :data:`Method.HEAD_FROZEN` and :data:`Method.HEAD_TUNED`.

    Args:
        protocol: with one split, such as P4.
        models: names of models with a dense latent.
        cache: of results on the same songs with the same settings.
        workers: number of processes, one model each.
        progress: called with what is being trained.
        config: of head and fine-tuning.
        device: of the encoder; on a GPU there is one worker.
    """
    split = protocol.splits[0]
    keys = {name: _key(protocol, name, codec.load(name).weights, cache, config) for name in models}
    absent = [name for name in models if cache.get(keys[name]) is None]
    if absent:
        progress(f"the 2024 report's classifier on {', '.join(absent)}")
        joblib.Parallel(min(shared_by(name_of(device), workers), len(absent)))(
            joblib.delayed(_train)(protocol, name, cache.folder, keys[name], config, device)
            for name in reversed(absent)  # the longest training starts first
        )
    found = []
    for name in models:
        arrays = remember(cache, keys[name], partial(_predictions, protocol, name, cache, config, device))
        choices = {key: int(arrays[key][0]) for key in ("epochs", "best_step")}
        for method, key in ((Method.HEAD_FROZEN, "frozen"), (Method.HEAD_TUNED, "fine-tuned")):
            probabilities = np.asarray(arrays[key], np.float64)[None]
            found.append(Result(protocol, f"latent:{name}", method, split.test, probabilities, choices))
    return found


def _train(protocol: Protocol, name: str, folder: Path, key: Key, config: finetune.NeuralConfig, device: str) -> None:
    """Fill the cache, in a process of its own where there are several workers."""
    cache = FeatureCache(folder)
    with threads(1):
        remember(cache, key, partial(_predictions, protocol, name, cache, config, device))


def _predictions(
    protocol: Protocol, name: str, cache: FeatureCache, config: finetune.NeuralConfig, device: str
) -> dict[str, np.ndarray]:
    """Probabilities ``(test, classes)`` of both ways, with the epochs and steps that validation chose."""
    split, model = protocol.splits[0], codec.load(name, backend="torch").torch_model
    rows = [int(i) for i in (*split.train, *split.test)]
    paths = {i: protocol.tracks[i].path for i in rows}
    rate = model.sample_rate
    samples = {i: audio.read(path, sample_rate=rate, mono=True).samples[0] for i, path in paths.items()}
    reader = [extractor(f"windows:{name}", device=device)]
    windows = {i: song_arrays(path, reader, cache)[0]["mean"] for i, path in paths.items()}
    song = np.repeat(split.train, [len(windows[int(i)]) for i in split.train])
    stacked = np.concatenate([windows[int(i)] for i in split.train])
    head = finetune.train_head(stacked, protocol.labels[song], song, config, protocol.groups[song])
    tuned = finetune.fine_tune(
        model,
        [samples[int(i)] for i in split.train],
        protocol.labels[split.train],
        config,
        protocol.groups[split.train],
        windows=[windows[int(i)] for i in split.train],
        device=device,
    )
    return {
        "frozen": np.stack([head.predict_proba(windows[int(i)]).mean(0) for i in split.test]),
        "fine-tuned": tuned.predict_proba([samples[int(i)] for i in split.test]),
        "epochs": np.array([head.facts["epochs"]]),
        "best_step": np.array([tuned.facts["best_step"]]),
    }


def _key(protocol: Protocol, name: str, weights: str, cache: FeatureCache, config: finetune.NeuralConfig) -> Key:
    split = protocol.splits[0]
    songs = [[cache.content(protocol.tracks[i].path), str(protocol.labels[i])] for i in (*split.train, *split.test)]
    content = hashlib.sha256(json.dumps(songs).encode()).hexdigest()
    settings = [asdict(config), len(split.train), extractor(f"windows:{name}").version]
    version = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    return Key(content, f"neural:{name}", weights, version)
