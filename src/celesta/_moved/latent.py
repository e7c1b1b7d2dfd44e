"""The former place of :mod:`celesta.latents.latent`, kept so that old imports work."""

from celesta.latents.latent import *  # noqa: F403
