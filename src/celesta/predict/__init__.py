"""Predict classes of songs with saved predictors, for whole songs and over time."""

from celesta.predict.predictor import Predictor, mood_plane
from celesta.predict.song import SongPrediction, SongPredictor, Status

__all__ = ["Predictor", "SongPrediction", "SongPredictor", "Status", "mood_plane"]
