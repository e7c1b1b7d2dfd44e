"""Devices, precision and threads: the only place that asks what the machine has, and whether torch is installed."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import metadata
from types import ModuleType
from typing import TYPE_CHECKING

from celesta import _extras
from celesta.errors import UsageError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
BACKENDS = ("auto", "torch", "onnx")
PRECISIONS = ("float32", "bfloat16", "auto")
_GPU_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
_limits: list[int] = []


def has_torch() -> bool:
    """Whether torch is installed; does not import it."""
    return _extras.installed("torch")


def import_with_torch(module: str, what: str = "this") -> ModuleType:
    """Import a module that needs torch.

    Args:
        module: its full name.
        what: needs it, for the message.

    Raises:
        MissingExtraError: torch is not installed.
    """
    require_torch(what)
    return importlib.import_module(module)


def require_torch(what: str) -> None:
    """Check that torch is installed.

    Args:
        what: needs it, for the message.

    Raises:
        MissingExtraError: it is not.
    """
    if not has_torch():
        raise _extras.missing("torch", what)


def name(device: str = "auto") -> str:
    """Return the name of the device that networks run on; imports torch only where there may be a GPU.

    Args:
        device: see :func:`resolve`.

    Raises:
        UsageError: there is no such device here.
        MissingExtraError: it is a GPU, and torch is not installed.

    >>> name("cpu")
    'cpu'
    """
    if device == "cpu" or (device == "auto" and not (has_torch() and _may_have_gpu())):
        return "cpu"
    if not has_torch() and device not in DEVICES:
        raise UsageError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    require_torch(f"device {device!r}")
    return str(resolve(device))


def _may_have_gpu() -> bool:
    return platform.system() != "Linux" or any(os.path.exists(file) for file in _GPU_FILES)


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


def backend(wanted: str, device: str, precision: str, exported: bool, faster: str = "onnx") -> str:
    """Choose the inference engine of a network.

    Args:
        wanted: ``torch``, ``onnx`` or ``auto``: the faster one where it can compute what is asked for, else ``torch``.
        device: see :func:`resolve`; ``onnx`` computes on the CPU.
        precision: see :func:`dtype`; ``onnx`` computes in float32.
        exported: whether the network can be run without torch.
        faster: engine that is the faster one for this network on CPUs, in float32.

    Raises:
        UsageError: an argument is unknown, or they contradict each other.
        MissingExtraError: torch is needed and not installed.
    """
    if wanted not in BACKENDS:
        raise UsageError(f"backend must be one of {', '.join(BACKENDS)}, got {wanted!r}")
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if wanted == "onnx" and precision == "bfloat16":
        raise UsageError("the backend onnx computes in float32; use precision='float32' or backend='torch'")
    if wanted != "auto":
        return wanted
    if not has_torch() and exported and precision != "bfloat16":
        return "onnx" if name(device) == "cpu" else "torch"
    on_cpu = exported and precision == "float32" and name(device) == "cpu"
    return faster if on_cpu else "torch"


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
    """Let networks compute with ``count`` threads inside the block (0: leave it as it is); restore the number after."""
    if not count:
        yield
        return
    before = None
    if has_torch():
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(count)
    _limits.append(count)
    try:
        yield
    finally:
        _limits.remove(count)
        if before is not None:
            torch.set_num_threads(before)


def limit_threads(count: int) -> None:
    """Let networks of this process compute with ``count`` threads from now on."""
    _limits.insert(0, count)


def thread_count() -> int:
    """Return how many threads networks compute with; 0 to leave it to the inference engine."""
    if _limits:
        return _limits[-1]
    loaded = sys.modules.get("torch")
    if loaded is not None:
        return int(loaded.get_num_threads())
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdecimal() else 0


def workers(device: str, wanted: int) -> int:
    """Return how many processes may share a device: ``wanted`` on the CPU, one where a GPU computes."""
    return max(1, wanted) if device.partition(":")[0] == "cpu" else 1


def about() -> dict[str, object]:
    """Describe what results depend on: versions of the inference engines, number of threads."""
    engines = {package: _version(package) for package in ("torch", "onnxruntime")}
    return {**engines, "threads": thread_count() or os.cpu_count()}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
