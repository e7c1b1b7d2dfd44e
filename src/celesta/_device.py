"""Which arithmetic a run trains in."""

from __future__ import annotations

import torch


def use_bfloat16(precision: str) -> bool:
    """Whether to autocast: asked for, or ``auto`` on a processor with bfloat16 products."""
    if precision == "auto":
        return bool(torch.cpu.get_capabilities().get("avx512_bf16") or torch.cpu.get_capabilities().get("amx_bf16"))
    return precision == "bfloat16"
