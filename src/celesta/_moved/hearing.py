"""The former place of :mod:`celesta.predict.song`, kept so that old imports work, with a warning."""

from celesta.errors import warn_moved
from celesta.predict.song import *  # noqa: F403
from celesta.predict.song import SongPrediction as Heard
from celesta.predict.song import SongPredictor as Listener

__all__ = ["Heard", "Listener"]

warn_moved(__name__, "celesta.predict.song")
