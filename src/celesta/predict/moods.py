"""Names of moods: the quadrants of Russell's plane of valence and arousal in one word each."""

from __future__ import annotations

MOODS = {"Q1": "happy", "Q2": "angry", "Q3": "sad", "Q4": "calm"}
"""Quadrant, as 4QAED and the mood predictor name it, to a word."""


def class_name(name: str) -> str:
    """Return the name of a class as people read it.

    Example:
        >>> class_name("Q4"), class_name("blues")
        ('calm', 'blues')
    """
    return MOODS.get(name, name)
