"""Devices, precision and threads: the only place that asks what the machine has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from celesta.errors import UsageError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("float32", "bfloat16", "auto")


def resolve(device: str | torch.device = "auto") -> torch.device:
    """Choose the device that networks run on.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``mps``, or one of several such as ``cuda:1``.

    Raises:
        UsageError: there is no such device here.

    >>> resolve("cpu").type
    'cpu'
    """
    import torch

    if isinstance(device, torch.device):
        return device
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if here[kind]))
    kind, colon, index = device.partition(":")
    if kind not in here or (colon and not index.isdecimal()):
        raise UsageError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if not here[kind] or (kind == "cuda" and index and int(index) >= torch.cuda.device_count()):
        found = ", ".join(name for name, there in here.items() if there)
        raise UsageError(f"device {device!r} is not available here (found: {found}); use --device auto")
    return torch.device(device)


def dtype(precision: str) -> torch.dtype:
    """Return the type that networks compute in.

    Args:
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the processor multiplies in it.

    Raises:
        UsageError: it is none of these.
    """
    import torch

    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "auto":
        able = torch.cpu.get_capabilities()
        precision = "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def autocast(device: torch.device | str, precision: str) -> AbstractContextManager[object]:
    """Return a context, to be entered any number of times, in which networks compute in the precision asked for."""
    import torch

    wanted = dtype(precision)
    return nullcontext() if wanted == torch.float32 else torch.autocast(torch.device(device).type, wanted)


def autocast_dtype(device: torch.device) -> torch.dtype:
    """Return the type that products have in the autocast context that is in force."""
    import torch

    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute with ``count`` threads inside the block (0: leave it as it is); restore the number after."""
    import torch

    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def workers(device: torch.device | str, wanted: int) -> int:
    """Return how many processes may share a device: ``wanted`` on the CPU, one where a GPU computes."""
    import torch

    return max(1, wanted) if torch.device(device).type == "cpu" else 1


def about() -> dict[str, object]:
    """Describe what results depend on: version of torch, number of threads."""
    import torch

    return {"torch": torch.__version__, "threads": torch.get_num_threads()}
