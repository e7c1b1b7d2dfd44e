"""Tags of a coded file within a share of its bitrate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from celesta._files import printable
from celesta.errors import LatentWarning, warn

SHARE = 0.04
"""Of a file with a bitrate, for its tags."""
_SMALLEST, _LARGEST = 96, 16_384  # bytes
_FREE, _PER_SECOND = 4_096, 100  # bytes, of files without a bitrate
_FIRST = ("title", "artist", "album", "date", "tracknumber", "genre")
_MOST_NAMED = 8
_SHORTEST = 12  # characters of a value that is cut; less than that says nothing


def tag_budget(seconds: float, kbps: float | None) -> int:
    """Compute how many bytes of a coded file its tags may take.

    Args:
        seconds: duration of the song.
        kbps: bitrate asked for, kbit/s; None where the size follows from a quality.
    """
    if kbps is None:
        return int(min(_FREE, max(2 * _SMALLEST, _PER_SECOND * seconds)))
    return int(min(_LARGEST, max(_SMALLEST, SHARE * kbps * 1000 / 8 * seconds)))


def tag_bytes(tags: Mapping[str, str]) -> int:
    """Count the bytes that tags take in a header."""
    return len(json.dumps(json.dumps(dict(tags), ensure_ascii=False), ensure_ascii=False).encode(errors="replace")) - 4


def fit_tags(tags: Mapping[str, str], budget: int) -> tuple[dict[str, str], list[str], list[str]]:
    """Keep the most important tags within a number of bytes: title, artist and the like first, then short ones.

    Args:
        tags: names and texts.
        budget: bytes that they may take, see :func:`tag_bytes`.

    Returns:
        The tags that fit, the names of those that were shortened, the names of those that were left out.

    Example:
        >>> fit_tags({"title": "Etude", "lyrics": "la " * 500}, 60)
        ({'title': 'Etude'}, [], ['lyrics'])
    """
    order = {name: i for i, name in enumerate(_FIRST)}
    names = sorted(tags, key=lambda name: (order.get(name, len(order)), len(tags[name]), name))
    fitting: dict[str, str] = {}
    shortened: list[str] = []
    missing: list[str] = []
    for name in names:
        if tag_bytes({**fitting, name: tags[name]}) <= budget:
            fitting[name] = tags[name]
            continue
        text = _cut(fitting, name, tags[name], budget) if name in order else ""
        if text:
            fitting[name] = text
        (shortened if text else missing).append(name)
    return {name: fitting[name] for name in tags if name in fitting}, shortened, missing


def limited_tags(tags: Mapping[str, str], seconds: float, kbps: float | None, path: Path) -> dict[str, str]:
    """Fit tags into their share of a file; a :class:`~celesta.errors.LatentWarning` names what did not fit."""
    fitting, shortened, missing = fit_tags(tags, tag_budget(seconds, kbps))
    parts = [f"{what}: {_listed(names)}" for what, names in _named(shortened, missing) if names]
    if parts:
        share = f"{SHARE:.0%} of {kbps:g} kbit/s" if kbps else f"{tag_budget(seconds, kbps):,} bytes"
        text = f"{printable(path)}: its tags may take {share}; {'; '.join(parts)}"
        warn(LatentWarning(text))
    return fitting


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(printable, names[:_MOST_NAMED])) + more


def _named(shortened: list[str], missing: list[str]) -> tuple[tuple[str, list[str]], ...]:
    return (("shortened", shortened), ("left out", missing))


def _cut(fitting: Mapping[str, str], name: str, text: str, budget: int) -> str:
    """Return the longest beginning of a text that fits, with an ellipsis; "" where next to nothing does."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if tag_bytes({**fitting, name: text[:middle] + "…"}) <= budget:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if low >= _SHORTEST else ""
