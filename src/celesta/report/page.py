"""Build self-contained HTML pages from Jinja2 templates; a page fetches nothing from the network."""

from __future__ import annotations

import base64
import functools
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from celesta import _extras
from celesta._files import atomic, printable
from celesta._version import __version__
from celesta.errors import UsageError
from celesta.report.player import Track, player
from celesta.report.terms import explained, meaning

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUMBER = re.compile(r"(\d+:)?[-+−]?[\d,\u2009]*\.?\d+(e[-+]?\d+)?( ?%| \[.*\]| ±.*)?")
_NO_NUMBER = ("", "-", "–")
_JOINERS = "\u200c\u200d"  # of scripts and emoji; every other invisible character is shown as its code


@dataclass(frozen=True)
class Link:
    """A cell of a table, or an item of a list of files, that leads to another place.

    Attributes:
        text: what is shown.
        href: relative URL, as :func:`relative_url` gives it, or ``#anchor``.
        note: further text behind the link in a list of files.
    """

    text: str
    href: str
    note: str = ""


class Page:
    """A page built from top to bottom. Every text is escaped by the templates.

    Example:
        >>> import tempfile
        >>> page = Page("Loudness", "Two songs.")
        >>> page.table(["song", "LUFS"], [["a.wav", "-14.2"], ["b.wav", "-9.1"]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     "a.wav" in page.write(Path(folder) / "page.html").read_text()
        True
    """

    def __init__(self, title: str, lead: str) -> None:
        self.title = title
        self._lead = lead
        self._sections: list[tuple[str, str]] = []
        self._blocks: list[tuple[str, dict[str, Any]]] = []
        self._players = 0
        self._explained: set[str] = set()

    def add(self, template: str, **values: Any) -> None:
        """Add a template of ``report/templates``; it reads the values as ``block.NAME``."""
        self._blocks.append((template, values))

    def section(self, title: str) -> None:
        """Begin a section, listed in the navigation bar."""
        anchor = f"s{len(self._sections) + 1}"
        self._sections.append((anchor, title))
        self.add("section.html", anchor=anchor, title=title)

    def heading(self, text: str) -> None:
        """Add a heading below the section's."""
        self.add("heading.html", text=text)

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self.add("text.html", text=text, note=False)

    def note(self, text: str) -> None:
        """Add a paragraph that stands out."""
        self.add("text.html", text=text, note=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str | Link]], label: str = "") -> None:
        """Add a table that is sorted by a click on a column's head and scrolls inside the page.

        Columns without any content are left out. What the columns mean stands below the first table of a page that has
        them; see :mod:`celesta.report.terms`.

        Args:
            head: names of the columns.
            rows: cells as texts or links. A column of numbers alone is aligned to the right.
            label: name of the table for screen readers.
        """
        self.add("table.html", **self.table_values(head, rows, label))

    def table_values(
        self, head: Sequence[str], rows: Sequence[Sequence[str | Link]], label: str = ""
    ) -> dict[str, Any]:
        """Return the values of the template ``table.html``; arguments as for :meth:`table`."""
        columns = [
            {"name": name, "number": _is_number(rows, i), "meaning": meaning(name)} for i, name in enumerate(head)
        ]
        label = label or f"Table: {', '.join(head[:3])}"
        return {"columns": columns, "rows": rows, "label": label, "terms": explained(head, self._explained)}

    def figure(self, figure: Figure, alt: str) -> None:
        """Add a matplotlib figure as SVG."""
        from celesta.report.figures import POINTS_PER_INCH, svg

        uri = "data:image/svg+xml;base64," + base64.b64encode(svg(figure)).decode()
        width, height = (round(inches * POINTS_PER_INCH) for inches in figure.get_size_inches())
        self.add("figure.html", uri=uri, alt=alt, width=width, height=height)

    def chart(self, draw: Callable[[], Figure], alt: str) -> None:
        """Add a figure that is drawn by a function; where matplotlib is not installed, a note says so."""
        if _extras.installed("matplotlib"):
            self.figure(draw(), alt)
        else:
            self.note(f"{alt[:1].upper()}{alt[1:]}: {_extras.missing('matplotlib', 'this chart')}")

    def player(self, tracks: Sequence[Track], label: str = "", *, compact: bool = False) -> None:
        """Add a player that switches between versions of one clip while it plays.

        Args:
            tracks: the versions; waveforms and spectrograms are drawn from them.
            label: name of the player for screen readers.
            compact: store the audio at a lower bitrate, for pages with many clips.
        """
        self._players += 1
        label = label or f"Player {self._players}"
        self.add("player.html", number=self._players, label=label, **player(tracks, compact))

    def files(self, links: Sequence[Link]) -> None:
        """Add a list of links to files next to the page."""
        self.add("files.html", links=links)

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Add a row of figures: ``(value, what it is)``."""
        self.add("facts.html", facts=facts)

    def begin_details(self, summary: str, *, opened: bool = False) -> None:
        """Begin a part that the reader opens and closes."""
        self.add("details_begin.html", summary=summary, opened=opened)

    def end_details(self) -> None:
        """End that part."""
        self.add("details_end.html")

    def begin_card(self) -> None:
        """Begin a box."""
        self.add("card_begin.html")

    def end_card(self) -> None:
        """End the box."""
        self.add("card_end.html")

    def render(self, footer: str = "") -> str:
        """Return the page as HTML that can be encoded as UTF-8."""
        values = {
            "title": self.title,
            "lead": self._lead,
            "sections": self._sections,
            "blocks": self._blocks,
            "templates": {template for template, _ in self._blocks},
            "footer": footer,
            "version": __version__,
        }
        return environment().get_template("page.html").render(values)

    def write(self, path: str | Path, footer: str = "") -> Path:
        """Write the page as a whole or not at all; missing folders are made. Return its path.

        Raises:
            UsageError: the folder cannot be written.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = self.render(footer).encode("utf-8")
        with atomic(path, UsageError) as temporary:
            temporary.write_bytes(data)
        return path


def clean(text: str) -> str:
    r"""Return text with everything that a page cannot show made visible: control characters, bytes that are not UTF-8.

    Spaces of any width stay, line ends become spaces, and ``\u202e`` and its like, which turn the text after them
    around, are shown as codes.

    Example:
        >>> clean("b\udce9\x1b[31m\u3000a")
        'b\\xe9\\x1b[31m\u3000a'
    """
    if text.isprintable():
        return text
    shown = []
    for c in text:
        if c in "\n\t\r":
            shown.append(" ")
        elif unicodedata.category(c) == "Zs" or c in _JOINERS:
            shown.append(c)
        else:
            shown.append(printable(c))
    return "".join(shown)


def relative_url(target: str | Path, page: str | Path) -> str:
    """Return the URL of a file relative to a page's folder; names of any bytes are percent-encoded.

    Example:
        >>> relative_url("out/a b#1.flac", "out/index.html")
        'a%20b%231.flac'
    """
    relative = os.path.relpath(target, Path(page).parent)
    return "/".join(quote(os.fsencode(part), safe="") for part in Path(relative).parts)


@functools.cache
def environment() -> jinja2.Environment:
    """Return the environment of all templates: every text is escaped and made visible."""

    def finalize(value: Any) -> Any:
        return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return jinja2.Environment(
        loader=jinja2.PackageLoader("celesta.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _is_number(rows: Sequence[Sequence[str | Link]], column: int) -> bool:
    """Whether a column holds numbers, with gaps."""
    if column == 0 or not rows:
        return False
    cells = [cell.text if isinstance(cell, Link) else str(cell) for cell in (row[column] for row in rows)]
    filled = [cell for cell in cells if cell not in _NO_NUMBER]
    return bool(filled) and all(_NUMBER.fullmatch(cell) for cell in filled)
