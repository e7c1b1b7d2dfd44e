"""Decide where each result goes."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from celesta._files import printable
from celesta.audio import AUDIO_SUFFIXES
from celesta.cli import console
from celesta.cli.inputs import Inputs, inputs
from celesta.cli.standard import STANDARD
from celesta.errors import DataError, UsageError

WRITABLE = (".wav", ".flac", ".ogg", ".opus", ".mp3")
"""Suffixes of the audio files that can be written."""
_FILES = AUDIO_SUFFIXES | {".cel", ".html", ".json", ".jsonl", ".csv", ".safetensors", ".onnx"}
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")


@dataclass
class Plan:
    """Which file becomes which, in order, and what was skipped.

    Attributes:
        targets: source to target.
        skipped: targets that exist already and were made from the same source.
        failed: sources and files that cannot be worked on, each of which was reported.
    """

    targets: dict[Path, Path] = field(default_factory=dict)
    skipped: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Kind:
    """What a verb makes of a file.

    Attributes:
        suffixes: of a single output file.
        default: suffix of the outputs in a folder.
        find: lists the inputs below a folder.
        made_from: whether an existing target was made from a source; None where that is not known.
        about: describes a target that exists and is skipped; "" for no more than that it exists.
    """

    suffixes: tuple[str, ...]
    default: str
    find: Callable[[Path], list[Path]]
    made_from: Callable[[Path, Path], bool | None] = lambda target, source: None
    about: Callable[[Path], str] = lambda target: ""


def plan(sources: Sequence[Path], output: Path | None, kind: Kind, *, force: bool) -> Plan:
    """Decide where each result goes: next to its source, to the file ``output``, or below the folder ``output``.

    Folders keep their inner structure. Two sources never share a target: the second one gets its full name
    (``song.mp3.cel``), others of the same name a number too (``song.mp3.2.cel``). A target below a folder that exists
    is skipped if it was made from the same source.

    Raises:
        UsageError: the output does not fit the sources, or exists without ``force``.
        DataError: there is nothing to work on.
    """
    made = Plan()
    single = len(sources) == 1 and not sources[0].is_dir()
    one = output is not None and _is_file(output, kind, single=single)
    if sources == [STANDARD]:
        made.targets[STANDARD] = STANDARD if output is None else output
        if output is not None and not one and output != STANDARD:
            raise UsageError(f"{printable(output)}: name the output file, not a folder, where the input is -")
    taken: set[Path] = set()
    found = Inputs() if made.targets else inputs(sources, kind.find)
    made.failed = found.failed
    for file, inner in found:
        default = file.with_suffix(kind.default) if output is None else output / inner.with_suffix(kind.default)
        candidates = iter([output]) if one and output else _names(default, file.name, kind.default)
        try:
            target, skip = _choose(candidates, taken, file, kind, skip=not single, force=force)
        except UsageError as error:
            if single:
                raise
            console.fail(error)
            made.failed += 1
            continue
        taken.add(target)
        if skip:
            console.note(f"{printable(target)}: exists already, skipped{kind.about(target)}")
            made.skipped += 1
        else:
            made.targets[file] = target
    if output == STANDARD:
        return made
    return _only_writable(made, force, single=single)


def free(target: Path, force: bool) -> Path:
    """Return the target if it may be written.

    Raises:
        UsageError: it exists and ``force`` is not set.
    """
    if not force and os.path.lexists(target):
        raise UsageError(f"{printable(target)}: exists already; overwrite it with --force")
    return target


def output_folder(folder: Path) -> Path:
    """Create the folder that ``-o`` names and check that files can be written into it, before any work.

    Raises:
        UsageError: it is not there, and its name is that of a file.
        DataError: files cannot be written into it.
    """
    return ready_folder(folder_name(folder))


def file_name(target: Path, suffix: str) -> Path:
    """Return a target whose name is not that of a file of another kind.

    Raises:
        UsageError: it is.
    """
    found = target.suffix.lower()
    if found in _FILES - {suffix}:
        raise UsageError(
            f"{printable(target)}: cannot write {printable(found)} here; name a file that ends in {suffix}"
        )
    return target


def folder_name(folder: Path) -> Path:
    """Return a folder whose name is not that of a file.

    Raises:
        UsageError: it is not there, and its name is that of a file.
    """
    suffix = folder.suffix.lower()
    if suffix in _FILES and not folder.exists():
        raise UsageError(f"{printable(folder)}: the output is a folder; give it a name without {printable(suffix)}")
    return folder


def ready_folder(folder: Path) -> Path:
    """Create a folder and check that files can be written into it, before any work.

    Raises:
        DataError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        said = error.strerror or type(error).__name__
        if isinstance(error, FileNotFoundError) and folder.is_dir():  # as below /proc
            said = "the system takes no new files there"
        raise DataError(f"{printable(folder)}: cannot be written to ({said}); choose another folder with -o") from None
    return folder


def _names(default: Path, name: str, suffix: str) -> Iterator[Path]:
    """Yield the targets that a source may have, in order."""
    yield default
    yield default.with_name(f"{name}{suffix}")
    for number in itertools.count(2):
        yield default.with_name(f"{name}.{number}{suffix}")


def _choose(
    candidates: Iterator[Path], taken: set[Path], file: Path, kind: Kind, *, skip: bool, force: bool
) -> tuple[Path, bool]:
    """Return the first target that this source may have, and whether it is there already."""
    target = STANDARD
    for target in candidates:
        if target in taken:
            continue
        if target != STANDARD and _same(target, file):
            raise UsageError(f"{printable(target)}: is the input itself; choose another name with -o")
        if force or target == STANDARD or not os.path.lexists(target):
            return target, False
        made = kind.made_from(target, file)
        if made is not False:
            return (target, True) if skip else (free(target, force), False)
    return free(target, force), False


def _only_writable(made: Plan, force: bool, *, single: bool) -> Plan:
    """Drop the targets whose folder cannot be written to; each such folder is reported once."""
    folders: dict[Path, bool] = {}
    for file, target in list(made.targets.items()):
        if target == STANDARD:
            continue
        if target.parent not in folders:
            try:
                ready_folder(target.parent)
                folders[target.parent] = True
            except DataError as error:
                if single:
                    raise
                folders[target.parent] = False
                console.fail(error)
        if not folders[target.parent]:
            del made.targets[file]
            made.failed += 1
    return made


def _is_file(output: Path, kind: Kind, *, single: bool) -> bool:
    """Decide by its suffix whether ``-o`` names a file or a folder.

    Raises:
        UsageError: it names a file of another format, or one file for several sources.
    """
    if output == STANDARD:
        if not single:
            raise UsageError("-o -: standard output takes one file, not several")
        return True
    if output.is_dir():
        return False
    from celesta.latents import is_cel

    suffix = output.suffix.lower()
    if suffix in kind.suffixes:
        if not single:
            raise UsageError(f"{printable(output)}: several files need a folder as --output")
        return True
    known = suffix in AUDIO_SUFFIXES or is_cel(output)
    if known or (single and _SUFFIX.fullmatch(output.suffix)):
        names = ", ".join(kind.suffixes)
        raise UsageError(
            f"{printable(output)}: cannot write {printable(suffix)} here; name a file that ends in {names}, or a folder"
        )
    return False


def _same(target: Path, source: Path) -> bool:
    try:
        return os.path.samefile(target, source)
    except OSError:
        return False
