"""The kinds of features there are: what each needs to hear, and how it turns a song into named arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from celesta import codec
from celesta._device import use_bfloat16
from celesta.audio import Audio
from celesta.errors import ModelError, UsageError
from celesta.features import encoder_layers, pooling, rhythm, spectral
from celesta.latents.latent import Latent
from celesta.models import registry
from celesta.models.base import Model

Arrays = dict[str, np.ndarray]
RANDOM_SEED = 0
# Statistics over thousands of frames do not feel bfloat16's rounding, and encoding takes half the time.
PRECISION = "bfloat16" if use_bfloat16("auto") else "float32"
_MUSICNN_LAYERS = ("penultimate", "mean_pool", "max_pool")


class First(NamedTuple):
    """The costly half of a measurement, which several kinds share.

    Attributes:
        name: equal names, equal results.
        make: samples ``(n,)`` to what the other half is made of.
    """

    name: str
    make: Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Extractor:
    """One kind of feature, ready to use.

    Attributes:
        kind: its name.
        version: of the code.
        weights: SHA-256 of its weights, "" without.
        sample_rate: Hz of the mono sound it hears.
        measure: samples ``(n,)`` to arrays by name, which one behind the other are the song's vector.
        first, rest: the same in two halves, where other kinds have the first in common.
    """

    kind: str
    version: str
    weights: str
    sample_rate: int
    measure: Callable[[np.ndarray], Arrays]
    first: First | None = None
    rest: Callable[[Any], Arrays] | None = None

    def arrays(self, samples: np.ndarray, held: dict[str, Any]) -> Arrays:
        """:attr:`measure`, its first half from ``held`` where the kind before left it there; one result is held."""
        if self.first is None or self.rest is None:
            return self.measure(samples)
        if self.first.name not in held:
            held.clear()
            held[self.first.name] = self.first.make(samples)
        return self.rest(held[self.first.name])


def _in_halves(
    kind: str, version: str, weights: str, sample_rate: int, first: First, rest: Callable[[Any], Arrays]
) -> Extractor:
    return Extractor(kind, version, weights, sample_rate, lambda x: rest(first.make(x)), first, rest)


def names() -> tuple[str, ...]:
    """All kinds; MODEL stands for any model's name, or the folder of a run."""
    return (*_FIXED, *(f"{prefix}:MODEL" for prefix in _OF_MODEL))


def extractor(kind: str) -> Extractor:
    """The extractor of a kind; models are loaded.

    Raises:
        UsageError: there is no such kind.
        ModelError: its model is unknown, or its weights are missing.
    """
    if kind in _FIXED:
        return _FIXED[kind](kind)
    prefix, colon, model = kind.partition(":")
    if colon and model and prefix in _OF_MODEL | _ROWS:
        return (_OF_MODEL | _ROWS)[prefix](kind, model)
    raise UsageError(f"unknown kind of feature {kind!r}; there are {', '.join(names())}")


def _handcrafted(kind: str) -> Extractor:
    def measure(x: np.ndarray) -> Arrays:
        mean, std = np.split(spectral.handcrafted(x, 22_050), 2)
        return {"mean": mean, "std": std}

    return Extractor(kind, spectral.VERSION, "", 22_050, measure)


def _rhythm(kind: str) -> Extractor:
    return Extractor(kind, rhythm.VERSION, "", 22_050, lambda x: {"descriptors": rhythm.descriptors(x, 22_050)})


def _musicnn(kind: str) -> Extractor:
    """Mean and standard deviation over patches of the layers that tell songs apart best."""

    def statistics(patches: Arrays) -> Arrays:
        layers = {name: np.asarray(patches[name], np.float64) for name in _MUSICNN_LAYERS}
        means = {f"{name}.mean": layers[name].mean(axis=0).astype(np.float32) for name in _MUSICNN_LAYERS}
        return means | {f"{name}.std": layers[name].std(axis=0).astype(np.float32) for name in _MUSICNN_LAYERS}

    return _of_tagger(kind, kind, statistics)


def _patches(kind: str, tagger: str) -> Extractor:
    """A tagger's pooled layers as they are, a row a patch of 3 s: what late layers are trained on."""
    return _of_tagger(kind, tagger, lambda patches: {name: patches[name] for name in ("mean_pool", "max_pool")})


def _of_tagger(kind: str, tagger: str, rest: Callable[[Arrays], Arrays]) -> Extractor:
    from celesta.features.musicnn import load_musicnn  # its weights are only read where they are asked for

    network = load_musicnn(tagger.removeprefix("musicnn-").upper())
    first = First(tagger, lambda x: network.layers(x, precision=PRECISION))
    return _in_halves(kind, f"3 {PRECISION}", state_hash(network), 16_000, first, rest)


def _ssl(kind: str) -> Extractor:
    """What contrast between songs taught, without labels and without outside weights."""
    from celesta.features.contrastive import load_contrast

    network = load_contrast()
    return Extractor(kind, f"1 {PRECISION}", state_hash(network), 16_000, lambda x: network.song(x, PRECISION))


def _latent(kind: str, model: str) -> Extractor:
    loaded = codec.load(model, precision=PRECISION)
    return _pooled(kind, loaded, loaded.weights)


def _latent_random(kind: str, model: str) -> Extractor:
    made, weights = _untrained(kind, model)
    return _pooled(kind, codec.Codec(model, made, weights, precision=PRECISION), weights)


def _untrained(kind: str, model: str) -> tuple[Model, str]:
    """The control: the same architecture, its weights as they were before training; and their hash."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        made = registry.create(model)
    if not any(True for _ in made.parameters()):
        raise ModelError(f"{kind}: {model} has no weights to draw at random; use latent:{model}")
    return made, state_hash(made)


def _layers(kind: str, model: str) -> Extractor:
    loaded = codec.load(model, precision=PRECISION)
    return _of_layers(kind, loaded.model, loaded.weights)


def _layers_random(kind: str, model: str) -> Extractor:
    made, weights = _untrained(kind, model)
    return _of_layers(kind, codec.Codec(model, made, weights, precision=PRECISION).model, weights)


def _of_layers(kind: str, model: Model, weights: str) -> Extractor:
    encoder_layers.encoder_layers(model)  # refused here, before a song is read
    version = f"{encoder_layers.VERSION} {PRECISION}"
    return Extractor(kind, version, weights, model.sample_rate, lambda x: encoder_layers.layer_statistics(model, x))


def _pooled(kind: str, coder: codec.Codec, weights: str) -> Extractor:
    return _of_latent(kind, kind, coder, weights, pooling.pool_parts)


def _windows(kind: str, model: str) -> Extractor:
    """The mean of each latent channel over each window: what the report's head is trained on."""
    loaded = codec.load(model, precision=PRECISION)
    return _of_latent(kind, f"latent:{model}", loaded, loaded.weights, pooling.window_means)


def _of_latent(kind: str, latent: str, coder: codec.Codec, weights: str, rest: Callable[[Latent], Arrays]) -> Extractor:
    window, step = coder.model.window, coder.model.window - coder.model.overlap

    def encode(x: np.ndarray) -> Latent:
        # A window that less than half a step of sound falls to is not worth encoding; no other sound is left out.
        left = (len(x) - window) % step
        x = x[: len(x) - left] if len(x) > window and left < step // 2 else x
        return coder.encode(Audio(x[None], coder.model.sample_rate))

    version, rate = f"{pooling.VERSION} {PRECISION}", coder.model.sample_rate
    return _in_halves(kind, version, weights, rate, First(latent, encode), rest)


def state_hash(module: torch.nn.Module) -> str:
    """SHA-256 of a module's weights, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()


_FIXED: dict[str, Callable[[str], Extractor]] = {
    "handcrafted": _handcrafted,
    "rhythm": _rhythm,
    "musicnn-msd": _musicnn,
    "musicnn-mtt": _musicnn,
    "celesta-ssl": _ssl,
}
_OF_MODEL: dict[str, Callable[[str, str], Extractor]] = {
    "latent": _latent,
    "latent-random": _latent_random,
    "layers": _layers,
    "layers-random": _layers_random,
}
_ROWS: dict[str, Callable[[str, str], Extractor]] = {"patches": _patches, "windows": _windows}
"""Kinds of several rows a song, as many as it is long: for what is trained on them, not vectors."""
