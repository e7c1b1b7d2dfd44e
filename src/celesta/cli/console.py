"""Print results to stdout, and errors, warnings and progress to stderr.

What scripts read is never wrapped: a path stays on its line. On a terminal, messages break between words, and a command
that they name stays whole, to be copied. Names of files are escaped where a terminal, a pipe or a JSON parser could not
take them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from celesta._files import printable

err = Console(stderr=True, highlight=False, markup=False, emoji=False)

problems: list[str] = []
"""What could not be done in this call of the command; the exit code is 1 if there is anything."""
strict = False
"""Whether a warning of damaged audio makes the exit code 1 in this call of the command."""
damaged = 0
"""Number of such warnings in this call of the command."""


def say(text: object) -> None:
    """Print a line to stdout, escaped and never wrapped."""
    print(printable(text), flush=True)


def note(text: object) -> None:
    """Print a line to stderr."""
    _message(printable(text))


def warn(text: object) -> None:
    """Print a warning to stderr; the exit code stays 0 unless ``--strict`` is given."""
    _message(f"warning: {printable(text)}", "yellow")


def be_strict(wanted: bool) -> None:
    """Let every later warning of damaged audio make the exit code 1 (``--strict``); the work goes on."""
    global strict
    strict = wanted


def reset() -> None:
    """Forget what an earlier call of the command in this process left."""
    global strict, damaged
    strict, damaged = False, 0
    problems.clear()


def warn_of_damage(text: object) -> None:
    """Print a warning that a file is damaged; with ``--strict``, the exit code becomes 1."""
    global damaged
    damaged += 1
    if strict:
        problems.append(str(text))
    warn(text)


def fail(text: object) -> None:
    """Print an error to stderr and make the exit code 1; the work goes on."""
    problems.append(str(text))
    _message(f"celesta: {printable(text)}", "red")


def left_out(failures: Mapping[Any, str]) -> None:
    """Print an error for each file that a result does not include."""
    for path, reason in failures.items():
        fail(f"left out: {printable(path)}: {reason.removeprefix(f'{printable(path)}: ')}")


def emit(document: object, *, indent: int | None = None) -> None:
    """Print a document to stdout as JSON: one line, or indented; ASCII only, so that every encoding holds it."""
    print(json.dumps(plain(document), indent=indent, allow_nan=False), flush=True)


def plain(value: Any) -> Any:
    r"""Turn a value into what JSON holds.

    Paths become text in which bytes that are not UTF-8 read ``\xe9``; NumPy's numbers become Python's, and numbers that
    are not finite become null.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, str | Path):
        return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    spare: Sequence[str] = (),
    words: Sequence[str] = (),
) -> None:
    """Print a table: the first column and words to the left, numbers to the right, each row on one line.

    Where a terminal is too narrow, the columns named in ``spare`` are left out, the last of them first; then the first
    column is shortened. A pipe gets everything.

    Args:
        title: line above the table, or "".
        head: names of the columns.
        rows: cells; shown escaped.
        spare: columns that may be left out.
        words: columns of words.
    """
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    limit = _columns()
    shown = list(range(len(head)))
    for name in reversed(spare):
        if _total(cells, shown) > limit:
            shown.remove(list(head).index(name))
    widths = [max(_width(row[i]) for row in cells) for i in shown]
    widths[0] = max(min(widths[0], 12), widths[0] - max(0, _total(cells, shown) - limit))
    if title:
        say(title)
    for number, row in enumerate(cells):
        line = _pad(_shortened(row[shown[0]], widths[0]), widths[0], left=True)
        for i, width in zip(shown[1:], widths[1:], strict=True):
            line += "  " + _pad(row[i], width, left=head[i] in words)
        print(_bold(line.rstrip()) if number == 0 and any(head) else line.rstrip(), flush=number == len(cells) - 1)


def entries(rows: Sequence[tuple[str, str]]) -> None:
    """Print names, each with what is said of it in brackets; where a terminal is too narrow, on lines below the names.

    Args:
        rows: name and remarks, or "".
    """
    lines = [f"{name} ({remarks})" if remarks else name for name, remarks in rows]
    limit = _columns()
    if all(_width(printable(line)) <= limit for line in lines):
        for line in lines:
            say(line)
        return
    for name, remarks in rows:
        say(name)
        if remarks:
            print(wrapped(printable(remarks), limit, "      "), flush=True)


def wrapped(text: str, limit: int, indent: str = "") -> str:
    r"""Break a text between words into lines of at most so many characters; longer words and commands stay whole.

    Args:
        text: the text, one line.
        limit: characters of a line.
        indent: put before each line.

    >>> print(wrapped("m.db: no such library; make it with: celesta library add FOLDER", 40))
    m.db: no such library; make it with:
    celesta library add FOLDER
    """
    whole = re.sub(r"\b(?:celesta|pip install) [^;)]*", lambda found: found[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(
        whole, limit, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace("\0", " ")


def facts(rows: Sequence[tuple[str, object]]) -> None:
    """Print names and values, one pair a line, the values under each other."""
    width = max((_width(printable(name)) for name, _ in rows), default=0)
    for name, value in rows:
        print(f"{_pad(printable(name), width, left=True)}  {printable(value)}".rstrip(), flush=True)


def shorten(text: str, limit: int) -> str:
    """Escape a text and shorten it to so many columns, the middle left out."""
    return _shortened(printable(text), limit)


def _message(text: str, style: str | None = None) -> None:
    err.print(wrapped(text, err.width) if err.is_terminal else text, style=style, soft_wrap=True)


def _columns() -> int:
    """Columns of the terminal that stdout is; where it is none, more than any line has."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1 << 30


def _total(cells: Sequence[Sequence[str]], shown: Sequence[int]) -> int:
    return sum(max(_width(row[i]) for row in cells) for i in shown) + 2 * (len(shown) - 1)


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: two for East Asian characters, none for accents that combine."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _pad(text: str, width: int, *, left: bool) -> str:
    space = " " * max(0, width - _width(text))
    return text + space if left else space + text


def _shortened(text: str, limit: int) -> str:
    if _width(text) <= limit:
        return text
    tail = min(8, limit // 3)
    end = text[len(text) - tail :]
    while text and _width(text) + 1 + _width(end) > limit:
        text = text[:-1]
    return f"{text}…{end}"


def _bold(text: str) -> str:
    styled = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[1m{text}\x1b[0m" if styled else text
