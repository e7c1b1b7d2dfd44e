"""The former place of :mod:`celesta.variations.basic`, kept so that old imports work."""

from celesta.variations.basic import *  # noqa: F403
