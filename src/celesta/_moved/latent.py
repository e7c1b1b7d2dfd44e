"""The former place of :mod:`celesta.latents.latent`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.latents.latent import *  # noqa: F403

warn_moved(__name__, "celesta.latents")
