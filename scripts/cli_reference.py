#!/usr/bin/env python3
"""Write docs/reference/cli.md from the commands: python scripts/cli_reference.py [--check]."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from celesta.cli.main import app
from celesta.cli.process import EXIT_CODES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"
HEAD = """# Command line

<!-- Written by scripts/cli_reference.py from the commands; do not edit. -->

`celesta VERB --help` shows the same texts.
"""


def verbs(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Go through all verbs with the words that call them."""
    for name, one in getattr(command, "commands", {}).items():
        if hasattr(one, "commands"):
            yield from verbs(one, (*words, name))
        else:
            yield (*words, name), one


def section(words: tuple[str, ...], command: Any) -> str:
    """Describe one verb."""
    title = " ".join(words)
    context = typer.Context(command, info_name=f"celesta {title}")
    parts = [f"## {title}", f"```\n{' '.join(command.get_usage(context).split()).removeprefix('Usage: ')}\n```"]
    parts.append(command.help.strip())
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    if arguments:
        rows = "\n".join(f"| `{cell(p.metavar)}` | {cell(p.help)} |" for p in arguments)
        parts.append(f"| argument | |\n| --- | --- |\n{rows}")
    rows = "\n".join(f"| {flags(p)} | {cell(p.help)} | {default(p)} |" for p in options)
    parts.append(f"| option | | default |\n| --- | --- | --- |\n{rows}")
    return "\n\n".join(parts)


def flags(option: Any) -> str:
    """Return the spellings of an option, and its value's name."""
    value = "" if option.is_flag else f" {option.metavar}"
    ordered = sorted(option.opts, key=lambda name: not name.startswith("--"))
    names = ", ".join(f"`{name}{cell(value) if name.startswith('--') else ''}`" for name in ordered)
    return names + "".join(f", `{name}`" for name in option.secondary_opts)


def default(option: Any) -> str:
    """Return the default of an option; nothing for switches that are off."""
    value = option.default
    if value is None or value is False or value == "" or option.required or callable(value):
        return "required" if option.required else ""
    if value is True:
        return "on"
    return f"`{value}`"


def cell(text: str | None) -> str:
    """Make a text fit into a cell of a table."""
    lead = " " if (text or "").startswith(" ") else ""
    return lead + " ".join((text or "").split()).replace("|", "\\|")


def page() -> str:
    """Return the whole page."""
    command = typer.main.get_command(app)
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    parts = [HEAD.rstrip(), *(section(words, one) for words, one in verbs(command))]
    parts.append(f"## Exit codes\n\n| code | meaning |\n| --- | --- |\n{codes}")
    parts.append(OUTPUT.strip())
    return "\n\n".join(parts) + "\n"


OUTPUT = """
## Output

Results go to stdout and are never wrapped or shortened in a pipe. Progress, warnings and errors go to stderr.
With `--json`, verbs that work on files print one JSON object per file and line, with `source` as the first key, and
`error` where a file failed; the others print one document. Names that are not valid UTF-8 and control characters are
escaped: `b\\xe9.wav`.

Below a folder, files that are done already are skipped, nothing is overwritten without `--force`, and two sources never
share a target: `song.flac` becomes `song.cel`, and `song.mp3` next to it `song.mp3.cel`. A .cel file records the name
and the size of its source, so a later call knows which is which. What cannot be read is reported, and the rest is done.
"""


if __name__ == "__main__":
    text = page()
    if "--check" in sys.argv[1:]:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        sys.exit(0 if same else f"{PAGE}: run python scripts/cli_reference.py")
    PAGE.write_text(text, encoding="utf-8")
