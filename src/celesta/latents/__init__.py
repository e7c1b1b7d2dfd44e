"""The latent of a song and the .cel file that holds it."""

from celesta.latents.coded import CodedWriter, WrittenFile
from celesta.latents.coded_song import Progress
from celesta.latents.folder import find_cel, is_cel
from celesta.latents.latent import Latent
from celesta.latents.meta import CODED, CelMeta
from celesta.latents.reader import CelReader, verify
from celesta.latents.saving import DEFAULT_QUALITY
from celesta.latents.source import SourceFile
from celesta.latents.truncation import truncate
from celesta.latents.window import LatentWindow
from celesta.latents.writer import CelWriter

__all__ = [
    "CODED",
    "DEFAULT_QUALITY",
    "CelMeta",
    "CelReader",
    "CelWriter",
    "CodedWriter",
    "Latent",
    "LatentWindow",
    "Progress",
    "SourceFile",
    "WrittenFile",
    "find_cel",
    "is_cel",
    "truncate",
    "verify",
]
