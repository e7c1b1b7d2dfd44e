"""The former place of :mod:`celesta.latents`' reader and writer, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.latents.folder import *  # noqa: F403
from celesta.latents.reader import *  # noqa: F403
from celesta.latents.writer import *  # noqa: F403

warn_moved(__name__, "celesta.latents")
