"""Libraries that use no weights that are for research only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import celesta
from celesta.errors import LibraryError, UsageError
from celesta.models.licences import LICENCES
from celesta.models.weights import FOLDER

PACKAGE = Path(celesta.__file__).parent
CLIPS = PACKAGE / "clips"
CELESTA = [sys.executable, "-c", "import sys; from celesta.cli.main import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a library that was made by a copy of Celesta without the weights that are for research only."""
    folder = tmp_path_factory.mktemp("licence")
    (folder / "music").mkdir()
    for name in ("rock", "ambient"):
        shutil.copy(CLIPS / f"{name}.ogg", folder / "music")
    research = {one.file for one in LICENCES if not one.commercial}
    assert {"predict-genre.safetensors", "cel-3.safetensors"} <= research
    shutil.copytree(PACKAGE, folder / "src" / "celesta", ignore=shutil.ignore_patterns("__pycache__", *research))
    assert not (folder / "src" / "celesta" / FOLDER.name / "predict-genre.safetensors").exists()
    here = os.environ | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    where = [sys.executable, "-c", "import celesta; print(celesta.__file__)"]
    assert str(folder) in subprocess.run(where, env=here, capture_output=True, text=True, check=True).stdout
    for words in (
        ["library", "add", "music", "--library", "music.db", "--licence", "commercial", "--workers", "1"],
        ["similar", "music/rock.ogg", "--from", "1", "--to", "9", "--library", "music.db"],
        ["encode", "music/rock.ogg", "-o", "rock.cel"],
        ["decode", "rock.cel", "-o", "rock.wav"],
    ):
        done = subprocess.run([*CELESTA, *words], cwd=folder, env=here, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder


def test_songs_have_words_but_no_genre_and_no_mood(made: Path) -> None:
    with celesta.Library(made / "music.db") as library:
        assert library.licence == library.status().licence == "commercial"
        assert library.status().analysed == 2
        [ambient] = library.search("ambient -guitar")
        assert set(ambient.labels) == {"words"}
        assert {"tempo", "loudness"} <= set(ambient.values)
        assert not {"valence", "arousal"} & set(ambient.values)
        [found] = library.similar(ambient.path)
        assert found.song.path.stem == "rock"
        assert 0 <= found.similarity <= 1
        assert len(library.map().songs) == 2


def test_what_needs_the_predictors_is_refused(made: Path) -> None:
    song = made / "music" / "rock.ogg"
    with celesta.Library(made / "music.db") as library:
        for ask in (
            lambda: library.similar(song, by="timbre,mood"),
            lambda: library.playlist(song, n=2, by="mood"),
            lambda: library.search(mood="calm"),
            lambda: library.search(genre="rock"),
            lambda: library.search(arousal="0..1"),
        ):
            with pytest.raises(UsageError, match="--licence commercial"):
                ask()


def test_a_library_keeps_its_licence(made: Path, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="analysed with --licence commercial; choose another file"):
        celesta.Library(made / "music.db", licence="research")
    with pytest.raises(UsageError, match="did you mean"):
        celesta.Library(tmp_path / "new.db", licence="comercial")
    with celesta.Library(tmp_path / "new.db", licence="commercial"):
        pass
    with celesta.Library(tmp_path / "new.db") as library:
        assert library.licence == "commercial"
    with celesta.Library(tmp_path / "new.db", licence="research") as library:  # it has no songs
        assert library.licence == "research"
