"""Names of moods: the quadrants of Russell's plane of valence and arousal in one word each."""

from __future__ import annotations

from collections.abc import Iterable

MOODS = {"Q1": "happy", "Q2": "angry", "Q3": "sad", "Q4": "calm"}
"""Quadrant, as 4QAED names it, to the word that users get."""
QUADRANTS = {word: quadrant for quadrant, word in MOODS.items()}
"""The other way."""


def quadrant(name: str) -> str:
    """Return the quadrant of a mood's word; other names as they are.

    Example:
        >>> quadrant("calm"), quadrant("Q4"), quadrant("blues")
        ('Q4', 'Q4', 'blues')
    """
    return QUADRANTS.get(name, name)


def are_moods(classes: Iterable[str]) -> bool:
    """Whether classes are the four moods, as words or as quadrants.

    Example:
        >>> are_moods(["happy", "angry", "sad", "calm"]), are_moods(["Q1", "Q2"])
        (True, False)
    """
    return {quadrant(name) for name in classes} == set(MOODS)


def mood_words(labels: Iterable[str]) -> list[str]:
    """Return labels or classes with words instead of quadrants, if they are the four quadrants and nothing else.

    Example:
        >>> mood_words(["Q1", "Q2", "Q3", "Q4", "Q4"]), mood_words(["Q1", "Q2"])
        (['happy', 'angry', 'sad', 'calm', 'calm'], ['Q1', 'Q2'])
    """
    names = [str(name) for name in labels]
    return [MOODS[name] for name in names] if set(names) == set(MOODS) else names
