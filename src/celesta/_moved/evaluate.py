"""The former place of :mod:`celesta.evaluation.reconstruction`, kept so that old imports work."""

from celesta.evaluation.reconstruction import *  # noqa: F403
