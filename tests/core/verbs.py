"""What `pip install celesta` can do, without torch: every shipped model, the main verbs, the features.

Run: python tests/core/verbs.py FOLDER
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

import celesta
from celesta import _device
from celesta.cli.main import app
from celesta.features.registry import extractor
from celesta.models import registry
from celesta.models.weights import FOLDER as WEIGHTS


def run(*words: object) -> tuple[int, str]:
    made = CliRunner().invoke(app, [str(word) for word in words])
    return made.exit_code, " ".join(made.output.split())


def done(*words: object) -> str:
    code, text = run(*words)
    assert code == 0, (words, text)
    return text


def models(x: celesta.Audio) -> None:
    mono = celesta.Audio(x.samples[:1, :70_000], x.sample_rate)
    for entry in registry.shipped():
        codec = celesta.load(entry.name)
        back = codec.decode(codec.encode(mono))
        assert back.samples.shape == (1, 70_000), entry.name
        assert np.isfinite(back.samples).all(), entry.name


def verbs(song: Path, folder: Path) -> None:
    done("encode", song, "--kbps", 12, "-o", folder / "a.cel")
    done("decode", folder / "a.cel", "-o", folder / "a.wav")
    done("truncate", folder / "a.cel", "--kbps", 4, "-o", folder / "b.cel")
    done("transform", folder / "a.cel", "--gain", 0.5, "-o", folder / "t")
    done("verify", folder / "b.cel")
    done("library", "add", folder, "--library", folder / "l.db")
    assert "a.wav" in done("similar", song, "--library", folder / "l.db")
    assert "reggae" in done("classify", "predict", song, "-o", folder / "predictions")
    assert "nested" in done("models")
    for verb in (
        ("train", "-m", "cel-3", "--data", folder, "-o", folder / "run"),
        ("study", "--data", folder),
        ("export", "cel-3", "-o", folder / "exported"),
    ):
        code, text = run(*verb)
        assert code, verb
        assert "needs PyTorch, the extra [train]; pip install 'celesta[train]'" in text, text
        assert "Traceback" not in text


def features(x: celesta.Audio) -> None:
    for name in ("celesta-ssl", "musicnn-msd", "handcrafted", "rhythm", "latent:cel-3"):
        one = extractor(name)
        samples = celesta.audio.resample(x.samples[:1, :200_000], x.sample_rate, one.sample_rate)[0]
        assert all(np.isfinite(array).all() for array in one.measure(samples).values()), name


def main(folder: Path) -> None:
    assert not _device.has_torch(), "this is for an environment without torch"
    song = folder / "song.ogg"
    shutil.copy(WEIGHTS.parent / "clips" / "reggae.ogg", song)
    x = celesta.read(song)
    models(x)
    verbs(song, folder)
    features(x)
    assert "torch" not in sys.modules
    print(f"without torch: {len(registry.shipped())} models, the main verbs and the features work")


main(Path(sys.argv[1]))
