"""The former place of :mod:`celesta.predict.predictor`, kept so that old imports work."""

from celesta.predict.predictor import *  # noqa: F403
from celesta.predict.training import *  # noqa: F403
