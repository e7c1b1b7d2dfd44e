"""The former place of :mod:`celesta.evaluation.latent_coder`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.evaluation.latent_coder import *  # noqa: F403

warn_moved(__name__, "celesta.evaluation.latent_coder")
