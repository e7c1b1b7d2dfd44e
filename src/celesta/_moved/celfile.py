"""The former place of :mod:`celesta.latents.file`, kept so that old imports work."""

from celesta.latents.file import *  # noqa: F403
