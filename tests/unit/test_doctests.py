"""The examples in the docstrings run and give what they say.

They run in a folder with ``song.mp3`` (with tags), ``song.cel`` (its latent of linear-16), ``coded.cel`` (a second of
it in mono, coded by nested2) and the folder ``music`` with ``a.ogg`` and ``b.ogg``: 3 s of the clips that ship, in
stereo at 44.1 kHz.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import mutagen
import pytest

import celesta
from celesta.evaluation.comparison import CLIPS


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("examples")
    (made / "music").mkdir()
    rate = 44_100
    for name, clip in zip(("song.mp3", "music/a.ogg", "music/b.ogg"), sorted(CLIPS.glob("*.ogg")), strict=False):
        celesta.write(made / name, celesta.read(clip, sample_rate=rate, duration=3))
    tags = mutagen.File(made / "song.mp3", easy=True)
    tags.add_tags()
    tags.update(title="Ballad", artist="Anna")
    tags.save()
    celesta.load("linear-16").encode_file(made / "song.mp3", made / "song.cel")
    second = celesta.read(made / "song.mp3", duration=1, mono=True)
    celesta.load("nested2").encode_file(second, made / "coded.cel", kbps=12)
    return made


@pytest.mark.parametrize("name", modules())
def test_examples(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(name), optionflags=options)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("part", ["audio", "codec", "datasets", "latents", "library", "predict", "studio", "study"])
def test_public_names_have_examples(part: str) -> None:
    module = importlib.import_module(f"celesta.{part}")
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value) or (inspect.isclass(value) and not issubclass(value, Exception)):
            assert "Example:" in (value.__doc__ or ""), f"celesta.{part}.{name} has no example"
