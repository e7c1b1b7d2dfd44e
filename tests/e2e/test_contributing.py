"""Item 21: a feature, a variation, a verb and a page are added by the steps of CONTRIBUTING.md alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from celesta.audio import Audio, read, write

sys.path.insert(0, str(Path(__file__).parent))
import contributing


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, to which each test adds something."""
    return contributing.copy(tmp_path_factory.mktemp("contributing") / "copy")


@pytest.fixture
def song(tmp_path: Path, music: Callable[..., np.ndarray]) -> Path:
    write(tmp_path / "song.wav", Audio(music(66_150, sample_rate=22_050), 22_050))
    return tmp_path / "song.wav"


def added(root: Path, title: str, **replaced: str) -> None:
    """Follow a section; it touches the files that it names and no other."""
    before = contributing.digests(root)
    steps = contributing.follow(root, title, **replaced)
    assert contributing.changed(before, contributing.digests(root)) == steps.files


def test_a_feature(root: Path, song: Path) -> None:
    added(root, "Add a feature extractor")
    code = (
        "import sys; from celesta.features import extract, names; assert 'crossings' in names();"
        "print(extract([sys.argv[1]], ['crossings'])['crossings'].tolist())"
    )
    (mean, deviation), *_ = json.loads(contributing.run(root, f'python -c "{code}" {song}'))
    assert mean > 10
    assert deviation > 0


def test_a_variation(root: Path, music: Callable[..., np.ndarray], tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    write(song, Audio(music(4 * 215 * 512, sample_rate=22_050), 22_050))  # four full windows of linear-64
    added(root, "Add a variation")
    contributing.run(root, f"celesta transform {song} -m linear-64 --fade 0 -o {tmp_path / 'out'}")
    (made,) = (tmp_path / "out").rglob("*.flac")
    x = np.abs(read(made).samples[0])
    assert x[-2_000:].max() < 0.1 * x[:20_000].max()
    assert "--fade" in (root / "docs/reference/cli.md").read_text()


def test_a_verb(root: Path, song: Path) -> None:
    added(root, "Add a verb")
    assert json.loads(contributing.run(root, f"celesta length {song} --json")) == [{"path": str(song), "seconds": 3.0}]
    assert "celesta length" in (root / "docs/reference/cli.md").read_text()


def test_a_page(root: Path, song: Path, tmp_path: Path) -> None:
    added(root, "Add a report page", SONG=str(song), PAGE=str(tmp_path / "page.html"))
    assert "song.wav" in (tmp_path / "page.html").read_text()
