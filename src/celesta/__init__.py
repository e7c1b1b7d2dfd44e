"""Celesta: music into latent vectors and back, and those vectors put to work.

    import celesta

    codec = celesta.load("cel-silu")
    z = codec.encode("song.mp3")
    celesta.write("back.flac", codec.decode(z))

Names are imported when first used, so that ``import celesta`` is quick and does not need torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from celesta import _extras
from celesta._version import __version__
from celesta.errors import CelestaError

# Former module names (celesta.latent, celesta.metrics, ...) are found in a folder of their own.
__path__ = [*__path__, str(Path(__file__).with_name("_moved"))]

if TYPE_CHECKING:
    from celesta.audio import Audio, AudioSource, info, probe, read, stream, write
    from celesta.codec import Codec, WrittenFile, load, truncate
    from celesta.latents import Latent
    from celesta.library.library import Library
    from celesta.predict.song import SongPrediction, SongPredictor
    from celesta.report.compare import compare
    from celesta.variations.basic import gain, noise, smooth
    from celesta.variations.morphing import morph
    from celesta.variations.sliders import sliders

_WHERE = {
    "Audio": "celesta.audio",
    "AudioSource": "celesta.audio",
    "info": "celesta.audio",
    "probe": "celesta.audio",
    "read": "celesta.audio",
    "stream": "celesta.audio",
    "write": "celesta.audio",
    "Codec": "celesta.codec",
    "load": "celesta.codec",
    "WrittenFile": "celesta.codec",
    "truncate": "celesta.codec",
    "Latent": "celesta.latents",
    "Library": "celesta.library.library",
    "gain": "celesta.variations.basic",
    "noise": "celesta.variations.basic",
    "smooth": "celesta.variations.basic",
    "morph": "celesta.variations.morphing",
    "sliders": "celesta.variations.sliders",
    "compare": "celesta.report.compare",
    "SongPrediction": "celesta.predict.song",
    "SongPredictor": "celesta.predict.song",
}

_MODULES = ("codec", "features", "latents", "library", "study", "variations")
_MOVED = ("classify", "cluster", "scalable")

__all__ = [
    "Audio",
    "AudioSource",
    "CelestaError",
    "Codec",
    "Latent",
    "Library",
    "SongPrediction",
    "SongPredictor",
    "WrittenFile",
    "__version__",
    "compare",
    "gain",
    "info",
    "load",
    "morph",
    "noise",
    "probe",
    "read",
    "sliders",
    "smooth",
    "stream",
    "truncate",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(_extras.import_module(_WHERE[name]), name)
    if name in _MODULES or name in _MOVED:
        return _extras.import_module(f"celesta.{name}")
    raise AttributeError(f"module 'celesta' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_WHERE, *_MODULES]
