"""The side file of a result: by which command it was made from what, so that it can be made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celesta._files import atomic, printable
from celesta._version import __version__
from celesta.errors import UsageError
from celesta.features.cache import content_hash


def sidecar_path(target: str | Path) -> Path:
    """Return the path of the side file of a result: its name with ``.json`` added."""
    target = Path(target)
    return target.with_name(f"{target.name}.json")


def write_sidecar(
    target: str | Path,
    operation: str,
    sources: str | Path | list[Path],
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Path:
    """Write what was done next to a result; return the path of the side file.

    Args:
        target: the result.
        operation: name of the operation.
        sources: the files that it was made from; their names and SHA-256 are written.
        settings: what the operation was given.
        facts: what it did.

    Raises:
        UsageError: it cannot be written.
    """
    listed = sources if isinstance(sources, list) else [Path(sources)]
    document = {
        "celesta": __version__,
        "operation": operation,
        "sources": [{"name": printable(Path(p).name), "sha256": content_hash(p)} for p in listed],
        "settings": dict(settings),
        "result": dict(facts),
    }
    path = sidecar_path(target)
    with atomic(path, UsageError) as temporary:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path
