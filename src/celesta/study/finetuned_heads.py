"""The report's classifier in the study: encoder frozen and fine-tuned, on the published split, kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import joblib
import numpy as np

from celesta import audio, codec
from celesta._device import threads
from celesta.features.cache import FeatureCache, Key
from celesta.features.extract import song_arrays
from celesta.features.registry import extractor
from celesta.probes import finetune
from celesta.probes.cross_validation import Result
from celesta.probes.protocols import Protocol

MODELS = ("cel-lr", "cel-silu", "cel-2")  # those that the 2024 report trained its classifier on
CONFIG = finetune.NeuralConfig(steps=60, tune_batch=8, valid_every=20, crop_seconds=5.0)


def results(
    protocol: Protocol,
    models: Sequence[str],
    cache: FeatureCache,
    workers: int = 1,
    progress: Callable[[str], None] = lambda _: None,
    config: finetune.NeuralConfig = CONFIG,
) -> list[Result]:
    """Two results a model, ``report's head, frozen`` and ``report's head, fine-tuned``.

    Args:
        protocol: with one split, such as P4.
        models: names of models with a dense latent.
        cache: what was trained before on the same songs with the same settings is taken from it.
        workers: processes, a model each.
        progress: told what goes on.
        config: of head and fine-tuning.
    """
    split = protocol.splits[0]
    found = []
    keys = {name: _key(protocol, name, codec.load(name).weights, cache, config) for name in models}
    absent = [name for name in models if cache.get(keys[name]) is None]
    if absent:
        progress(f"the report's classifier on {', '.join(absent)}")
        joblib.Parallel(min(workers, len(absent)))(
            joblib.delayed(_train)(protocol, name, cache.folder, keys[name], config)
            for name in reversed(absent)  # cel-2 takes as long as the others together
        )
    for name in models:
        arrays = cache.get(keys[name])
        assert arrays is not None  # what was just written; both ways give the same numbers
        for way in ("frozen", "fine-tuned"):
            probabilities = np.asarray(arrays[way], np.float64)[None]
            steps = {f"{k}": int(arrays[k][0]) for k in ("epochs", "best_step")}
            found.append(Result(protocol, f"latent:{name}", f"report's head, {way}", split.test, probabilities, steps))
    return found


@threads(1)
def _train(protocol: Protocol, name: str, folder: Path, key: Key, config: finetune.NeuralConfig) -> None:
    cache, split = FeatureCache(folder), protocol.splits[0]
    reader = [extractor(f"windows:{name}")]
    model = codec.load(name).model
    sounds = {
        int(i): audio.read(protocol.tracks[i].path, sample_rate=model.sample_rate, mono=True).samples[0]
        for i in (*split.train, *split.test)
    }
    windows = {i: song_arrays(protocol.tracks[i].path, reader, cache)[0]["mean"] for i in sounds}
    song = np.repeat(split.train, [len(windows[int(i)]) for i in split.train])
    head = finetune.train_head(
        np.concatenate([windows[int(i)] for i in split.train]),
        protocol.labels[song],
        song,
        config,
        protocol.groups[song],
    )
    frozen = np.stack([head.predict_proba(windows[int(i)]).mean(0) for i in split.test])
    tuned = finetune.fine_tune(
        model,
        [sounds[int(i)] for i in split.train],
        protocol.labels[split.train],
        config,
        protocol.groups[split.train],
        windows=[windows[int(i)] for i in split.train],
    )
    made = {
        "frozen": frozen,
        "fine-tuned": tuned.predict_proba([sounds[int(i)] for i in split.test]),
        "epochs": np.array([head.facts["epochs"]]),
        "best_step": np.array([tuned.facts["best_step"]]),
    }
    cache.put(key, made)


def _key(protocol: Protocol, name: str, weights: str, cache: FeatureCache, config: finetune.NeuralConfig) -> Key:
    split = protocol.splits[0]
    songs = [[cache.content(protocol.tracks[i].path), str(protocol.labels[i])] for i in (*split.train, *split.test)]
    content = hashlib.sha256(json.dumps(songs).encode()).hexdigest()
    asked = [asdict(config), len(split.train), extractor(f"windows:{name}").version]
    version = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
    return Key(content, f"neural:{name}", weights, version)
