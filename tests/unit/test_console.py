"""What a terminal shows: messages and results that break between words. A pipe gets lines as they are."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from celesta.cli import console


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """Return what was written since the last call."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text.splitlines()


def test_a_terminal_breaks_between_words_and_keeps_commands_and_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(
        console, "err", Console(file=screen, width=60, highlight=False, markup=False, color_system=None)
    )
    console.note("m.db: no such library; make it with: celesta library add FOLDER --library m.db")
    assert screen.lines() == ["m.db: no such library; make it with:", "celesta library add FOLDER --library m.db"]
    path = "/music/" + 70 * "a"
    console.warn(f"{path}: is empty")
    assert screen.lines() == ["warning:", path + ":", "is empty"]
    said = "both rock, both sad, both in A major, most at 0:15-0:30"
    console.entries([("0.98  a.ogg", "both rock"), ("0.97  b.ogg", said)])
    below = "      both rock, both sad, both in A major, most at"
    assert screen.lines() == ["0.98  a.ogg", "      both rock", "0.97  b.ogg", below, "      0:15-0:30"]
    console.entries([("0.98  a.ogg", "both rock"), ("0.97  b.ogg", "")])
    assert screen.lines() == ["0.98  a.ogg (both rock)", "0.97  b.ogg"]


def test_a_pipe_gets_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    console.entries([("0.97  b.ogg", 30 * "both rock, ")])
    assert capsys.readouterr().out == f"0.97  b.ogg ({30 * 'both rock, '})\n"
