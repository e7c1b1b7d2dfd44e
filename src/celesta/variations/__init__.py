"""New audio out of songs.

Operations on original samples (:func:`extend`, :func:`find_loops`, ...) cut and cross-fade what is there, chosen by an
analysis of beats, timbre, harmony and level. Changes of latents are pure functions in memory, and the same window by
window for files of any length; :data:`VARIATIONS` lists them; the command line, its help, recipes and the docs read it.
"""

from celesta.variations.analysis import SongAnalysis, analyse
from celesta.variations.basic import detail, gain, noise, smooth
from celesta.variations.bridge import Bridge, bridge, bridge_file
from celesta.variations.extend import extend, extend_file, plan_extension
from celesta.variations.extension import Extension
from celesta.variations.files import OpenedSong, open_song, transform_file, write_latent
from celesta.variations.gaps import Fill, Gap
from celesta.variations.grains import Grain
from celesta.variations.loop import Loop, find_loops, loop_audio, loop_file
from celesta.variations.material import Material
from celesta.variations.morphing import morph, style
from celesta.variations.mosaic import Mosaic, mosaic, mosaic_file
from celesta.variations.recipes import Recipe, parse_recipe, read_recipe
from celesta.variations.registry import VARIATIONS, Parameter, Step, Variation, apply, apply_stream
from celesta.variations.repair import find_dropouts, repair, repair_file
from celesta.variations.sliders import SLIDERS, Slider, attack, brightness, loudness, low_end, noisiness, sliders, width
from celesta.variations.stream import WindowStream
from celesta.variations.structure import Section, find_sections, self_similarity
from celesta.variations.time import concat, crop, loop, repeat, reverse, stretch, transpose

__all__ = [
    "SLIDERS",
    "VARIATIONS",
    "Bridge",
    "Extension",
    "Fill",
    "Gap",
    "Grain",
    "Loop",
    "Material",
    "Mosaic",
    "OpenedSong",
    "Parameter",
    "Recipe",
    "Section",
    "Slider",
    "SongAnalysis",
    "Step",
    "Variation",
    "WindowStream",
    "analyse",
    "apply",
    "apply_stream",
    "attack",
    "bridge",
    "bridge_file",
    "brightness",
    "concat",
    "crop",
    "detail",
    "extend",
    "extend_file",
    "find_dropouts",
    "find_loops",
    "find_sections",
    "gain",
    "loop",
    "loop_audio",
    "loop_file",
    "loudness",
    "low_end",
    "morph",
    "mosaic",
    "mosaic_file",
    "noise",
    "noisiness",
    "open_song",
    "parse_recipe",
    "plan_extension",
    "read_recipe",
    "repair",
    "repair_file",
    "repeat",
    "reverse",
    "self_similarity",
    "sliders",
    "smooth",
    "stretch",
    "style",
    "transform_file",
    "transpose",
    "width",
    "write_latent",
]
