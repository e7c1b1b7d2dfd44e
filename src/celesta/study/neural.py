"""The report's classifier in the study: encoder frozen and fine-tuned, on the published split, kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from celesta import audio, codec
from celesta.features.cache import FeatureCache, Key
from celesta.probes import neural
from celesta.probes.protocols import Protocol
from celesta.probes.run import Result
from celesta.training.precision import use_bfloat16

MODELS = ("cel-lr", "cel-silu", "cel-2")
CONFIG = neural.NeuralConfig(steps=60, tune_batch=8, valid_every=20, crop_seconds=5.0)


def results(
    protocol: Protocol,
    models: Sequence[str],
    cache: FeatureCache,
    progress: Callable[[str], None] = lambda _: None,
    config: neural.NeuralConfig = CONFIG,
) -> list[Result]:
    """Two results a model, ``report's head, frozen`` and ``report's head, fine-tuned``.

    Args:
        protocol: with one split, such as P4.
        models: names of models with a dense latent.
        cache: what was trained before on the same songs with the same settings is taken from it.
        progress: told what goes on.
        config: of head and fine-tuning.
    """
    split = protocol.splits[0]
    found = []
    for name in models:
        key = _key(protocol, name, codec.load(name).weights, cache, config)
        arrays = cache.get(key)
        if arrays is None:
            progress(f"the report's classifier on {name}")
            arrays = _train(protocol, name, config)
            cache.put(key, arrays)
        for way in ("frozen", "fine-tuned"):
            probabilities = np.asarray(arrays[way], np.float64)[None]
            steps = {f"{k}": int(arrays[k][0]) for k in ("epochs", "best_step")}
            found.append(Result(protocol, f"latent:{name}", f"report's head, {way}", split.test, probabilities, steps))
    return found


def _train(protocol: Protocol, name: str, config: neural.NeuralConfig) -> dict[str, np.ndarray]:
    split = protocol.splits[0]
    model = codec.load(name, precision="bfloat16" if use_bfloat16("auto") else "float32").model
    sounds = {
        int(i): audio.read(protocol.tracks[i].path, sample_rate=model.sample_rate, mono=True).samples[0]
        for i in (*split.train, *split.test)
    }
    windows = {i: neural.window_latents(model, x, config.pool, config.crop_seconds) for i, x in sounds.items()}
    song = np.repeat(split.train, [len(windows[int(i)]) for i in split.train])
    head = neural.train_head(
        np.concatenate([windows[int(i)] for i in split.train]),
        protocol.labels[song],
        song,
        config,
        protocol.groups[song],
    )
    frozen = np.stack([head.predict_proba(windows[int(i)]).mean(0) for i in split.test])
    tuned = neural.fine_tune(
        codec.load(name).model,
        [sounds[int(i)] for i in split.train],
        protocol.labels[split.train],
        config,
        protocol.groups[split.train],
        windows=[windows[int(i)] for i in split.train],
    )
    return {
        "frozen": frozen,
        "fine-tuned": tuned.predict_proba([sounds[int(i)] for i in split.test]),
        "epochs": np.array([head.facts["epochs"]]),
        "best_step": np.array([tuned.facts["best_step"]]),
    }


def _key(protocol: Protocol, name: str, weights: str, cache: FeatureCache, config: neural.NeuralConfig) -> Key:
    split = protocol.splits[0]
    songs = [[cache.content(protocol.tracks[i].path), str(protocol.labels[i])] for i in (*split.train, *split.test)]
    content = hashlib.sha256(json.dumps(songs).encode()).hexdigest()
    version = hashlib.sha256(json.dumps([asdict(config), len(split.train)]).encode()).hexdigest()[:16]
    return Key(content, f"neural:{name}", weights, version)
