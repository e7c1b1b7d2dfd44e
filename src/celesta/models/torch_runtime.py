"""Models run by PyTorch, behind the seam of :mod:`celesta.models.runtime`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from celesta import _device
from celesta.models.base import Model, Parts
from celesta.models.runtime import Arrays, Network, Runtime

_GPU_BATCH = 16
"""Windows of 5 to 10 s; the widest layer of the largest model then takes 450 MB in float32."""


class TorchNetwork:
    """A function of PyTorch tensors as a :class:`Network`.

    Args:
        function: takes tensors and integers by name; returns a named tuple of tensors, or one tensor, called ``out``.
        device: where the function computes. Inputs are moved there, and outputs back.

    Example:
        >>> double = TorchNetwork(lambda x: 2 * x, torch.device("cpu"))
        >>> double.run(x=np.ones(2, np.float32))["out"]
        array([2., 2.], dtype=float32)
    """

    def __init__(self, function: Callable[..., Any], device: torch.device) -> None:
        self.function, self.device = function, device

    @torch.inference_mode()
    def run(self, **inputs: np.ndarray | int) -> Arrays:
        """Compute the outputs: float32, or the integer type of the function."""
        made = self.function(**{name: self._moved(value) for name, value in inputs.items()})
        outputs: dict[str, Tensor] = {"out": made} if isinstance(made, Tensor) else made._asdict()
        return {
            name: (value.float() if value.is_floating_point() else value).cpu().numpy()
            for name, value in outputs.items()
        }

    def _moved(self, value: np.ndarray | int) -> Tensor | int:
        if not isinstance(value, np.ndarray):
            return value
        return torch.from_numpy(value if value.flags.writeable else value.copy()).to(self.device)


class TorchRuntime(Runtime):
    """A model on a device, in inference mode, its functions as networks.

    Args:
        model: moved to the device and prepared.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32``, ``bfloat16`` or ``auto``.

    Raises:
        UsageError: device or precision are unknown or not available.
    """

    backend = "torch"
    model: Model

    def __init__(self, model: Model, device: str = "auto", precision: str = "float32") -> None:
        where, dtype = _device.resolve(device), _device.dtype(precision)
        model.prepare(dtype)
        self.model = model.to(where)
        self.stored_numbers = sum(value.numel() for value in model.state_dict().values())
        self.device = str(where)
        self.batch = 1 if where.type == "cpu" else _GPU_BATCH
        self._where = where
        self.encoder: Network = TorchNetwork(model.encode, where)
        self.decoder: Network = TorchNetwork(self._decode, where)

    def function(self, name: str) -> Network:
        """Return another method of the model, such as ``coefficients``, as a network."""
        return TorchNetwork(getattr(self.model, name), self._where)

    def _decode(self, length: int, start: int, channel: int | None = None, **parts: Tensor) -> Tensor:
        own = {} if channel is None else {"channel": channel}
        return self.model.decode(Parts(**parts), length, start, **own)
