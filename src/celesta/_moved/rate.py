"""The former place of :mod:`celesta.evaluation.rate_distortion`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.evaluation.rate_distortion import *  # noqa: F403

warn_moved(__name__, "celesta.evaluation.rate_distortion")
