"""One audio file of a data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Track:
    """One audio file of a data set.

    Attributes:
        path: the file.
        id: its name within the data set, the same on every machine.
        dataset: ``gtzan``, ``4qaed`` or ``folder``.
        group: what a split must keep whole (the artist), or the track's own id where nothing is known.
        label: genre, quadrant or folder name; "" where there is none.
        split: ``train``, ``valid``, ``test``, or ``faulty`` (left out by the data set's lists).
        extra: further columns as text (title, moods, ...).

    Example:
        >>> Track(Path("music/a.ogg"), "a.ogg", "folder", group="Anna", label="jazz").split
        'train'
    """

    path: Path
    id: str
    dataset: str
    group: str
    label: str = ""
    split: str = "train"
    extra: dict[str, str] = field(default_factory=dict)


def by_split(tracks: Sequence[Track], split: str) -> list[Track]:
    """Return the tracks of one split, in their order.

    Args:
        tracks: of one or several data sets.
        split: ``train``, ``valid``, ``test`` or ``faulty``.

    Example:
        >>> tracks = [Track(Path(f"{name}.ogg"), name, "folder", name, split=name) for name in ("train", "test")]
        >>> [track.id for track in by_split(tracks, "test")]
        ['test']
    """
    return [t for t in tracks if t.split == split]


def normalise_name(name: str) -> str:
    """Return a name without case, articles and punctuation, to compare artists across data sets.

    Args:
        name: of an artist.

    Example:
        >>> normalise_name("The Foo & Bars")
        'foobars'
    """
    words = re.findall(r"[a-z0-9]+", name.lower())
    return "".join(word for word in words if word not in ("the", "and"))
