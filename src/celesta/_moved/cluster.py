"""The former place of :mod:`celesta.probes.clustering`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.probes.clustering import *  # noqa: F403

warn_moved(__name__, "celesta.probes.clustering")
