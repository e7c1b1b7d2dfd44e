"""Say in words why two songs are similar, from what was measured of both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
CLEAR, WORD_CLEAR = 0.5, 0.2
"""Probability from which a song is called by a label of a predictor, and by a word of a tagger."""


@dataclass(frozen=True)
class Facts:
    """What is known of a song in words and numbers.

    Attributes:
        values: descriptor to value: ``tempo`` (beats a minute), ``key`` (0 C to 11 B), ``mode`` (1 major, 0 minor),
            ``loudness`` (LUFS), ``brightness`` (spectral centroid, Hz).
        labels: predictor to label to probability.
    """

    values: Mapping[str, float]
    labels: Mapping[str, Mapping[str, float]]


def reasons(a: Facts, b: Facts, most: int = 4, by: Collection[str] | None = None) -> list[str]:
    """Return up to ``most`` reasons why two songs are alike, the strongest first; [] where nothing known agrees.

    Args:
        a: one song.
        b: the other.
        most: how many reasons.
        by: blocks that reasons may come from (see :data:`celesta.library.block_table.BLOCKS`); None for all.

    Example:
        >>> one = Facts({"tempo": 121.0, "mode": 0.0}, {"mood": {"calm": 0.8}, "words": {"guitar": 0.4}})
        >>> two = Facts({"tempo": 122.0, "mode": 0.0}, {"mood": {"calm": 0.7}, "words": {"guitar": 0.3}})
        >>> reasons(one, two)
        ['tempo 121/122', 'both calm', 'both have guitar', 'both minor']
        >>> reasons(one, two, by=["harmony"])
        ['both minor']
    """
    found = [
        given
        for rule, blocks in _RULES.items()
        if by is None or not blocks.isdisjoint(by)
        for given in [rule(a, b)]
        if given is not None
    ]
    if by is None or "style" in by:
        found += _shared_words(a, b)
    texts = [text for _, text in sorted(found, key=lambda pair: -pair[0])]
    return list(dict.fromkeys(texts))[:most]  # a genre may be a word, too


Reason = tuple[float, str]
"""Strength, from 0 to about 1, and words."""


def _tempo(a: Facts, b: Facts) -> Reason | None:
    one, two = a.values.get("tempo", 0.0), b.values.get("tempo", 0.0)
    if one <= 0 or two <= 0:
        return None
    for factor, words in ((1.0, ""), (2.0, " (double)"), (0.5, " (half)")):
        apart = abs(one * factor / two - 1)
        if apart < 0.04:
            return 1.0 - 10 * apart - (0.3 if words else 0.0), f"tempo {one:.0f}/{two:.0f}{words}"
    return None


def _key(a: Facts, b: Facts) -> Reason | None:
    if "mode" not in a.values or a.values["mode"] != b.values.get("mode"):
        return None
    minor = a.values["mode"] == 0
    if "key" in a.values and a.values["key"] == b.values.get("key"):
        return 0.7, f"both in {PITCHES[int(a.values['key']) % 12]} {'minor' if minor else 'major'}"
    return 0.4, f"both {'minor' if minor else 'major'}"


def _mood(a: Facts, b: Facts) -> Reason | None:
    return _same_label(a, b, "mood", 0.85)


def _genre(a: Facts, b: Facts) -> Reason | None:
    return _same_label(a, b, "genre", 0.8)


def _same_label(a: Facts, b: Facts, predictor: str, strength: float) -> Reason | None:
    one, two = a.labels.get(predictor, {}), b.labels.get(predictor, {})
    if not one or not two:
        return None
    label = max(one, key=lambda name: one[name])
    if label != max(two, key=lambda name: two[name]) or min(one[label], two[label]) < CLEAR:
        return None
    return strength * min(one[label], two[label]) + 0.1, f"both {label}"


def _brightness(a: Facts, b: Facts) -> Reason | None:
    one, two = a.values.get("brightness", 0.0), b.values.get("brightness", 0.0)
    if one <= 0 or two <= 0:
        return None
    if max(one, two) < 1_200:
        return 0.5, "little brightness in both"
    if min(one, two) > 3_000:
        return 0.5, "both bright"
    return (0.2, f"brightness {one:.0f}/{two:.0f} Hz") if max(one, two) < 1.15 * min(one, two) else None


def _loudness(a: Facts, b: Facts) -> Reason | None:
    one, two = a.values.get("loudness"), b.values.get("loudness")
    if one is None or two is None:
        return None
    if max(one, two) < -23:
        return 0.45, "both quiet"
    if min(one, two) > -10:
        return 0.35, "both loud"
    return (0.15, f"loudness {one:.0f}/{two:.0f} LUFS") if abs(one - two) < 1.5 else None


def _shared_words(a: Facts, b: Facts) -> list[Reason]:
    """The two clearest words of the taggers, whose probabilities are seldom near 1."""
    one, two = a.labels.get("words", {}), b.labels.get("words", {})
    shared: Sequence[tuple[float, str]] = [(min(p, two[word]), word) for word, p in one.items() if word in two]
    said = [(0.5 + 0.5 * p, words_for(word)) for p, word in sorted(shared, reverse=True) if p >= WORD_CLEAR]
    return [(strength, text) for text, strength in {text: strength for strength, text in reversed(said)}.items()][-2:]


def words_for(label: str) -> str:
    """Return a reason in words for a label that two songs share.

    Example:
        >>> words_for("guitar"), words_for("female vocalists"), words_for("slow"), words_for("80s")
        ('both have guitar', 'both have a female voice', 'both slow', 'both like the 80s')
    """
    for phrase, labels in _PHRASES.items():
        if label in labels:
            return phrase
    if label in _INSTRUMENTS:
        return f"both have {label}"
    return f"both like the {label}" if label[:-1].isdigit() else f"both {label}"


_INSTRUMENTS = ("guitar", "strings", "drums", "piano", "violin", "harpsichord", "flute", "sitar", "harp", "cello")
_PHRASES = {
    "both have a female voice": (
        "female", "female voice", "female vocal", "female vocals", "female vocalist", "female vocalists", "woman",
    ),
    "both have a male voice": ("male", "male voice", "male vocal", "male vocals", "male vocalists", "man"),
    "both have vocals": ("vocal", "vocals", "voice", "singing"),
    "both without vocals": ("no vocal", "no vocals", "no voice", "instrumental"),
    "both have a choir": ("choir", "choral"),
    "both have a beat": ("beat", "beats"),
    "both have synthesizers": ("synth",),
    "both classical": ("classic", "classical"),
}  # fmt: skip

_RULES: dict[Callable[[Facts, Facts], Reason | None], frozenset[str]] = {
    _tempo: frozenset({"tempo", "rhythm"}),
    _key: frozenset({"harmony"}),
    _mood: frozenset({"mood"}),
    _genre: frozenset({"style"}),
    _brightness: frozenset({"timbre"}),
    _loudness: frozenset({"loudness"}),
}
"""Rule to the blocks that it speaks of."""
