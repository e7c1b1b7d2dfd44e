"""Extractor ``celesta-ssl``: a network trained without labels, windows of one song alike, windows of others not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from celesta import _device
from celesta.features.base import Arrays, Extractor, Rows, checked, frame_range
from celesta.features.musicnn_patches import PATCH_FRAMES, SAMPLE_RATE, PatchStream
from celesta.models import onnx_runtime, stored
from celesta.models.runtime import Network
from celesta.models.weights import FOLDER as WEIGHTS

__all__ = ["SAMPLE_RATE", "Contrast", "load_contrast"]
NAME = "celesta-ssl"
SIZE = 256
_BATCH = 8
_HOP = PATCH_FRAMES // 2
VERSION = "2"


@dataclass(frozen=True)
class Contrast:
    """The network, ready for inference.

    Attributes:
        network: ``patches (B, frames, 96)`` to ``out (B, 256)``.
        weights: SHA-256 of its weights.
    """

    network: Network
    weights: str

    def song(self, samples: np.ndarray) -> Arrays:
        """Return ``mean`` and ``std`` ``(256,)`` over the patches of 3 s of a song ``(n,)``, mono at 16 kHz.

        Raises:
            UsageError: not mono, empty or not finite.
        """
        patches = ContrastPatches(self.network)
        patches.push(checked(samples))
        patches.finish()
        rows = patches.rows()
        return {"mean": rows.mean(0), "std": rows.std(0)}


def create(name: str, model: str, precision: str, device: str) -> Extractor:
    """Make the extractor: mean and standard deviation over patches; see :data:`celesta.features.registry.TABLE`."""
    loaded = load_contrast(precision, device)

    def summary(patches: ContrastPatches, start: float, stop: float | None) -> Arrays:
        rows = patches.rows(start, stop)
        return {"mean": rows.mean(0), "std": rows.std(0)}

    return Extractor(
        name, VERSION, SAMPLE_RATE, name, lambda: ContrastPatches(loaded.network), summary, loaded.weights, precision
    )


def load_contrast(precision: str = "float32", device: str = "auto", backend: str = "auto") -> Contrast:
    """Load the network with the weights that ship.

    Args:
        precision: ``float32``, ``bfloat16`` or ``auto``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        backend: ``torch``, ``onnx`` or ``auto``, see :func:`celesta.load`.

    Raises:
        ModelError: its weights are missing or damaged.
        MissingExtraError: torch is needed and not installed.
    """
    described = WEIGHTS / f"{NAME}.json"
    if _device.backend(backend, device, precision, described.is_file()) == "onnx":
        found = stored.read_description(described)
        return Contrast(onnx_runtime.create_network(found, "features"), str(found.facts["state_sha256"]))
    contrast = _device.import_with_torch("celesta.models.contrast", NAME)
    model = contrast.load_contrast(WEIGHTS / f"{NAME}.safetensors")
    weights = contrast.state_hash(model)
    return Contrast(contrast.as_network(model, _device.resolve(device), precision), weights)


class ContrastPatches:
    """The network's vector of each patch of a stream, mono at 16 kHz."""

    def __init__(self, network: Network) -> None:
        self._network = network
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

    def _run(self) -> None:
        self._rows.append(self._network.run(patches=np.stack(self._held))["out"])
        self._held = []

    def rows(self, start: float = 0.0, stop: float | None = None) -> np.ndarray:
        """Return the vectors ``(patches, 256)`` of the patches whose middle lies in a stretch (seconds)."""
        middle = PATCH_FRAMES / 2 * 0.016
        rate = 1 / (_HOP * 0.016)
        end = None if stop is None else stop - middle
        return self._rows.between(*frame_range(max(start - middle, 0), end, rate, len(self._rows)))
