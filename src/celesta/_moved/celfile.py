"""The former place of :mod:`celesta.latents`' reader and writer, kept so that old imports work."""

from celesta.latents.folder import *  # noqa: F403
from celesta.latents.reader import *  # noqa: F403
from celesta.latents.writer import *  # noqa: F403
