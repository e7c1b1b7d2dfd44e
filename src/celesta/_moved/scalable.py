"""The former place of :mod:`celesta.codec.bitrate`, kept so that old imports work, with a warning."""

from celesta.codec.bitrate import *  # noqa: F403
from celesta.errors import warn_moved

warn_moved(__name__, "celesta.codec.bitrate")
