"""The examples in the docstrings run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import celesta


def modules() -> list[str]:
    """Every module of the package whose text holds an example."""
    found = []
    for info in pkgutil.walk_packages(celesta.__path__, "celesta."):
        spec = info.module_finder.find_spec(info.name, None)  # type: ignore[call-arg]
        if spec is not None and spec.loader is not None:
            source = spec.loader.get_source(info.name)  # type: ignore[attr-defined]
            if source and ">>> " in source:
                found.append(info.name)
    return found


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(name), optionflags=options)
    assert result.attempted > 0
    assert result.failed == 0
