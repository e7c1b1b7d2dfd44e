"""The former place of :mod:`celesta.codec.windowing`, kept so that old imports work."""

from celesta.codec.windowing import *  # noqa: F403
