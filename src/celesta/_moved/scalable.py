"""The former place of :mod:`celesta.codec.bitrate`, kept so that old imports work."""

from celesta.codec.bitrate import *  # noqa: F403
