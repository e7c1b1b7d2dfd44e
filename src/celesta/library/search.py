"""Search a library by words, and by what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from celesta._names import suggestion
from celesta.errors import UsageError
from celesta.library.reasons import CLEAR, PITCHES
from celesta.library.store import Store
from celesta.predict import Predictor

Range = tuple[float | None, float | None]
"""Lowest and highest value, both included; None: any."""
RANGES = ("tempo", "loudness", "duration", "year", "valence", "arousal")
"""What can be searched by a range."""
_SYNONYMS = (
    ("vocals", "vocal", "voice", "singing"),
    ("no vocals", "no vocal", "no voice", "instrumental"),
    ("female vocals", "female vocal", "female vocalist", "female vocalists", "female voice", "female", "woman"),
    ("male vocals", "male vocal", "male vocalists", "male voice", "male", "man"),
    ("beat", "beats"),
    ("classical", "classic"),
    ("hip-hop", "hip hop", "hiphop", "rap"),
    ("electronic", "electronica"),
    ("chill", "chillout"),
    ("rnb", "r&b"),
    ("choir", "choral"),
)
"""Labels of the predictors that mean the same; a search for one finds them all."""
_IMPLIED = {"vocals": ("female vocals", "male vocals")}
_KEY = re.compile(r"([A-Ga-g])([#b]?)\s*(m|min|minor|maj|major)?")
_WORD_FITS = 0.1  # probability from which a word of the taggers fits; theirs are low: .2 is clearly a piano
_TEXT_SCORE = 1.0  # of a term that is in the tags or the path


@dataclass(frozen=True)
class Query:
    """What to search for; all of it must hold.

    Attributes:
        text: words and ``"phrases"`` for tags, paths, genres, moods and the taggers' words; ``-word`` excludes.
        ranges: name of :data:`RANGES` to its range.
        key: pitch class 0 (C) to 11 (B), and 1 for major, 0 for minor.
        mood: ``happy``, ``angry``, ``sad`` or ``calm``: the most probable one.
        genre: the most probable genre.
    """

    text: str = ""
    ranges: Mapping[str, Range] | None = None
    key: tuple[int, int] | None = None
    mood: str = ""
    genre: str = ""


@dataclass(frozen=True)
class Term:
    """A word or phrase of a query."""

    text: str
    excluded: bool


def search(store: Store, query: Query) -> list[tuple[int, float]]:
    """Return ids of the songs that fit with their scores, best first; missing songs are left out.

    The score of a song is the mean over the words of the query: 1 where the word is in its tags or path, else the
    probability of the label. Without words all scores are 1 and the order is that of the paths.
    """
    labels = _labels(store) if query.text else []
    terms = parse_text(query.text, [*(label.lower() for label in labels), *(n for group in _SYNONYMS for n in group)])
    found = {recording: 0.0 for (recording,) in store.rows(*_filtered(query))}
    wanted = [term for term in terms if not term.excluded]
    for term in terms:
        scores = _matches(store, term.text, labels)
        if term.excluded:
            found = {one: score for one, score in found.items() if one not in scores}
        else:
            found = {one: score + scores[one] / len(wanted) for one, score in found.items() if one in scores}
    if not wanted:
        return [(one, 1.0) for one in found]
    return sorted(found.items(), key=lambda pair: -pair[1])


def parse_text(text: str, labels: Sequence[str] = ()) -> list[Term]:
    """Split a query into terms; two neighbouring words that are a label together are one term.

    Example:
        >>> [(term.text, term.excluded) for term in parse_text('slow "female vocals" -drums')]
        [('slow', False), ('female vocals', False), ('drums', True)]
    """
    terms: list[Term] = []
    quoted_before = True
    for minus, quoted, word in re.findall(r'(-?)(?:"([^"]*)"|([^\s"]+))', text):
        new = Term((quoted or word).strip().lower(), bool(minus))
        if not new.text or (not quoted and not any(c.isalnum() for c in new.text)):
            continue
        together = f"{terms[-1].text} {new.text}" if terms else ""
        if not quoted_before and not quoted and not minus and together in labels:
            terms[-1] = Term(together, terms[-1].excluded)
        else:
            terms.append(new)
        quoted_before = bool(quoted)
    return terms


def parse_range(text: str, name: str) -> Range:
    """Read ``118..124``, ``118..``, ``..124`` or a single number; durations may be ``m:ss``.

    A single tempo includes 2 % above and below.

    Raises:
        UsageError: it is none of these.

    Example:
        >>> parse_range("118..124", "tempo"), parse_range("2:30..", "duration")
        ((118.0, 124.0), (150.0, None))
    """
    low, dots, high = text.partition("..")
    ends = [_number(part, text, name) for part in ((low, high) if dots else (low, low))]
    if not dots and ends[0] is None:
        raise _not_a_range(text, name)
    if not dots and name == "tempo" and ends[0] is not None:
        ends = [ends[0] * 0.98, ends[0] * 1.02]
    if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        raise UsageError(f"--{name} {text}: the first number must be the smaller one")
    return ends[0], ends[1]


def parse_key(text: str) -> tuple[int, int]:
    """Read a key such as ``Am``, ``C#``, ``Eb minor``: pitch class, and 1 for major, 0 for minor.

    Raises:
        UsageError: it is not a key.

    Example:
        >>> parse_key("Am"), parse_key("Db major")
        ((9, 0), (1, 1))
    """
    found = _KEY.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--key {text}: not a key; write for example Am, C, F#m, Eb")
    note, accidental, mode = found.groups()
    pitch = PITCHES.index(note.upper()) + {"#": 1, "b": -1, "": 0}[accidental]
    return pitch % 12, int(not (mode or "").startswith("m") or mode.startswith("maj"))


def _number(text: str, whole: str, name: str) -> float | None:
    if not text.strip():
        return None
    try:
        minutes, colon, seconds = text.strip().rpartition(":") if name == "duration" else ("", "", text)
        value = float(seconds) + (60 * float(minutes) if colon else 0.0)
    except ValueError:
        raise _not_a_range(whole, name) from None
    if not -1e9 < value < 1e9:
        raise _not_a_range(whole, name)
    return value


def _not_a_range(text: str, name: str) -> UsageError:
    example = "2:30..5:00" if name == "duration" else {"tempo": "118..124", "year": "1970..1979"}.get(name, "-20..-10")
    return UsageError(f"--{name} {text}: not a range; write for example {example}")


def _filtered(query: Query) -> tuple[str, tuple[object, ...]]:
    """SQL for the songs that fit all but the words, in the order of their paths."""
    parts, values = ["f.missing_since IS NULL"], list[object]()
    inside = "r.id IN (SELECT recording FROM descriptors WHERE name = ?"
    for name, (low, high) in (query.ranges or {}).items():
        if name not in RANGES:
            raise UsageError(f"search: there is no range of {name!r}; there are {', '.join(RANGES)}")
        ends = (-1e300 if low is None else low, 1e300 if high is None else high)
        if name == "duration":
            parts.append("r.duration BETWEEN ? AND ?")
            values += ends
        else:
            parts.append(f"{inside} AND value BETWEEN ? AND ?)")
            values += (name, *ends)
    if query.key is not None:
        for name, value in zip(("key", "mode"), query.key, strict=True):
            parts.append(f"{inside} AND value = ?)")
            values += (name, value)
    for predictor, label in (("mood", query.mood), ("genre", query.genre)):
        if label:
            parts.append(
                "r.id IN (SELECT p.recording FROM predictions p WHERE p.predictor = ? AND p.label = ? AND p.probability"
                " >= (SELECT max(q.probability) FROM predictions q WHERE q.recording = p.recording"
                " AND q.predictor = p.predictor))"
            )
            values += (predictor, label)
    where = " AND ".join(parts)
    sql = f"SELECT r.id FROM recordings r JOIN files f ON f.recording = r.id WHERE {where} GROUP BY r.id"
    return f"{sql} ORDER BY min(f.path)", tuple(values)


def _labels(store: Store) -> list[str]:
    """All labels, by jumps through the index: there are few, of very many predictions."""
    sql = (
        "WITH RECURSIVE l (label) AS (SELECT min(label) FROM predictions UNION ALL"
        " SELECT (SELECT min(label) FROM predictions p WHERE p.label > l.label) FROM l WHERE l.label IS NOT NULL)"
        " SELECT label FROM l WHERE label IS NOT NULL"
    )
    return [label for (label,) in store.rows(sql)]


def _matches(store: Store, text: str, labels: Sequence[str]) -> dict[int, float]:
    """Songs that a term fits, with the score of each."""
    wanted = {text}
    for group in _SYNONYMS:
        if text in group:
            wanted |= {*group, *(name for implied in _IMPLIED.get(group[0], ()) for name in _group(implied))}
    chosen = [label for label in labels if label.lower() in wanted]
    marks = ", ".join("?" for _ in chosen)
    sql = (
        f"SELECT recording, max(probability) FROM predictions WHERE label IN ({marks})"
        " AND probability >= CASE predictor WHEN 'words' THEN ? ELSE ? END GROUP BY recording"
    )
    found = {one: float(p) for one, p in store.rows(sql, (*chosen, _WORD_FITS, CLEAR))}
    phrase = '"' + text.replace('"', "").replace("\0", "") + '"'
    for (one,) in store.rows("SELECT rowid FROM song_text WHERE song_text MATCH ?", (phrase,)):
        found[one] = _TEXT_SCORE
    return found


def _group(name: str) -> tuple[str, ...]:
    return next(group for group in _SYNONYMS if group[0] == name)


def check_label(store: Store, predictor: str, label: str) -> str:
    """Return a label that is searched for as the predictor writes it, "" for none; ``Hip-Hop`` is ``hiphop``.

    Raises:
        UsageError: neither the library nor the predictor that ships has such a label.
    """
    if not label:
        return ""
    sql = "SELECT DISTINCT label FROM predictions WHERE predictor = ?"
    known = {str(row[0]) for row in store.rows(sql, (predictor,))} | set(Predictor.load(predictor).classes)
    spelt = {_letters(one): one for one in known}
    if _letters(label) not in spelt:
        raise UsageError(f"unknown {predictor} {label!r}; {suggestion(label, sorted(known))}")
    return spelt[_letters(label)]


def _letters(label: str) -> str:
    return "".join(c for c in label.lower() if c.isalnum())
