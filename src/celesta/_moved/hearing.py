"""The former place of :mod:`celesta.predict.song`, kept so that old imports work."""

from celesta.predict.song import *  # noqa: F403
