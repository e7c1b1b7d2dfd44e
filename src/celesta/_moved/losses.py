"""The former place of :mod:`celesta.training.losses`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.training.losses import *  # noqa: F403

warn_moved(__name__, "celesta.training.losses")
