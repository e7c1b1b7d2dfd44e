"""Names of moods: the quadrants of Russell's plane of valence and arousal in one word each."""

from __future__ import annotations

MOODS = {"Q1": "happy", "Q2": "angry", "Q3": "sad", "Q4": "calm"}
"""Quadrant, as 4QAED and the mood predictor name it, to a word."""


QUADRANTS = {word: quadrant for quadrant, word in MOODS.items()}
"""The other way."""


def quadrant(name: str) -> str:
    """Return the quadrant of a mood's word; other names as they are.

    Example:
        >>> quadrant("calm"), quadrant("Q4"), quadrant("blues")
        ('Q4', 'Q4', 'blues')
    """
    return QUADRANTS.get(name, name)


def class_name(name: str) -> str:
    """Return the name of a class as people read it.

    Example:
        >>> class_name("Q4"), class_name("blues")
        ('calm', 'blues')
    """
    return MOODS.get(name, name)
