"""Celesta: music into latent vectors and back, and those vectors put to work.

    import celesta

    codec = celesta.load("cel-silu")
    z = codec.encode("song.mp3")
    celesta.write("back.flac", codec.decode(z))

Names are imported when first used, so that ``import celesta`` is quick and does not need torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from celesta._version import __version__
from celesta.errors import CelestaError

if TYPE_CHECKING:
    from celesta.audio import Audio, probe, read, stream, write
    from celesta.codec import Codec, load
    from celesta.latent import Latent
    from celesta.report.compare import compare
    from celesta.transform import gain, morph, noise, smooth

_WHERE = {
    "Audio": "celesta.audio",
    "probe": "celesta.audio",
    "read": "celesta.audio",
    "stream": "celesta.audio",
    "write": "celesta.audio",
    "Codec": "celesta.codec",
    "load": "celesta.codec",
    "Latent": "celesta.latent",
    "gain": "celesta.transform",
    "noise": "celesta.transform",
    "smooth": "celesta.transform",
    "morph": "celesta.transform",
    "compare": "celesta.report.compare",
}

_MODULES = ("classify", "cluster", "features", "scalable", "study")

__all__ = [
    "Audio",
    "CelestaError",
    "Codec",
    "Latent",
    "__version__",
    "compare",
    "gain",
    "load",
    "morph",
    "noise",
    "probe",
    "read",
    "smooth",
    "stream",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"celesta.{name}")
    raise AttributeError(f"module 'celesta' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_WHERE, *_MODULES]
