"""The former place of :mod:`celesta.probes.clustering`, kept so that old imports work."""

from celesta.probes.clustering import *  # noqa: F403
