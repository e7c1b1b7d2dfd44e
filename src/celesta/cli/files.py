"""Which files a verb works on, and where each result goes."""

from __future__ import annotations

from pathlib import Path

from celesta.cli.console import err, free_target
from celesta.errors import UsageError

_SOUND = (".wav", ".flac", ".ogg", ".opus", ".mp3")


def pairs(sources: list[Path], output: Path | None, suffix: str, find: object, force: bool) -> dict[Path, Path]:
    """Each file with its target: beside it, or under ``output``; folders keep their inner structure."""
    made: dict[Path, Path] = {}
    for source in sources:
        if not source.exists():
            raise UsageError(f"{source}: no such file or folder")
        files: list[Path] = find(source)  # type: ignore[operator]
        if not files:
            raise UsageError(f"{source}: holds no file to work on")
        for file in files:
            inner = file.relative_to(source) if source.is_dir() else Path(file.name)
            one = (output is not None and output.suffix == suffix) or (output is not None and output.suffix in _SOUND)
            if output is None:
                target = file.with_suffix(suffix)
            elif one and not output.is_dir():
                if len(sources) > 1 or source.is_dir():
                    raise UsageError(f"{output}: several files need a folder as --output")
                target = output
            else:
                target = output / inner.with_suffix(suffix)
            if source.is_dir() and target.exists() and not force:
                err.print(f"{target}: there already, skipped", markup=False)
                continue
            if target in made.values():
                target = target.with_name(f"{file.name}{suffix}")
            made[file] = free_target(target, force)
            target.parent.mkdir(parents=True, exist_ok=True)
    return made


def find_cel(source: Path) -> list[Path]:
    """List the .cel files below a folder; a file stands for itself."""
    if source.is_dir():
        return sorted(source.rglob("*.cel"))
    return [source]
