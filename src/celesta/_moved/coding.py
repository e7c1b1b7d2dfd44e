"""The former place of :mod:`celesta.evaluation.latent_coder`, kept so that old imports work."""

from celesta.evaluation.latent_coder import *  # noqa: F403
