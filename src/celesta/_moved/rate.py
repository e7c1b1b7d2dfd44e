"""The former place of :mod:`celesta.evaluation.rate_distortion`, kept so that old imports work."""

from celesta.evaluation.rate_distortion import *  # noqa: F403
