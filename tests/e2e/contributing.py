"""A section of CONTRIBUTING.md followed literally in a copy of the repository."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("src", "tests", "scripts", "docs")
LINKED = (".safetensors", ".ogg", ".xz")  # large and never changed
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Section:
    """A section of CONTRIBUTING.md.

    Attributes:
        text: all of it.
        blocks: kind (``python``, ``diff``, ``sh``) and content of its code blocks, in order.
        files: the files that it says are touched.
    """

    text: str
    blocks: list[tuple[str, str]]
    files: set[str]


def section(title: str) -> Section:
    """Read the section with this heading."""
    whole = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    text = re.split(r"^## ", whole.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    touched = text.split("Files touched:", 1)[1]
    return Section(text, _BLOCK.findall(text), set(re.findall(r"`([^`]+)`", touched)))


def copy(target: Path) -> Path:
    """Copy the repository without what git ignores; large files are linked."""

    def place(source: str, destination: str) -> str:
        if source.endswith(LINKED):
            os.symlink(source, destination)
        else:
            Path(destination).write_bytes(Path(source).read_bytes())
        return destination

    import shutil

    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "_build", ".*")
    for name in COPIED:
        shutil.copytree(REPOSITORY / name, target / name, ignore=ignore, copy_function=place)
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        place(str(REPOSITORY / name), str(target / name))
    return target


def apply(root: Path, path: str, diff: str) -> None:
    """Insert the lines of a diff behind its lines of context, which occur once in the file."""
    lines = diff.splitlines()
    context = [line[1:] for line in lines if line.startswith(" ")]
    added = [line[1:] for line in lines if line.startswith("+")]
    assert lines == [f" {line}" for line in context] + [f"+{line}" for line in added], "context first, then additions"
    file = root / path
    text = file.read_text(encoding="utf-8")
    before = "".join(f"{line}\n" for line in context)
    assert text.count(before) == 1, f"{path}: {before!r} must occur once"
    file.write_text(text.replace(before, before + "".join(f"{line}\n" for line in added)), encoding="utf-8")


def follow(root: Path, title: str, **replaced: str) -> Section:
    """Do what a section says: write its files, apply its diffs, run its commands.

    A file or diff belongs to the file that was named last before it.
    """
    steps, at = section(title), 0
    for kind, content in steps.blocks:
        at = steps.text.index(content, at)
        path = re.findall(r"`((?:src|docs|tests)/[^`]+\.\w+)`", steps.text[:at])[-1:]
        if kind == "python":
            (root / path[0]).write_text(content, encoding="utf-8")
        elif kind == "diff":
            apply(root, path[0], content)
        else:
            for command in content.strip().splitlines():
                run(root, command, **replaced)
    return steps


def run(root: Path, command: str, **replaced: str) -> str:
    """Run a command of the section in the copy, words such as MUSIC replaced; return its output."""
    for word, value in replaced.items():
        command = command.replace(word, value)
    words = shlex.split(command)
    programs = {"python": [], "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider"]}
    programs["celesta"] = ["-m", "celesta.cli.main"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CELESTA_CACHE": str(root / ".cache"),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [sys.executable, *programs[words[0]], *words[1:]],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def digests(root: Path) -> dict[str, str]:
    """Hash every file that git would see."""
    found = {}
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root).as_posix()
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))
        if file.is_file() and not hidden and not name.startswith("runs/"):
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Name the files that were added, changed or removed."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
