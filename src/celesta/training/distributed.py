"""Training in several processes, started by ``torchrun``: every process computes its part of each batch.

Crops of a step are drawn as for one process and dealt out by rank, and gradients are averaged before they are clipped.
So N processes do the step that one process does with the same batch, where the loss is a mean over items that draws no
random numbers of its own and the model has no batch normalisation. In a single process all functions do nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from celesta import _device
from celesta.errors import UsageError


def world() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process writes files and reports progress."""
    return world() == 1 or dist.get_rank() == 0


@contextmanager
def joined(device: str, batch: int) -> Iterator[None]:
    """Join the processes that ``torchrun`` started, inside the block; a single process joins nothing.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        batch: items of a step, of all processes together.

    Raises:
        UsageError: the batch cannot be dealt out evenly.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or dist.is_initialized():
        yield
        return
    if batch % count:
        raise UsageError(f"--batch {batch} cannot be dealt out to {count} processes; make it a multiple of {count}")
    own = device_of(device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def device_of(device: str) -> torch.device:
    """Return the device of this process: of several GPUs the one of its local rank."""
    found = _device.resolve(device)
    local = os.environ.get("LOCAL_RANK")
    return torch.device("cuda", int(local)) if found.type == "cuda" and found.index is None and local else found


def wait() -> None:
    """Wait until all processes are here."""
    if world() > 1:
        dist.barrier()


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process do the block before the others, so that they find the files that it writes."""
    if not is_first():
        wait()
    yield
    if is_first():
        wait()


def share(batch: Tensor) -> Tensor:
    """Return this process's items of a batch ``(B, ...)``: every N-th one."""
    return batch[dist.get_rank() :: world()] if world() > 1 else batch


def average_gradients(model: nn.Module) -> None:
    """Replace every gradient by its mean over the processes."""
    if world() == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    joined_up = torch.cat([g.reshape(-1) for g in gradients])  # one message instead of hundreds
    dist.all_reduce(joined_up)
    joined_up /= world()
    for gradient, part in zip(gradients, torch.split(joined_up, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def mean(value: float, device: torch.device) -> float:
    """Return the mean of a number over the processes."""
    if world() == 1:
        return value
    total = torch.tensor(value, dtype=torch.float32, device=device)
    dist.all_reduce(total)
    return float(total) / world()


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process."""
    return mean(float(flag), device) > 0
