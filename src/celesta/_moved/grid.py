"""The former place of :mod:`celesta.codec.windowing`, kept so that old imports work, with a warning."""

from celesta.codec.windowing import *  # noqa: F403
from celesta.errors import warn_moved

warn_moved(__name__, "celesta.codec.windowing")
