"""Suggest names that are near one that does not exist."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from celesta._files import printable

_LISTED = 16
"""Names at most that a message lists."""
_LOOKED_AT = 2_000
"""Entries of a folder at most among which a near name is looked for, so that a message never takes long."""


def near(name: str, names: Iterable[str], *, n: int = 2, cutoff: float = 0.6) -> list[str]:
    """Return the names that are most like another, the nearest first; the case of letters does not matter.

    Args:
        name: that does not exist.
        names: that do.
        n: how many at most.
        cutoff: least similarity, from 0 to 1, as :func:`difflib.get_close_matches` has it.

    >>> near("Clam", ["happy", "angry", "sad", "calm"])
    ['calm']
    """
    spelt = {one.lower(): one for one in names}
    return [spelt[one] for one in difflib.get_close_matches(name.lower(), spelt, n=n, cutoff=cutoff)]


def suggestion(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Name near misses, else what there is: the end of a message about a name that does not exist.

    >>> suggestion("timber", ["style", "timbre"])
    'did you mean timbre?'
    >>> suggestion("colour", ["style", "timbre"])
    'choose one of style, timbre'
    """
    names = list(names)
    found = near(name, names, cutoff=cutoff)
    if found:
        return f"did you mean {' or '.join(found)}?"
    return f"choose one of {', '.join([*names[:_LISTED], *(['...'] if len(names) > _LISTED else [])])}"


def check_the_path(path: str | os.PathLike[str]) -> str:
    """Return the remedy for a path that does not exist: a near name in its folder, else to check it.

    >>> check_the_path("nowhere/song.mp3")
    'check the path'
    """
    path = Path(path)
    try:
        with os.scandir(path.parent) as listing:
            seen = [one for one in itertools.islice(listing, _LOOKED_AT) if not one.name.startswith(".")]
            names = [one.name for one in seen if not path.suffix or one.is_file()]
    except (OSError, ValueError):
        return "check the path"
    same = sorted(name for name in names if Path(name).stem.lower() == path.stem.lower())
    found = same or near(path.name, names, n=1, cutoff=0.75)
    return f"did you mean {printable(path.with_name(found[0]))}?" if found else "check the path"
