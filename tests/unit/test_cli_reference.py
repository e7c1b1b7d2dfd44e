"""The documentation and the commands are in step."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
import typer

from celesta.cli.main import app
from celesta.cli.verbs import GROUPS
from celesta.models import registry

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(REPOSITORY / "scripts" / "cli_reference.py"))
VERBS = {" ".join(words): command for words, command in SCRIPT["verbs"](typer.main.get_command(app))}
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def test_the_reference_is_written_from_the_commands():
    written = (REPOSITORY / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written == SCRIPT["page"](), "run python scripts/cli_reference.py"


def test_every_verb_has_help_with_an_example_and_every_option_has_help():
    for name, command in VERBS.items():
        assert "Example: `celesta " in command.help, name
        for option in command.params:
            assert option.help, f"{name}: {option.name}"


def test_words_mean_the_same_in_every_verb():
    """No short flag for --force; -f, -m, -o and -K mean one thing; every verb has --json."""
    meant, defaults = {}, set()
    for name, command in VERBS.items():
        options = [p for p in command.params if p.param_type_name == "option"]
        assert "--json" in [flag for option in options for flag in option.opts], name
        for option in options:
            long, *more = [flag for flag in option.opts if flag.startswith("--")]
            for flag in set(option.opts) - {long, *more}:
                meant.setdefault(flag, set()).add(long)
            if option.name == "model" and option.default:
                defaults.add(option.default)
    assert meant == {
        "-o": {"--output"},
        "-m": {"--model"},
        "-f": {"--features"},
        "-K": {"--channels"},
        "-n": {"--number"},
    }
    assert defaults == {registry.DEFAULT}


def commands(page):
    """The lines of a page's code blocks that call the command."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    lines += re.findall(r"`(celesta [a-z][^`]*)`", text)
    for line in lines:
        if not re.match(r"\s*from celesta import ", line):  # Python
            yield from re.findall(r"(?:^|\s|\|)celesta (.+?)(?=$|\s\|\s|\s#|\s>)", line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_exist(page):
    for text in commands(page):
        words = shlex.split(text.replace("'", ""), comments=True)
        if not words or words[0].startswith("-") or not words[0].islower() or not words[0].isalpha():
            continue
        name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
        if name in GROUPS or len(words) == 1 or words[1].startswith("-"):
            continue
        assert name in VERBS, f"{page.name}: celesta {text}"
        known = {flag for option in VERBS[name].params for flag in (*option.opts, *option.secondary_opts)} | {"--help"}
        for flag in re.findall(r"^(--?[A-Za-z][\w-]*)", "\n".join(words), re.M):
            assert flag in known, f"{page.name}: celesta {text}: {flag}"
