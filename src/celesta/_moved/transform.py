"""The former place of :mod:`celesta.variations`, kept so that old imports work."""

from celesta.variations import *  # noqa: F403
