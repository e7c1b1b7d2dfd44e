"""Extractors ``musicnn-msd`` and ``musicnn-mtt``: the layers of MusiCNN, a tagger of music, on patches of 3 s.

Source: Pons & Serra 2019, "musicnn: pre-trained convolutional neural networks for music audio tagging"; weights of
PyPI's ``musicnn`` 0.1.0 (ISC licence), converted by ``scripts/convert_musicnn.py``. The network is written in NumPy and
returns what the original returns, its half-precision spectrogram included.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable

import numpy as np

from celesta._files import printable, read_arrays
from celesta.errors import ModelError, UsageError
from celesta.features.base import Arrays, Extractor, Rows, checked, frame_range
from celesta.features.musicnn_layers import Norm, convolve, front
from celesta.features.musicnn_patches import HOP_LENGTH, PATCH_FRAMES, SAMPLE_RATE, PatchStream, patches
from celesta.models.weights import FOLDER as WEIGHTS

CHECKPOINTS = ("MSD", "MTT")
LAYERS = ("penultimate", "mean_pool", "max_pool", "tags")
VERSION = "4"
_SIZES = {"penultimate": 200, "mean_pool": 753, "max_pool": 753, "tags": 50}
_ENDS = np.cumsum(list(_SIZES.values()))
_COLUMNS = {name: slice(int(end) - _SIZES[name], int(end)) for name, end in zip(LAYERS, _ENDS, strict=True)}
_POOLED = ("penultimate", "mean_pool", "max_pool")
EPS = 1e-3
_FRONT = {
    "timbral.0": (7, 38), "timbral.1": (7, 67), "temporal.0": (128, 1), "temporal.1": (64, 1), "temporal.2": (32, 1),
}  # fmt: skip


def create(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor: mean and standard deviation over patches; see :data:`celesta.features.registry.TABLE`."""
    return of_network(name, load_musicnn(_checkpoint(name, name, precision)))


def of_network(name: str, network: Musicnn, every: int = 1) -> Extractor:
    """Make the extractor of a loaded network.

    Args:
        name: of the tagger, ``musicnn-msd`` or ``musicnn-mtt``.
        network: what :func:`load_musicnn` returned.
        every: compute only every so many patches of 3 s, from the first on.
    """

    def summary(analysis: Patches, start: float, stop: float | None) -> Arrays:
        means, deviations = analysis.moments(start, stop)
        made = {f"{layer}.mean": means[_COLUMNS[layer]].astype(np.float32) for layer in _POOLED}
        return made | {f"{layer}.std": deviations[_COLUMNS[layer]].astype(np.float32) for layer in _POOLED}

    return _extractor(name, name, network, summary, every)


def create_patches(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor of a tagger's pooled layers, one row for each patch; late layers are trained on them."""

    def rows(analysis: Patches, start: float, stop: float | None) -> Arrays:
        layers = analysis.layers(start, stop)
        return {layer: layers[layer] for layer in ("mean_pool", "max_pool")}

    return _extractor(name, model, load_musicnn(_checkpoint(name, model, precision)), rows)


def _checkpoint(name: str, tagger: str, precision: str) -> str:
    if precision != "float32":
        raise UsageError(f"{name}: it is computed in float32 only, got precision {precision!r}")
    return tagger.removeprefix("musicnn-").upper()


def _extractor(
    name: str,
    tagger: str,
    network: Musicnn,
    summary: Callable[[Patches, float, float | None], Arrays],
    every: int = 1,
) -> Extractor:
    hop = every * PATCH_FRAMES
    return Extractor(
        name, VERSION, SAMPLE_RATE, tagger, lambda: Patches(network, hop), summary, network.sha256, stage=patches(every)
    )


class Musicnn:
    """The network on patches of log-mel frames.

    Args:
        weights: by name, as in the file.
        tags: names of the 50 tags that it was trained on.
        sha256: of the file.

    Attributes:
        weights, tags, sha256: as given.
    """

    def __init__(self, weights: dict[str, np.ndarray], tags: tuple[str, ...], sha256: str) -> None:
        self.weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        self.tags, self.sha256 = tags, sha256
        w = self.weights
        self._norm = self._norm_of("norm")
        self._front = [
            front(w[f"{name}.conv.weight"].reshape(-1, *size), w[f"{name}.conv.bias"], self._norm_of(f"{name}.norm"))
            for name, size in _FRONT.items()
        ]
        self._middle = [
            (np.ascontiguousarray(w[f"mid.{i}.conv.weight"].transpose(2, 1, 0)), w[f"mid.{i}.conv.bias"])
            for i in range(3)
        ]
        self._middle_norms = [self._norm_of(f"mid.{i}.norm") for i in range(3)]
        self._pool_norm, self._dense_norm = self._norm_of("pool_norm"), self._norm_of("dense_norm")

    def _norm_of(self, name: str) -> Norm:
        mean, variance, scale, shift = (
            self.weights[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        scale = (scale / np.sqrt(variance + np.float32(EPS))).astype(np.float32)
        return Norm(scale, (shift - mean * scale).astype(np.float32))

    def __call__(self, patch: np.ndarray) -> Arrays:
        """Compute the layers of a log-mel patch ``(187, 96)``.

        Returns:
            ``penultimate`` ``(200,)``, ``mean_pool`` and ``max_pool`` ``(753,)``, ``tags`` ``(50,)`` from 0 to 1.
        """
        x = patch * self._norm.scale + self._norm.shift
        layers = [np.concatenate([block(x) for block in self._front], axis=1)]
        for i, (kernel, bias) in enumerate(self._middle):
            y = self._middle_norms[i](np.maximum(convolve(layers[-1], kernel) + bias, 0))
            layers.append(y + layers[-1] if i else y)
        mean = np.concatenate([layer.mean(axis=0) for layer in layers])
        largest = np.concatenate([layer.max(axis=0) for layer in layers])
        w = self.weights
        both = self._pool_norm(np.stack([largest, mean], axis=-1).ravel())
        penultimate = self._dense_norm(np.maximum(w["dense.weight"] @ both + w["dense.bias"], 0))
        tags = 1 / (1 + np.exp(-(w["out.weight"] @ penultimate + w["out.bias"])))
        return {"penultimate": penultimate, "mean_pool": mean, "max_pool": largest, "tags": tags}

    def layers(self, samples: np.ndarray, hop: int = PATCH_FRAMES) -> Arrays:
        """Compute the layers of a song, a row for each patch of 3 s; a last piece shorter than a patch is left out.

        A signal shorter than a patch is followed by silence (the original refuses it).

        Args:
            samples: ``(n,)`` mono at 16 kHz, full scale 1.
            hop: frames of 16 ms from one patch to the next.

        Returns:
            :data:`LAYERS` to float32 ``(patches, dim)``.

        Raises:
            UsageError: not mono, empty or not finite, or ``hop`` is less than 1.
        """
        analysis = Patches(self, hop)
        analysis.push(checked(samples))
        analysis.finish()
        return analysis.layers()


class Patches:
    """The layers of each patch of a stream, mono at 16 kHz.

    Args:
        network: that computes them.
        hop: frames from one patch to the next.
    """

    def __init__(self, network: Musicnn, hop: int = PATCH_FRAMES) -> None:
        if hop < 1:
            raise UsageError(f"musicnn: hop must be 1 frame or more, got {hop}")
        self._network, self._hop = network, hop
        self._rows = Rows(sum(_SIZES.values()))
        self._stream = PatchStream(hop)

    def push(self, x: np.ndarray) -> None:
        """Take samples ``(n,)``."""
        self.take(self._stream.push(x))

    def finish(self) -> None:
        """End the stream."""
        self.take(self._stream.finish())

    def take(self, patches: Iterable[np.ndarray]) -> None:
        """Take log-mel patches ``(187, 96)`` in place of samples."""
        for patch in patches:
            layers = self._network(patch)
            self._rows.append(np.concatenate([layers[name] for name in LAYERS])[None])

    def layers(self, start: float = 0.0, stop: float | None = None) -> Arrays:
        """Return :data:`LAYERS` to ``(patches, dim)`` of the patches whose middle lies in a stretch (seconds)."""
        rows = self._rows.between(*self._range(start, stop))
        return {name: rows[:, columns] for name, columns in _COLUMNS.items()}

    def moments(self, start: float = 0.0, stop: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of each number of all layers over the patches of a stretch, float64.

        Blocks of rows are read one at a time; the sums are those of all rows at once, bit for bit.
        """
        first, last = self._range(start, stop)

        def mean(change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
            total = np.zeros((1, self._rows.width))
            for block in self._rows.blocks(first, last, 256):
                total = np.concatenate([total, change(block.astype(np.float64))]).sum(axis=0, keepdims=True)
            averaged: np.ndarray = total[0] / (last - first)
            return averaged

        middle = mean(lambda rows: rows)
        return middle, np.sqrt(mean(lambda rows: (rows - middle) ** 2))

    def _range(self, start: float, stop: float | None) -> tuple[int, int]:
        """The first patch whose middle lies in a stretch, and the one behind the last."""
        rate = SAMPLE_RATE / HOP_LENGTH / self._hop
        middle = PATCH_FRAMES / 2 * HOP_LENGTH / SAMPLE_RATE
        return frame_range(max(start - middle, 0), None if stop is None else stop - middle, rate, len(self._rows))


def load_musicnn(checkpoint: str = "MSD") -> Musicnn:
    """Load the tagger trained on the Million Song Dataset (``MSD``) or MagnaTagATune (``MTT``).

    Raises:
        UsageError: there is no such checkpoint.
        ModelError: its weights are missing or damaged.
    """
    if checkpoint not in CHECKPOINTS:
        raise UsageError(f"musicnn: checkpoint must be one of {', '.join(CHECKPOINTS)}, got {checkpoint!r}")
    path = WEIGHTS / f"musicnn-{checkpoint.lower()}.safetensors"
    try:
        arrays, metadata = read_arrays(path)
        tags = tuple(map(str, json.loads(metadata["tags"])))
        return Musicnn(arrays, tags, hashlib.sha256(path.read_bytes()).hexdigest())
    except (OSError, KeyError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{printable(path)}: no weights of musicnn ({reason}); install Celesta again") from None
