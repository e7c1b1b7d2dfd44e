"""The former place of :mod:`celesta.evaluation.reconstruction`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.evaluation.reconstruction import *  # noqa: F403

warn_moved(__name__, "celesta.evaluation.reconstruction")
