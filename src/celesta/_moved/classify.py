"""The former place of :mod:`celesta.predict.predictor`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.predict.predictor import *  # noqa: F403
from celesta.predict.training import *  # noqa: F403

warn_moved(__name__, "celesta.predict")
