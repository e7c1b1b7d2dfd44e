"""The former place of :mod:`celesta.training.losses`, kept so that old imports work."""

from celesta.training.losses import *  # noqa: F403
