"""Saved predictors of songs: genre, mood, tags."""
