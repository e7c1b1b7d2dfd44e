"""README and docs agree with the package: commands, options, links and Python examples are real."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import typer

import celesta
from celesta.cli.main import app
from celesta.features import registry
from celesta.models import registry as models

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]
EXECUTED = (
    "README.md",
    "docs/how-to/encode.md",
    "docs/how-to/variations.md",
    "docs/how-to/cel-files.md",
    "docs/how-to/install.md",
    "docs/how-to/gpu.md",
    "docs/how-to/pytorch.md",
    "docs/how-to/hugging-face.md",
    "docs/tutorial/musician.md",
    "docs/tutorial/researcher.md",
)
COMMANDS = typer.main.get_command(app)


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: Path, language: str) -> Iterator[str]:
    """Fenced code blocks of a language, "" for plain ones."""
    for found in re.finditer(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        if found[1] == language:
            yield found[2]


def commands(page: Path) -> Iterator[list[str]]:
    """The ``celesta`` commands of a page, in code blocks and in backquotes, as words."""
    text = page.read_text(encoding="utf-8")
    lines = [line for language in ("", "bash", "sh", "console") for block in blocks(page, language)
             for line in block.replace("\\\n", " ").splitlines()]  # fmt: skip
    lines += re.findall(r"`(celesta [^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    for line in lines:
        for part in re.split(r" ; |&&|\|(?!\|)", line.removeprefix("$ ").partition("  #")[0]):
            if part.strip().startswith("celesta "):
                yield shlex.split(part.strip().replace("[", "").replace("]", ""))[1:]


def find(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the rest of the words."""
    command: Any = COMMANDS
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no `celesta {' '.join(words)}`"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_documented_commands_and_options_exist(page: Path) -> None:
    for words in commands(page):
        if words and words[0].isupper():  # a placeholder such as VERB
            continue
        command, rest = find(words)
        known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if re.match(r"-[A-Za-z-]", word):
                assert word.partition("=")[0] in {*known, "-h", "--help"}, f"{name(page)}: celesta {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), f"{name(page)} links to {target}"


def test_the_readme_is_short() -> None:
    lines = PAGES[0].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("page", EXECUTED)
def test_python_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of a page runs from top to bottom on nine seconds of a clip that ships."""
    monkeypatch.chdir(tmp_path)
    clip = min((Path(celesta.__file__).parent / "clips").glob("*.ogg"))
    samples, rate = soundfile.read(clip, frames=9 * 44_100)
    soundfile.write("song.mp3", samples, rate)
    (tmp_path / "music").mkdir()
    for other in ("rock", "house"):
        soundfile.write(f"music/{other}.ogg", samples[: 3 * rate], rate)
    celesta.load("linear-64").encode_file("song.mp3", "song.cel", dtype="float32")
    names: dict[str, object] = {"celesta": celesta, "other": celesta.load("cel-silu").encode("song.mp3")}
    for block in blocks(REPOSITORY / page, "python"):
        exec(compile(block, page, "exec"), names)


def test_every_feature_and_model_is_described() -> None:
    """The tables of the reference have a row for each entry of the package's tables."""
    features = (REPOSITORY / "docs/reference/features.md").read_text(encoding="utf-8")
    for entry in registry.entries():
        assert f"`{entry.name}`" in features, entry.name
    described = (REPOSITORY / "docs/reference/models.md").read_text(encoding="utf-8")
    for model in models.shipped():
        name = model.name.replace(f"-{model.size}", "-K") if model.sized else model.name
        assert f"`{name}`" in described, name
