"""Times on the command line: ``70``, ``1:10`` or ``1:02:03.5``."""

from __future__ import annotations

from celesta.cli.progress import clock
from celesta.errors import UsageError


def seconds_of(text: str | None, option: str) -> float | None:
    """Read a time.

    Raises:
        UsageError: it is not one.
    """
    if text is None:
        return None
    try:
        seconds = 0.0
        for part in text.split(":"):
            seconds = 60 * seconds + float(part)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise UsageError(f"{option} {text}: not a time; write for example 70 or {clock(70)}")
    return seconds
