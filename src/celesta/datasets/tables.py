"""Read tables of text: CSV files of labels, and the tables of published data sets."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from celesta._files import printable
from celesta.errors import DataError, UsageError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is how this one begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path, encoding: str | None = None) -> str:
    """A text file in an encoding, that of its byte order mark, or UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read ({error.strerror})") from None
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding or marked)
    except LookupError:
        raise UsageError(f"--encoding {encoding!r}: no such encoding; for example utf-8, latin-1, utf-16") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        name = (encoding or marked).upper()
        raise DataError(
            f"{printable(path)}, line {line}: not {name}; name the encoding with --encoding, such as latin-1 or utf-16"
        ) from None


def read_rows(path: Path, text: str, delimiter: str, quoted: bool = True) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the last line of each row, and its cells by the column's name in lower case."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )  # fmt: skip
    row = 1  # at which the next row begins
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        row = reader.line_num + 1
        for cells in reader:
            if any(cells):
                padded = [*cells, *[""] * (len(head) - len(cells))]
                yield reader.line_num, {name: cell.strip() for name, cell in zip(head, padded, strict=False) if name}
            row = reader.line_num + 1
    except csv.Error as error:
        reason, remedy = str(error), "is a quote missing?"
        if "field limit" in reason:
            reason = f"a field of more than {csv.field_size_limit() // 1024} KiB"
        elif "NUL" in reason:
            reason, remedy = "a zero byte", "name the encoding with --encoding, such as utf-16"
        elif "unexpected end" in reason:
            reason, remedy = f"a quote that is open from line {row} on is not closed", "close it"
        raise DataError(f"{printable(path)}, line {reader.line_num}: {reason}; {remedy}") from None


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a data set's own table; empty where the file is missing."""
    if not path.is_file():
        return []
    return [row for _, row in read_rows(path, read_text(path), "\t", quoted=False)]


def read_columns(path: Path) -> set[str]:
    """Names in the first line of a table; empty where it is not text."""
    try:
        return set(read_text(path).partition("\n")[0].rstrip("\r").split("\t"))
    except DataError:
        return set()
