"""The seam between NumPy code and networks: arrays in, arrays out.

Code for whole songs calls networks through :class:`Runtime` and holds no tensors, so that devices and the inference
engine are the concern of this module and of its implementations alone: :mod:`celesta.models.torch_runtime`,
:mod:`celesta.models.onnx_runtime` and :mod:`celesta.models.numpy_runtime`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from celesta.models.info import ModelInfo

if TYPE_CHECKING:
    from celesta.models.base import Model

Arrays = dict[str, np.ndarray]


class Network(Protocol):
    """A function of named arrays, run by an inference engine."""

    def run(self, **inputs: np.ndarray | int) -> Arrays:
        """Compute outputs from inputs, both in main memory. Integers are passed on as they are."""
        ...


class Runtime(ABC):
    """A model ready for inference, its functions as networks.

    Attributes:
        model: sizes and capabilities of the model.
        device: name of the device that computes.
        backend: ``torch`` or ``onnx``.
        batch: rows (windows times audio channels) that go through a network in one call: 1 on the CPU, where more are
            no faster, and where a row's numbers must not depend on its neighbours.
        encoder: ``x (B, channels, T)`` to ``base``, ``places``, ``values`` and ``envelope``, see
            :class:`celesta.models.base.Parts`.
        stored_numbers: numbers in the weights' file.
        decoder: those arrays, ``length``, ``start`` and, for models with a band envelope, ``channel`` to
            ``out (B, channels, length)``.
    """

    model: ModelInfo
    device: str
    backend: str
    batch: int = 1
    stored_numbers: int
    encoder: Network
    decoder: Network

    @abstractmethod
    def function(self, name: str) -> Network:
        """Return another function of the model, such as ``mdct``, as a network."""


class FunctionNetwork:
    """A function of NumPy arrays as a :class:`Network`.

    Args:
        function: takes arrays and integers by name; returns arrays by name, or one array, called ``out``.

    Example:
        >>> FunctionNetwork(lambda x: 2 * x).run(x=np.ones(2, np.float32))["out"]
        array([2., 2.], dtype=float32)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def run(self, **inputs: np.ndarray | int) -> Arrays:
        """Compute the outputs."""
        made = self.function(**inputs)
        return made if isinstance(made, dict) else {"out": made}


class DecoderInput(NamedTuple):
    """The parts of a latent, of one audio channel or of several, and the stretch that they are decoded to.

    Attributes:
        base: ``(B, C, F)``.
        places: ``(B, K, F)`` of the detail.
        values: ``(B, K, F)`` at these places.
        length: samples to decode.
        start: index of the first frame in the song.
        envelope: ``(B, rows, F / 4)`` of models with a band envelope.
        channel: index of the audio channel, for models with a band envelope.
    """

    base: np.ndarray
    places: np.ndarray
    values: np.ndarray
    length: int
    start: int
    envelope: np.ndarray | None = None
    channel: int = 0


class ArrayRuntime(Runtime):
    """A model whose functions take and return NumPy arrays: the methods of a subclass."""

    device = "cpu"
    backend = "onnx"
    stored_numbers = 0

    def __init__(self, model: ModelInfo) -> None:
        self.model = model
        self.encoder, self.decoder = FunctionNetwork(self.encode), FunctionNetwork(self._decode)

    @abstractmethod
    def encode(self, x: np.ndarray) -> Arrays:
        """Encode ``(B, channels, T)``."""

    @abstractmethod
    def decode(self, given: DecoderInput) -> np.ndarray:
        """Decode to ``(B, channels, length)``."""

    def function(self, name: str) -> Network:
        """Return another method as a network."""
        return FunctionNetwork(getattr(self, name))

    def _decode(self, **given: Any) -> np.ndarray:
        return self.decode(DecoderInput(**given))


def runtime_of(model: Model | Runtime, device: str = "auto", precision: str = "float32") -> Runtime:
    """Return a runtime as it is, and a model of PyTorch as a runtime.

    Args:
        model: the model, or a runtime.
        device: of a model of PyTorch.
        precision: of a model of PyTorch.
    """
    if isinstance(model, Runtime):
        return model
    from celesta.models.torch_runtime import TorchRuntime

    return TorchRuntime(model, device, precision)


def dense(base: np.ndarray) -> Arrays:
    """Return the parts of a model without a detail."""
    empty = np.zeros((base.shape[0], 0, base.shape[-1]), np.float32)
    return {"base": base, "places": empty.astype(np.int64), "values": empty, "envelope": NO_ENVELOPE}


NO_ENVELOPE = np.zeros((0, 0, 0), np.float32)
