"""Changes of latents: pure functions in memory, and the same window by window for files of any length.

:data:`VARIATIONS` lists them; the command line, its help, recipes and the docs read it.
"""

from celesta.variations.basic import detail, gain, morph, noise, smooth
from celesta.variations.files import OpenedSong, open_song, transform_file
from celesta.variations.registry import VARIATIONS, Parameter, Step, Variation, apply, apply_stream
from celesta.variations.stream import WindowStream

__all__ = [
    "VARIATIONS",
    "OpenedSong",
    "Parameter",
    "Step",
    "Variation",
    "WindowStream",
    "apply",
    "apply_stream",
    "detail",
    "gain",
    "morph",
    "noise",
    "open_song",
    "smooth",
    "transform_file",
]
