"""Weights on disk: the one place that reads and writes networks as safetensors, and knows the folder that ships."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save

from celesta._files import atomic, printable, read_arrays
from celesta.errors import CelestaError, ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

FOLDER = Path(__file__).parents[1] / "weights"
_COUNTER = "num_batches_tracked"  # of batch normalisation: not a weight, missing in files that ship


@dataclass(frozen=True, eq=False)
class Weights:
    """Content of one file.

    Attributes:
        path: the file.
        arrays: by name, with the file's types.
        metadata: strings of the file's header.
        sha256: of the whole file, in hexadecimal.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    metadata: dict[str, str]
    sha256: str

    def json(self, key: str) -> Any:
        """Parse a metadata entry.

        Raises:
            ModelError: it is missing or not JSON.
        """
        try:
            return json.loads(self.metadata[key])
        except (KeyError, ValueError):
            raise ModelError(f"{printable(self.path)}: its header has no {key!r}; is it a file of Celesta?") from None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The arrays as PyTorch tensors, which share their memory."""
        import torch

        return {key: torch.from_numpy(value) for key, value in self.arrays.items()}

    def load_into(self, module: nn.Module, *, allow_extra: bool = False) -> None:
        """Copy the tensors into a module, converted to its types.

        Args:
            module: whose parameters and buffers all get a value.
            allow_extra: ignore tensors that the module does not have.

        Raises:
            ModelError: a tensor is missing, superfluous or of another shape.
        """
        own = module.state_dict()
        state = {key: value for key, value in self.tensors.items() if key in own or not allow_extra}
        try:
            missing, unexpected = module.load_state_dict(state, strict=False)
        except RuntimeError as error:
            raise ModelError(f"{printable(self.path)}: weights do not fit ({_line(error)})") from None
        lost = [key for key in missing if not key.endswith(_COUNTER)] + unexpected
        if lost:
            raise ModelError(f"{printable(self.path)}: weights do not fit ({lost[0]})")


def read(path: str | Path, *, advice: str = "install Celesta again") -> Weights:
    """Read a safetensors file whose floating-point numbers are all finite.

    Args:
        path: the file.
        advice: end of the error message, what to do without the file.

    Raises:
        ModelError: the file is missing, damaged or holds NaN or infinite numbers.
    """
    path = Path(path)
    try:
        arrays, metadata = read_arrays(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise ModelError(f"{printable(path)}: damaged or missing weights ({_line(error)}); {advice}") from None
    if not all(np.isfinite(value).all() for value in arrays.values()):
        raise ModelError(f"{printable(path)}: weights are not finite; {advice}")
    return Weights(path, arrays, metadata, digest)


def write(
    path: str | Path,
    tensors: Mapping[str, Tensor | np.ndarray],
    metadata: Mapping[str, str],
    error: type[CelestaError] = ModelError,
) -> None:
    """Write a safetensors file; its name appears when the file is whole and on the disk.

    Raises:
        CelestaError: of the given type, where the file cannot be written.
    """
    arrays = {
        key: np.ascontiguousarray(value if isinstance(value, np.ndarray) else value.detach().cpu().numpy())
        for key, value in tensors.items()
    }
    with atomic(path, error) as temporary:
        temporary.write_bytes(save(arrays, dict(metadata)))  # save_file would make it readable by its owner only


def in_half(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a module's state in half precision, as weights ship.

    One-dimensional tensors stay as they are: they are small, and running variances of batch normalisation leave
    float16's range. Counters of batches are left out.
    """

    def narrow(value: Tensor) -> Tensor:
        return value.half() if value.is_floating_point() and value.dim() > 1 else value

    return {key: narrow(value) for key, value in state.items() if not key.endswith(_COUNTER)}


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
