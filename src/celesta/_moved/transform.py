"""The former place of :mod:`celesta.variations`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.variations import *  # noqa: F403

warn_moved(__name__, "celesta.variations")
