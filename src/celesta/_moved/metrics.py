"""The former place of :mod:`celesta.dsp.metrics`, kept so that old imports work."""

from celesta.dsp.metrics import *  # noqa: F403
