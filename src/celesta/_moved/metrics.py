"""The former place of :mod:`celesta.dsp.metrics`, kept so that old imports work, with a warning."""

from celesta.dsp.metrics import *  # noqa: F403
from celesta.errors import warn_moved

warn_moved(__name__, "celesta.dsp.metrics")
